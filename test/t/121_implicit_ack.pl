# A producer's first batch to a partition comes too early, the second does not:
# the broker, which knows nothing of the producer yet, stores the second, and
# librdkafka concludes that it must have stored the first too.  The gate lets
# nothing go behind a first batch before it is stored.
#
# STARTS is how many starts on a new topic there are, REBUILDS how many producers
# that give up and are made anew; test/long/implicit_ack.pl has 200 of each.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $starts = $ENV{STARTS} // 10;
my $rebuilds = $ENV{REBUILDS} // 4;
my $not_leader = 6;
my $unknown = -1;    # for which librdkafka gives up

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "the mock broker cannot stand behind a proxy: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $proxy,
	publication => 'p',
	broker => { 'batch.size' => 10000, 'linger.ms' => 0 },
	# its record is a Produce request too, and would take the error below
	options => { state => 'none' });
$shipper->init;

my $rows = 0;

# Some batches for each of two partitions.
sub write_rows
{
	my $first = $rows + 1;
	$rows += 300;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, repeat('x', 300) FROM generate_series($first, $rows) g"
	);
	return;
}

my @topics;
my $fired = $proxy->fired;
$proxy->first_produce($not_leader, 100);
for my $n (1 .. $starts)
{
	push @topics, "t$n";
	$kafka->create_topic("t$n", 2);
	$shipper->{routes} = { 'public.t' => { topic => "t$n" } };
	$shipper->configure($shipper->config_text);
	write_rows();
	$shipper->start;
	wait_for_slot($node, $slot);
	$shipper->stop;
}
cmp_ok(
	$proxy->fired - $fired,
	'>=',
	2 * $starts,
	"$starts starts on new topics, the first batch of each partition refused"
);

$shipper->start;
$fired = $proxy->fired;
for my $n (1 .. $rebuilds)
{
	my $from = $shipper->log_size;
	$proxy->answer(Produce => 'error', skip => 3, argument => $unknown);
	write_rows();
	$shipper->wait_for_log(qr/the Kafka producer cannot go on/, $from);
	wait_for_slot($node, $slot);
}
cmp_ok(
	$proxy->fired - $fired,
	'>=',
	3 * $rebuilds,
	"$rebuilds producers made anew, likewise");
is($shipper->stop, 0, 'stopped');
unlike(
	$shipper->log,
	qr/without an offset/,
	'no success is without an offset');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), @topics);
is($status, 0, 'nothing lost, order kept') or diag($output);
note($output);

done_testing();
