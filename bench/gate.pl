#!/usr/bin/perl
# Whether the figures that no change may miss are kept; see README.md.
#
#	perl bench/gate.pl			after "make", "make -C test" and "make -C bench"
#	perl bench/gate.pl FILE		judges a runs.csv instead of running
#
# TRIES (3): a limit is missed when it is missed that often, with other runs
# each time.  ROWS, ROUNDS as for the component bench.  SHORT=1 is for a machine
# that does other things too: without the shipper, and ratios may be larger.
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
use Bench::Gate;
use Bench::Results;
use Bench::Ship;
use Bench::Summary;
use Bench::Table;
use Bench::Workload;
use Test::More ();

Test::More->builder->output('/dev/null');

my $busy = $ENV{SHORT};
my $rows = $ENV{ROWS} || ($busy ? 100_000 : 200_000);
my $rounds = $ENV{ROUNDS} || ($busy ? 3 : 5);
my $tries = $ENV{TRIES} || 3;

# The runs that limits of a workload need.
sub run
{
	my ($name, @limits) = @_;
	my $workload = workload($name, $rows);
	my %needed =
	  map { $_->{contender} => 1, $_->{base} // 'null' => 1 } @limits;
	my $shipper = delete $needed{shipper};
	my $ship = sub {
		my ($node, $db, $end) = @_;
		return map { ship($node, $db, $workload, $end, $_) } 1 .. 3;
	};

	return run_workload(
		$workload, $rounds,
		[ map { contender($_) } sort keys %needed ],
		$shipper && $ship);
}

# Prints verdicts.
sub show
{
	my @verdicts = @_;
	print_table(
		$out,
		[
			[ 'verdict', 'verdict', '%s' ],
			[ 'tells', 'what', '%s' ],
			[ 'got', 'got', '%.4g' ],
			[ 'most', 'limit', '%.4g' ]
		],
		@verdicts);
	return;
}

# Those of the limits that are missed in every try.  A try runs only what limits
# need that all tries before missed.
sub missed_always
{
	my @open = @_;

	for my $try (1 .. $tries)
	{
		my $folder = new_results('gate');
		my (%of, @runs);

		push @{ $of{ $_->{workload} } }, $_ for @open;
		push @runs, run($_, @{ $of{$_} })   for sort keys %of;
		write_results($folder, @runs);
		print $out "try $try of $tries, figures: $folder\n";
		@open = missed_of(\@open, @runs);
		last if !@open;
	}
	return @open;
}

sub missed_of
{
	my ($limits, @runs) = @_;
	my @verdicts = judge($limits, summarise(@runs));

	show(@verdicts);
	return grep { $_->{verdict} eq 'missed' } @verdicts;
}

my @limits = limits($busy);
my @missed =
  @ARGV ? missed_of(\@limits, read_csv($ARGV[0])) : missed_always(@limits);
print $out @missed ? 'missed: ' . @missed . "\n" : "all limits are kept\n";
exit(@missed ? 1 : 0);
