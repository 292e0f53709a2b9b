# Partitions are added under load, and between two runs: the count is pinned
# until all is acknowledged, old and new are logged, nothing is lost, and the
# order within each partition holds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Workload;
use Test::More;

plan skip_all => 'the mock cannot add partitions'
  if Wal2Kafka::Kafka::why_mock();

my $kafka    = Wal2Kafka::Kafka->new;
my $node     = new_server('source');
my $workload = Wal2Kafka::Workload->new($node, $kafka);
my $shipper  = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http        => Wal2Kafka::Shipper->can_http,
	broker      => { 'topic.metadata.refresh.interval.ms' => 300 });
$shipper->init;
$shipper->start;
$workload->keep_writing(126, 200);
$shipper->wait_for_log(qr/topic "public\.full_6" has 6 partitions/);

# Until records have gone to a partition.
sub wait_for_partition
{
	my ($topic, $partition) = @_;
	wait_until(
		"$topic/$partition has records",
		sub {
			return run_tool('kafka_tool', $kafka->brokers, 'ends', $topic) =~
			  /\t$partition\t[1-9]/;
		});
	return;
}

for my $count (7, 9)
{
	my $had = $count - ($count == 7 ? 1 : 2);
	$kafka->add_partitions('public.full_6', $count);
	$shipper->wait_for_log(
		qr/topic "public\.full_6" has $count partitions now, had $had/);
	wait_for_partition('public.full_6', $count - 1);
	pass(
		"$count partitions under load: old and new are logged, all are used");
}

SKIP:
{
	skip 'built without HTTP', 4 if !$shipper->{http};
	ok($shipper->ready, 'ready all the time');
	my $now = $shipper->metrics;
	is($now->{records_failed_total}, 0, 'nothing was sent in vain');
	is($now->{streams_started_total}, 1, 'one stream');
	is($shipper->metric_sum('producer_restarts_total'), 0, 'one producer');
}
is($shipper->stop, 0, 'stopped');
$kafka->add_partitions('public.def_6', 8);
$shipper->start;
wait_for_partition('public.def_6', 7);
like(
	$shipper->log,
	qr/topic "public\.def_6" has 8 partitions/,
	'between two runs: the new ones are used');
$workload->stop_writers;
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'stopped');

# a copy is not compared: who reads several partitions at once may see a key's
# records out of order where it moved
my ($status, $output) =
  run_tool('checker', '--brokers', $kafka->brokers,
	'--growing', '--ledger', write_ledger($node, 'postgres'),
	$workload->topics);
is($status, 0, 'nothing lost or made up, order and bytes hold');
note($output);

done_testing();
