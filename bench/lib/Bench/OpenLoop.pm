# How long a peer takes from a commit to Kafka and to a consumer.
package Bench::OpenLoop;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use Wal2Kafka::Test;

our @EXPORT = qw(open_loop);

my @QUANTILES = qw(p50 p99 p99.9 max);

# A rate counts as reached if this part of it is.
my $ENOUGH = 0.98;

# A run's rows begin so far behind the first one of the run before.
my $IDS = 10_000_000;

# Returns a row for each rate.  Takes peer, node, kafka, rates (rising, rows a
# second), seconds (a pair: to warm up, to measure), and warm (rows a second,
# seconds), which runs ahead of the rates and does not count.
sub open_loop
{
	my (%o) = @_;
	my ($peer, $kafka, $node) = @o{qw(peer kafka node)};
	my $slot = $peer->name . '_latency';
	my $topic = "$slot.public.probe";
	my $first = 0;
	my @runs;

	$kafka->create_topic($topic, 6,
		'message.timestamp.type' => 'LogAppendTime');
	$peer->start(
		%o,
		slot => $slot,
		table => 'public.probe',
		topic => $topic,
		goal => 'latency');
	$peer->wait_for_sender;
	measure($first, $o{warm}[0], $topic, %o, seconds => [ 0, $o{warm}[1] ]);

	for my $rate (@{ $o{rates} })
	{
		$first += $IDS;
		push @runs,
		  {
			name => $peer->name,
			wanted => $rate,
			measure($first, $rate, $topic, %o)
		  };
		last if $runs[-1]{missing} || $runs[-1]{rate} < $ENOUGH * $rate;
	}
	$peer->stop;
	$node->safe_psql('postgres', 'TRUNCATE probe');
	$kafka->delete_topic($topic);
	return @runs;
}

# The line that the load generator prints, with its times taken apart.
sub measure
{
	my ($first, $rate, $topic, %o) = @_;
	my $conninfo = 'host=127.0.0.1 dbname=postgres port=' . $o{node}->port;
	my ($status, $line) =
	  run_tool('open_loop', $conninfo, $o{kafka}->brokers, 'probe', $topic,
		$first, $rate, @{ $o{seconds} });
	my %row;

	croak $o{peer}->name . " at $rate rows/s: $line" if $status;
	$o{peer}->check;
	my %said = $line =~ /(\w+)=(\S+)/g;
	for my $time (qw(acked consumed due))
	{
		my @values = split /,/, delete $said{$time} // '';
		@row{ map { "${time}_$_" } @QUANTILES } = @values;
	}
	return (%said, %row);
}

1;
