# The shipper on a backlog, into a broker: what it costs.
package Bench::Ship;

use strict;
use warnings;

use Bench::Cpu;
use Carp;
use Exporter 'import';
use Time::HiRes qw(time);
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Test;

our @EXPORT = qw(ship);

my $kafka;
my $count = 0;

# Ships what slot "base" of a database holds, up to an LSN; the records are
# counted in Kafka.  Returns a run as the component bench has them: client_us is
# the shipper's CPU with all its threads since it reads the slot, peak_mb its
# memory.
sub ship
{
	my ($node, $db, $workload, $end, $round) = @_;
	my $rows = $workload->{rows};
	my $slot = 'shipped_' . $count++;
	my $topic = "$workload->{name}.$slot";

	$kafka ||= Wal2Kafka::Kafka->new;
	$kafka->create_topic($topic, 6);
	$node->safe_psql($db,
		"SELECT pg_copy_logical_replication_slot('base', '$slot', false, 'wal2kafka')"
	);
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		conninfo => $node->connstr($db),
		kafka => $kafka,
		slot => $slot,
		publication => 'p',
		routes => { "public.$workload->{name}" => { topic => $topic } });
	$shipper->start;
	# asked seldom, records would have gone before the figures begin
	wait_until(
		'the shipper reads its slot',
		sub {
			croak $shipper->log if $shipper->has_ended;
			return $shipper->log =~ /streaming slot/;
		},
		undef, 0.001);
	my ($start, $before) = (time(), cpu($shipper->pid));
	wait_until(
		'the backlog is shipped',
		sub {
			slot_field($node, $slot, "confirmed_flush_lsn >= '$end'") eq 't';
		},
		# psql has the same cores
		undef, 0.2);
	my $seconds = time() - $start;
	my %figures = (
		rows_per_s => $rows / $seconds,
		client_us => (cpu($shipper->pid) - $before) / $rows * 1e6,
		peak_mb => peak_rss_kb($shipper->pid) / 1024);
	$shipper->stop;
	my $records = $kafka->count($topic);
	croak "$records records in Kafka, not $rows" if $records != $rows;
	return {
		workload => $workload->{name},
		contender => 'shipper',
		round => $round,
		rows => $rows,
		%figures
	};
}

1;
