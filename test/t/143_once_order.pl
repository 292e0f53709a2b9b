# Exactly once: a shipper is killed when its request to commit is under way, and
# that arrives while the next one begins.  The position may be read only after
# init_transactions(): what is committed until then would be sent once more.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $topic = 'public.t';
my $rows = 0;

$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOS
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 1);
my $shipper =
  once_shipper(node => $node, kafka => $proxy, publication => 'p');

sub write_rows
{
	my $first = $rows + 1;
	$rows += 100;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g FROM generate_series($first, $rows) g");
	return;
}

$shipper->init;
$shipper->start;
write_rows();
wait_for_slot($node, 'wal2kafka');

# which of the two Kafka hears of first is up to Kafka
for my $round (1 .. 3)
{
	my $fired = $proxy->fired;
	$proxy->answer('EndTxn', 'hold-request');
	write_rows();
	$proxy->wait_fired($fired, 1);
	is($shipper->kill9, 137, "killed while it commits, $round");
	$proxy->answer('InitProducerId', 'hold-request');
	$shipper->start;
	ok(eval { $proxy->wait_fired($fired, 2); 1; },
		"init_transactions() waits for nothing, $round");
	$proxy->pass;
	wait_for_slot($node, 'wal2kafka');
	is_once($node, $kafka, $topic);
}
is($shipper->stop, 0, 'stopped');

done_testing();
