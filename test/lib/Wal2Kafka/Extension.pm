# Servers in which CREATE EXTENSION wal2kafka works: the relocated copy that
# pgxs.mk makes for pg_regress, so nothing is installed on the machine.
package Wal2Kafka::Extension;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;

our @EXPORT = qw(new_extension_server programs_dir);

my $programs;

sub use_relocated_server
{
	# the relocated pg_config names other folders
	return if $programs;
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $bindir = `$pg_config --bindir`);
	my $top = top_dir();

	$programs = "$top/tmp_install$bindir";
	if (!-x "$programs/postgres")
	{
		system("make -s -C '$top' -f pgxs.mk tmp_install with_llvm=no "
			  . "PG_CONFIG='$pg_config' >/dev/null") == 0
		  or croak 'could not make tmp_install';
	}
	$ENV{PATH} = "$programs:$ENV{PATH}";
	return;
}

# Where that server's programs are.
sub programs_dir { return $programs; }

# As new_server.  The library is found in one place only: two copies of it in
# one process would be two providers of labels.
sub new_extension_server
{
	my ($name, %options) = @_;

	use_relocated_server();
	return new_server($name, %options,
		conf => "dynamic_library_path = '\$libdir'\n" . ($options{conf} || ''));
}

1;
