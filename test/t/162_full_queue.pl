# librdkafka has room for few records: of what is given to it in one go it takes
# a part, and the rest follows.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my $topic = 'public.t';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 3);

my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	slot => $slot,
	publication => 'p',
	broker => { 'queue.buffering.max.messages' => 7 });
$shipper->init;
$node->safe_psql('postgres', <<'EOF');
INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g;
UPDATE t SET v = 0 WHERE id % 3 = 0;
UPDATE t SET v = 0 WHERE id % 5 = 0;
DELETE FROM t WHERE id % 7 = 0;
EOF
$shipper->start;
wait_for_slot($node, $slot);
is($shipper->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--murmur2', '--ledger', write_ledger($node, 'postgres'), $topic);
is($status, 0, 'nothing lost, order kept') or diag($output);
like($output, qr/repeats 0\b/, 'nothing sent twice');

done_testing();
