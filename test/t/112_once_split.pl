# A transaction of PostgreSQL that is larger than one of Kafka: it spans several,
# consecutive ones, and a restart in the middle goes on in the middle.  What was
# aborted is there for read_uncommitted, and for nobody else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $slot = 'wal2kafka';
my @topics = ('public.t', 'public.u');

$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE TABLE u (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t, u;
EOSQL
add_ledger($node, 'postgres', 't', 'u');
$kafka->create_topic($_, 2) for @topics;

my $shipper = once_shipper(
	node => $node,
	kafka => $proxy,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	options => { max_in_flight => '1MB' });
$shipper->init;
$node->safe_psql(
	'postgres', <<'EOSQL');
BEGIN;
INSERT INTO t SELECT g, 0, repeat('x', 800) FROM generate_series(1, 6000) g;
INSERT INTO u SELECT g, 0, repeat('x', 800) FROM generate_series(1, 6000) g;
COMMIT;
EOSQL

# --- killed in the middle, until a transaction was open then ---
# slowly enough that the middle is still to come when it is looked for
$proxy->throttle(both => 500_000);
my ($commit, $ordinal) = (0, -1);
my $committed;
my $all;

for (1 .. 10)
{
	my $before = $ordinal;

	$shipper->start;
	wait_until(
		'more of it is committed',
		sub {
			($commit, $ordinal) = position($kafka, $slot);
			return ($ordinal // -1) > $before;
		});
	$shipper->kill9;
	($commit, $ordinal) = position($kafka, $slot);
	$committed = $kafka->records(@topics);
	$all = $kafka->count_uncommitted(@topics);
	last if $all > $committed || $committed != $ordinal + 1;
}
cmp_ok($ordinal, '<', 11_999,
	"the position is inside the transaction: $ordinal");
is( slot_field($node, $slot,
		"confirmed_flush_lsn <= '0/0'::pg_lsn + $commit"),
	't',
	'the slot is not confirmed past it');
is($committed, $ordinal + 1, 'as many records can be read as it says');
cmp_ok($all, '>', $committed,
	"read_uncommitted: $all, of which nobody else sees some");

$proxy->pass;
$shipper->start;
wait_for_slot($node, $slot);
is_once($node, $kafka, @topics);
if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total},
		12_000 - $committed, 'ready: what was not committed is acknowledged');
	is($now->{records_repeated_total},
		$committed, 'what was committed is counted as repeated');
	cmp_ok($now->{kafka_transactions_committed_total},
		'>', 1, 'in several transactions');
}
is($shipper->stop, 0, 'stopped');
is(scalar($kafka->records(@topics)), 12_000, 'all of it is there, once');
cmp_ok($kafka->count_uncommitted(@topics),
	'>', 12_000, 'read_uncommitted: and what was aborted');

done_testing();
