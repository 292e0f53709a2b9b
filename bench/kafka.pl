#!/usr/bin/perl
# From the write-ahead log into Kafka: this project beside others, with one
# backlog, server, broker and machine.  See README.md.
#
#	perl bench/kafka.pl		after "make", "make -C test", "make -C bench" and
#							"make -C bench/kafka"
use strict;
use warnings;
use IO::Handle;

# the server's modules send standard output into a log file
our $out;
BEGIN { open $out, '>&', \*STDOUT; $out->autoflush; }

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../test/lib";
use Wal2Kafka::Test;
use Bench::IntoKafka;
use Bench::KafkaReport;
use Bench::OpenLoop;
use Bench::Peer;
use Bench::Results;
use Bench::Table;
use Test::More ();
use Wal2Kafka::Kafka;

Test::More->builder->output('/dev/null');

my $short = $ENV{SHORT};
my $rows = $ENV{ROWS} || ($short ? 300_000 : 2_000_000);
my $rounds = $ENV{ROUNDS} // ($short ? 1 : 3);

my @rates = split ' ', $ENV{RATES} // '1000 5000 20000';
my @seconds = $short ? (3, 5) : (10, 20);

# a load that a JVM compiles what it needs under: rows a second, seconds
my @warm = (5000, $short ? 10 : 20);

sub contenders
{
	my @known = Bench::Peer::known();
	my %wanted = map { $_ => 1 } split ' ',
	  $ENV{CONTENDERS} || join ' ', map { $_->{name} } @known;
	my @run;

	for my $peer (grep { $wanted{ $_->{name} } } @known)
	{
		if ($peer->{missing})
		{
			print $out
			  "$peer->{name} is left out: no $peer->{missing} here\n";
			next;
		}
		push @run, Bench::Peer->new($peer);
	}
	return @run;
}

# Every peer in turn, round by round, each time another one first.  Ahead of
# them one alone warms broker and files, which does not count.
sub throughput
{
	my ($node, $kafka, @peers) = @_;
	my @runs;

	print $out "\n$rows rows, 1000 a transaction;",
	  " CPU in microseconds a row, bytes of key and value\n";
	for my $round (0 .. $rounds)
	{
		my @turn = map { $peers[ ($_ + $round) % @peers ] } 0 .. $#peers;
		for my $peer ($round ? @turn : $peers[0])
		{
			my @parts = drain(
				peer => $peer,
				node => $node,
				kafka => $kafka,
				rows => $rows,
				slot => $peer->name . "_$round");
			next if !$round;
			push @runs, map {
				{ %$_, round => $round, name => $peer->name }
			} @parts;
			printf $out "round %d: %-9s %8.0f rows/s, all in %.2f\n", $round,
			  $peer->name, @{ $parts[0] }{qw(rate all_in)};
		}
	}
	@runs = map {
		my $name = $_->name;
		grep { $_->{name} eq $name } @runs
	} @peers;
	compare(@runs);
	print $out "\nmedian of $rounds\n";
	print_table($out, drain_columns(), medians(@runs));
	return @runs;
}

# Each peer anew, with one rate after the other until one is too much for it.
sub latency
{
	my ($node, $kafka, @peers) = @_;
	my @runs;

	print $out "\none row a transaction, $seconds[1] s behind $seconds[0] s"
	  . " that do not count; milliseconds\n";
	for my $peer (@peers)
	{
		my @mine = open_loop(
			peer => $peer,
			node => $node,
			kafka => $kafka,
			warm => \@warm,
			rates => \@rates,
			seconds => \@seconds);
		printf $out "%-9s %5d rows/s: to a consumer p50 %.2f, p99 %.2f\n",
		  @$_{qw(name wanted consumed_p50 consumed_p99)}
		  for grep { defined $_->{consumed_p50} } @mine;
		push @runs, @mine;
	}
	print $out "\n";
	print_table($out, latency_columns(), @runs);
	return @runs;
}

# so that servers end with it
$SIG{$_} = sub { exit 1 }
  for qw(INT TERM);

die 'a bench of Kafka needs the real one: '
  . Wal2Kafka::Kafka->why_mock . "\n"
  if Wal2Kafka::Kafka->why_mock;
my @peers = contenders() or die "no contender can be run here\n";
my $folder = new_results('kafka');

# as brokers are that run for long
my $kafka =
  Wal2Kafka::Kafka->new(java => [qw(-Xms1g -Xmx1g -Xmn700m -XX:TieredStopAtLevel=4)]);
my $node = backlog_server($rows);

write_drains($folder, throughput($node, $kafka, @peers)) if $rounds > 0;
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('base')});
write_latencies($folder, latency($node, $kafka, @peers)) if @rates;
write_setup($folder, @peers);
print $out "\nfigures: $folder\n";
