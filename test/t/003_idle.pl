# The slot follows the log though nothing concerns it, a server can stop, and
# SIGTERM leaves nothing behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;
use Time::HiRes qw(time);

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, pad text);
CREATE TABLE other (id int, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$kafka->create_topic('public.t', 1);
my $shipper =
  Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, publication => 'p',
	options => { log_level => 'debug' });
$shipper->init;
$shipper->start;
wait_for_slot($node, $slot);

$node->safe_psql('elsewhere',
	q{CREATE TABLE big AS SELECT g, repeat('x', 200) FROM generate_series(1, 50000) g}
);
wait_for_slot($node, $slot);
pass('the slot follows the log of another database');
$node->safe_psql('postgres',
	q{INSERT INTO other SELECT g, repeat('x', 200) FROM generate_series(1, 50000) g}
);
wait_for_slot($node, $slot);
pass('and of a table that is not published');
is($kafka->count('public.t'), 0, 'nothing was sent');

# attached to a slot that has nothing new: it must have something to confirm,
# or the server would wait for it for ever
$shipper->stop;
$shipper->start;
$node->poll_query_until('postgres', <<'EOF') or die 'nothing is confirmed';
SELECT r.flush_lsn >= s.confirmed_flush_lsn
FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
EOF
pass('an idle slot is confirmed where it stands');

my $begin = time();
$node->stop('fast');
cmp_ok(time() - $begin,
	'<', 15, 'a fast stop with the shipper attached is fast');
$node->start;
$node->safe_psql('postgres',
	q{INSERT INTO t VALUES (1, 'after the restart')});
$kafka->wait_for_count(1, 'public.t');
pass('the shipper came back by itself');

# a lag is only known while something is written, and forgotten when idle
my $written = 100;
wait_until(
	'the server knows of a lag',
	sub {
		$node->safe_psql('postgres', 'INSERT INTO t VALUES (' . $written++ . ", 'lag')");
		return $node->safe_psql('postgres',
			'SELECT count(*) FROM pg_stat_replication WHERE flush_lag IS NOT NULL');
	});
$node->safe_psql('postgres', 'DELETE FROM t WHERE id >= 100');
pass('the server tells the lag of the shipper');
wait_for_slot($node, $slot);
my $records = $kafka->count('public.t');

SKIP:
{
	skip 'a mock broker cannot be frozen', 4 if $kafka->is_mock;
	$kafka->freeze;
	my $from = $shipper->log_size;
	my $lsn = $node->safe_psql('postgres', <<'EOF');
INSERT INTO t VALUES (2, 'drained');
SELECT pg_current_wal_lsn();
EOF
	# one record is one frame; what is still on its way from the server when
	# the signal comes is not read any more
	$shipper->wait_for_log(qr/frame: \d+ bytes, 1 records/, $from);
	kill 'TERM', $shipper->pid;
	$shipper->wait_for_log(qr/stop|drain|signal/i);
	is(slot_field($node, $slot, "confirmed_flush_lsn < '$lsn'"),
		't', 'not confirmed while Kafka is silent');
	$kafka->thaw;
	is($shipper->wait_exit, 0, 'SIGTERM waits for Kafka and ends with 0');
	is(slot_field($node, $slot, "confirmed_flush_lsn >= '$lsn'"),
		't', 'what was delivered is confirmed');
	is($kafka->count('public.t'), $records + 1, 'each row is there once');
}

done_testing();
