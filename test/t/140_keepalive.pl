# A shipper that confirms a keepalive's end of the log loses a record that the
# plugin still holds back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Proxy;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my $topic = 'public.t';
$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOS
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 1);
my $proxy = Wal2Kafka::Proxy->new($node);
my $shipper = Wal2Kafka::Shipper->new(
	kafka => $kafka,
	conninfo => $proxy->conninfo('postgres'),
	slot => $slot,
	publication => 'p',
	# so that what it takes for safe is confirmed in its first answer
	options => { state => 'none' });
$shipper->init;
$shipper->start;
$node->safe_psql('postgres', 'INSERT INTO t VALUES (1)');
$kafka->wait_for_count(1, $topic);
wait_for_slot($node, $slot);

# a keepalive while a record is held back, which is gone then
$proxy->hold;
$node->safe_psql('postgres', 'INSERT INTO t VALUES (2)');
$proxy->wait_held;
my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
my $confirmed = $proxy->keepalive($end);
my $lied =
  $node->safe_psql('postgres', "SELECT '$confirmed'::pg_lsn >= '$end'");
is($lied, 'f', 'the shipper does not confirm a keepalive');
wait_until(
	'the server has taken the confirmation',
	sub {
		slot_field($node, $slot, "confirmed_flush_lsn >= '$end'") eq 't';
	}) if $lied eq 't';
is($shipper->kill9, 137, 'the shipper is killed');
$proxy->cut;
$shipper->start;

$node->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
wait_for_slot($node, $slot);
is($shipper->stop, 0, 'stopped');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), $topic);
is($status, 0, 'nothing is lost');
diag($output);

done_testing();
