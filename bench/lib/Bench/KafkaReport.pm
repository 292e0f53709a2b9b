# Tables, files and pictures of bench/kafka.pl.
package Bench::KafkaReport;

use strict;
use warnings;

use Bench::Peer;
use Bench::Plot;
use Bench::Table;
use Exporter 'import';
use File::Basename qw(basename);
use File::Copy     qw(copy);
use List::Util     qw(uniq);
use Wal2Kafka::Kafka;
use Wal2Kafka::Test;

our @EXPORT =
  qw(drain_columns compare medians write_drains latency_columns write_latencies
  write_setup);

sub drain_columns
{
	return [
		[ name => 'peer', '%s' ],
		[ part => 'part', '%s' ],
		[ rate => 'rows/s', '%.0f' ],
		[ sender => 'walsender', '%.2f' ],
		[ application => 'application', '%.2f' ],
		[ library => 'library', '%.2f' ],
		[ all_in => 'all in', '%.2f' ],
		[ broker => 'broker', '%.2f' ],
		[ rss_mb => 'peak MB', '%.0f' ],
		[ slower => 'slower x', '%.1f' ],
		[ dearer => 'CPU x', '%.1f' ],
		[ bytes => 'bytes', '%.0f' ]
	];
}

# The settings that the peers ran with, and versions.
sub write_setup
{
	my ($folder, @peers) = @_;
	my $path = top_dir() . "/$folder";
	my $jars = Bench::Peer::debezium_jars();
	my @jars = map { basename($_) } glob(
			Wal2Kafka::Kafka::jars()
		  . '/kafka-clients-*.jar '
		  . (
			$jars
			? "$jars/{debezium-connector-postgres,postgresql}-*.jar"
			: ''));

	spit("$path/versions.txt",
			`'@{[ top_dir() ]}/shipper/wal2kafka' --version`
		  . join('', map { "$_\n" } @jars)
		  . `java -version 2>&1`
		  . (`kcat -V 2>/dev/null` // ''));
	for my $peer (@peers)
	{
		for my $goal (qw(throughput latency))
		{
			copy($_, join '-', "$path/" . $peer->name, $goal, basename($_))
			  for $peer->settings($goal);
		}
	}
	return;
}

# Adds to runs how many times our rate is theirs, and their CPU ours, in the
# same round and part.
sub compare
{
	my (@runs) = @_;
	my %ours =
	  map { ("$_->{round} $_->{part}" => $_) }
	  grep { $_->{name} eq 'wal2kafka' && $_->{rate} } @runs;

	for my $run (grep { $_->{rate} && $_->{name} ne 'wal2kafka' } @runs)
	{
		my $own = $ours{"$run->{round} $run->{part}"} or next;
		$run->{slower} = $own->{rate} / $run->{rate};
		$run->{dearer} = $run->{all_in} / $own->{all_in};
	}
	return @runs;
}

# The median of each figure over the rounds, for each peer and part; low and
# high are of the rate.
sub medians
{
	my (@runs) = @_;
	my %group;

	push @{ $group{"$_->{name} $_->{part}"} }, $_ for @runs;
	return
	  map { _median(@{ $group{$_} }) }
	  uniq(map { "$_->{name} $_->{part}" } @runs);
}

sub _median
{
	my (@runs) = @_;
	my %row = map { $_ => $runs[0]{$_} } qw(name part);

	for my $figure (grep { !/^(?:name|part)$/ } keys %{ $runs[0] })
	{
		$row{$figure} = median(map { $_->{$figure} } @runs);
	}
	@row{qw(low high)} = spread(map { $_->{rate} } @runs);
	return \%row;
}

# Every round, their medians, and a picture of those.
sub write_drains
{
	my ($folder, @runs) = @_;
	my $path = top_dir() . "/$folder";
	my @keys =
	  ((map { $_->[0] } @{ drain_columns() }), qw(rows seconds steal));
	my @medians = medians(@runs);

	write_csv("$path/drain.csv", [ 'round', @keys ], @runs);
	write_csv("$path/drain_medians.csv", [ @keys, qw(low high) ], @medians);
	write_bars(
		"$path/drain.svg",
		title => 'A backlog into Kafka',
		unit => 'median of the rounds',
		bars => [
			_bars('rows a second', 'rate', @medians),
			_bars(
				'CPU of walsender and tool, seconds for a million rows',
				'all_in', @medians),
			_bars('peak memory of the tool, MB', 'rss_mb', @medians)
		]);
	return;
}

# Of the time to an acknowledgement, to a consumer, and to that from when the
# row was due; in milliseconds.
my @QUANTILES = qw(p50 p99 p99.9 max);

sub latency_columns
{
	return [
		[ name => 'peer', '%s' ],
		[ wanted => 'rows/s', '%d' ],
		[ rate => 'reached', '%.0f' ],
		[ missing => 'late', '%d' ],
		map {
			my $time = $_;
			map { [ "${time}_$_", $_ eq 'p50' ? "$time $_" : $_, '%.2f' ] }
			  @QUANTILES
		} qw(acked consumed due)
	];
}

sub write_latencies
{
	my ($folder, @runs) = @_;
	my $path = top_dir() . "/$folder";

	write_csv("$path/latency.csv", [ map { $_->[0] } @{ latency_columns() } ],
		@runs);
	write_bars(
		"$path/latency.svg",
		title => 'From commit to a consumer',
		unit => 'milliseconds, median to 99th percentile',
		bars => [
			map {
				{
					group => "$_->{wanted} transactions a second",
					label => $_->{name},
					value => $_->{consumed_p50},
					low => $_->{consumed_p50},
					high => $_->{consumed_p99}
				}
			} grep { defined $_->{consumed_p50} } @runs
		]);
	return;
}

sub _bars
{
	my ($group, $figure, @rows) = @_;
	return map {
		{
			group => $group,
			label => "$_->{name}, $_->{part}",
			value => $_->{$figure}
		}
	} grep { defined $_->{$figure} } @rows;
}

1;
