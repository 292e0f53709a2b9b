#!/usr/bin/perl
# Component bench: output plugins that decode the same log, and a reader that
# throws away what they send.  See README.md.
#
#	perl bench/component.pl		after "make" and "make -C bench"
use strict;
use warnings;
use IO::Handle;

# the server's modules send standard output into a log file
our $out;
BEGIN { open $out, '>&', \*STDOUT; $out->autoflush; }

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../test/lib";
use Wal2Kafka::Test;
use Bench::Component;
use Bench::Contender;
use Bench::Results;
use Bench::Summary;
use Bench::Table;
use Bench::Workload;
use Test::More ();

Test::More->builder->output('/dev/null');

my $short = $ENV{SHORT};
my $rows = $ENV{ROWS} || ($short ? 100_000 : 500_000);
my $rounds = $ENV{ROUNDS} || ($short ? 3 : 5);
my @workloads = split ' ', $ENV{WORKLOADS} || join ' ', workload_names();
my @wanted = split ' ', $ENV{CONTENDERS} || join ' ', contender_names();
my @contenders;
for my $contender (map { contender($_) } @wanted)
{
	if (available($contender)) { push @contenders, $contender; }
	else { print $out "$contender->{name} is not installed: left out\n"; }
}

my @columns = (
	[ 'contender', 'contender', '%s' ],
	[ 'rows_per_s', 'rows/s', '%.0f' ],
	[ 'sender_us', 'walsender', '%.2f' ],
	[ 'low', 'min', '%.2f' ],
	[ 'high', 'max', '%.2f' ],
	[ 'to_null', '/ null', '%.2f' ],
	[ 'to_pgoutput', '/ pgoutput', '%.3f' ],
	[ 'client_us', 'reader', '%.2f' ],
	[ 'sleeps', 'sleeps', '%.2f' ],
	[ 'bytes', 'bytes', '%.0f' ],
	[ 'sends', 'sends', '%.4f' ],
	[ 'recvs', 'recvs', '%.2f' ],
	[ 'anon_mb', 'MB', '%.1f' ]);

my ($folder, @runs) = (new_results('component'));
print $out "CPU of walsender and reader in us a row; its sleeps, bytes,"
  . " sends and receives a row; MB of the walsender's own memory\n";
for my $name (@workloads)
{
	my $workload = workload($name, $rows);
	my @mine = run_workload($workload, $rounds, \@contenders);

	print $out "\n$name: $workload->{tells}, $workload->{rows} rows,"
	  . " median of $rounds rounds\n";
	print_table($out, \@columns, summarise(@mine));
	push @runs, @mine;
}
write_results($folder, @runs);
print $out "\nfigures: $folder\n";
