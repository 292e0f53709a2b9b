# Decodes a slot's WAL by wal2kafka and by pgoutput and compares: the program
# build/differ, as a test.
package Wal2Kafka::Differ;

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use Wal2Kafka::Test;

our @EXPORT = qw(run_differ same_as_pgoutput differs_treated);

# Status and output of the program.
sub run_differ
{
	my ($node, $db, $slot, $publications, @options) = @_;
	return run_tool('differ', @options, $node->connstr($db), $slot,
		$publications);
}

# Tests that nothing differs, and returns how many changes were compared.
sub same_as_pgoutput
{
	my ($name, @args) = @_;
	my ($status, $output) = run_differ(@args);

	is($status, 0, $name) or diag($output);
	note($output);
	return $output =~ /^compared (\d+) changes/m ? $1 : 0;
}

# Each treatment of one record has to be noticed, or the comparison is worth
# nothing.
sub differs_treated
{
	my (@args) = @_;
	my @treatments = split /\n/, `@{[ top_dir() ]}/build/differ --treatments`;

	ok(@treatments > 15, 'there are treatments');
	for my $treatment (@treatments)
	{
		my ($status, $output) = run_differ(@args, "--doctor=$treatment");
		is($status, 1, "noticed: $treatment") or diag($output);
	}
	return;
}

1;
