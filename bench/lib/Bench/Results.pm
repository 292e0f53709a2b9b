# What a bench leaves in build/bench: a folder of its own for each run.
package Bench::Results;

use strict;
use warnings;

use Bench::Plot;
use Bench::Summary;
use Bench::Table;
use Carp;
use Exporter 'import';
use POSIX qw(strftime uname);
use Wal2Kafka::Test;

our @EXPORT = qw(new_results write_results describe_machine);

my @FIGURES =
  qw(rows rows_per_s sender_us client_us bytes messages sends recvs sleeps
  anon_mb peak_mb steal);

# Makes the folder and says there what the bench ran on.
sub new_results
{
	my ($bench) = @_;
	my $folder = strftime("build/bench/$bench-%Y%m%d-%H%M%S", localtime);

	mkdir top_dir() . "/$folder"
	  or croak "$folder: $!: \"make -C bench\" makes its parent";
	spit(top_dir() . "/$folder/machine.txt", describe_machine());
	return $folder;
}

# Every run, what they say together, and the walsender's CPU as a picture.
sub write_results
{
	my ($folder, @runs) = @_;
	my $path = top_dir() . "/$folder";
	my @summary = summarise(@runs);

	write_csv("$path/runs.csv", [ qw(workload contender round), @FIGURES ],
		@runs);
	write_csv(
		"$path/summary.csv",
		[
			qw(workload contender), @FIGURES,
			qw(low high to_null to_pgoutput)
		],
		@summary);
	write_bars(
		"$path/walsender.svg",
		title => 'CPU of the walsender',
		unit => 'microseconds a row: median, lowest to highest',
		bars => [
			map {
				{
					group => $_->{workload},
					label => $_->{contender},
					value => $_->{sender_us},
					low => $_->{low},
					high => $_->{high}
				}
			} @summary
		]);
	return;
}

# What figures depend on, a line each.
sub describe_machine
{
	my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
	my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/;
	my @cpus = slurp('/proc/cpuinfo') =~ /^processor/mg;
	my ($system, undef, $release) = uname();
	my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
	chomp(my $server = `postgres --version`);

	return
	  sprintf
	  "%d x %s, %.0f GB\n%s %s\n%s\nload average %s at the start\n%s\n",
	  scalar @cpus, $model // 'an unknown processor', $memory / 1e6, $system,
	  $release, $server, $load, join ' ', map { "$_=$ENV{$_}" }
	  grep { defined $ENV{$_} } qw(SHORT ROWS ROUNDS WORKLOADS CONTENDERS);
}

1;
