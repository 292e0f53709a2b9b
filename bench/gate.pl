#!/usr/bin/perl
# Whether the figures that no change may miss are kept; see README.md.
#
#	perl bench/gate.pl			after "make", "make -C test" and "make -C bench"
#	perl bench/gate.pl FILE		judges a runs.csv instead of running
#
# TRIES (3): a limit is missed when it is missed that often, with other runs
# each time.  ROWS, ROUNDS as for the component bench.
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

my $rows = $ENV{ROWS} || 200_000;
my $rounds = $ENV{ROUNDS} || 5;
my $tries = $ENV{TRIES} || 3;
my @contenders = map { contender($_) } qw(null pgoutput frames);

sub run
{
	my ($name) = @_;
	my $workload = workload($name, $rows);
	my $ship = sub {
		my @place = @_;
		return map { ship(@place[ 0, 1 ], $workload, $place[2], $_) } 1 .. 3;
	};

	return run_workload($workload, $rounds, \@contenders,
		$name eq 'narrow' ? $ship : undef);
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

# What is missed in every try.  A try runs only the workloads of limits that all
# tries before missed.
sub missed_always
{
	my @open = judge();

	for my $try (1 .. $tries)
	{
		my %open = map { $_->{tells} => 1, $_->{workload} => 1 } @open;
		my $folder = new_results('gate');
		my @runs = map { run($_) } grep { $open{$_} } gate_workloads();
		my @verdicts = grep { $open{ $_->{tells} } } judge(summarise(@runs));

		write_results($folder, @runs);
		print $out "try $try of $tries, figures: $folder\n";
		show(@verdicts);
		@open = grep { $_->{verdict} eq 'missed' } @verdicts;
		last if !@open;
	}
	return @open;
}

sub missed_in_file
{
	my ($file) = @_;
	my @verdicts = judge(summarise(read_csv($file)));

	show(@verdicts);
	return grep { $_->{verdict} eq 'missed' } @verdicts;
}

my @missed = @ARGV ? missed_in_file($ARGV[0]) : missed_always();
print $out @missed ? 'missed: ' . @missed . "\n" : "all limits are kept\n";
exit(@missed ? 1 : 0);
