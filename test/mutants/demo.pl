# What any build must do to be worth a test: rows arrive, are confirmed, and it
# stops when asked to.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = do { local $ENV{TEST_BROKER} = 'mock'; Wal2Kafka::Kafka->new };
my $node = new_server('source');
$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE PUBLICATION p FOR TABLE t;
EOS
$kafka->create_topic('public.t', 1);
my $shipper =
  Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, publication => 'p');
$shipper->init;
$shipper->start;
$node->safe_psql('postgres', "INSERT INTO t VALUES ($_, 'row')") for 1 .. 5;
$node->safe_psql('postgres',
	"INSERT INTO t SELECT g, 'row' FROM generate_series(6, 100) g");
$kafka->wait_for_count(100, 'public.t');
pass('rows arrive');
wait_for_slot($node, 'wal2kafka');
pass('and are confirmed');
is($shipper->stop, 0, 'it stops when asked to');

done_testing();
