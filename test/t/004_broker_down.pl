# Kafka is away: at the start, and in the middle.  Nothing is lost or
# confirmed, and the server can stop without waiting for Kafka.
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
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	options => { release_after => 2 });
$shipper->init;

# --- at the start ---
$kafka->stop;
my $lsn = $node->safe_psql('postgres', <<'EOF');
INSERT INTO t SELECT g, 0, 'a' FROM generate_series(1, 100) g;
SELECT pg_current_wal_lsn();
EOF
$shipper->start;
my $port = ($kafka->brokers =~ /:(\d+)$/)[0];
$shipper->wait_for_log(qr/$port/);
pass('the log names the broker that does not answer');
is(slot_field($node, $slot, "confirmed_flush_lsn < '$lsn'"),
	't', 'nothing is confirmed');
$shipper->wait_not_ready(qr/Kafka does not answer/) if $shipper->{http};
$kafka->start;
$kafka->wait_for_count(100, 'public.t');
wait_for_slot($node, $slot);
pass('everything arrives when Kafka does');
my $seen = {};
SKIP:
{
	skip 'built without HTTP', 3 if !$shipper->{http};
	$shipper->wait_ready;
	$seen = $shipper->metrics;
	is($seen->{records_acknowledged_total},
		100, 'ready, and each acknowledgement is counted');
	is($seen->{records_outstanding}, 0, 'nothing waits');
	cmp_ok($shipper->metric_sum('kafka_errors_total'),
		'>', 0, 'that no broker was there is counted');
}

# --- in the middle ---
$kafka->kill9;
my $rows = $kafka->is_mock ? 1000 : 10000;    # the mock keeps only 5 MB
$lsn = $node->safe_psql('postgres', <<"EOF");
INSERT INTO t SELECT g, 0, repeat('b', 1000) FROM generate_series(101, $rows) g;
SELECT pg_current_wal_lsn();
EOF
my $begin = time();
$node->stop('fast');
cmp_ok(time() - $begin, '<', 30,
	'the server stops without waiting for Kafka');
SKIP:
{
	skip 'built without HTTP', 3 if !$shipper->{http};
	$shipper->wait_not_ready(
		qr/^not ready: not streaming from the server; Kafka does not answer/);
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total},
		100, 'not ready for both, and no acknowledgement is made up');
	cmp_ok($now->{records_outstanding}, '>', 0, 'records wait');
	is( $now->{records_outstanding},
		$now->{records_received_total} -
		  $now->{records_repeated_total} - 100,
		'all that were received');
}
$node->start;
is(slot_field($node, $slot, "confirmed_flush_lsn < '$lsn'"),
	't', 'nothing is confirmed');
$kafka->start;
wait_for_slot($node, $slot);
SKIP:
{
	skip 'built without HTTP', 4 if !$shipper->{http};
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total}, $rows, 'ready: all acknowledged');
	is($now->{records_outstanding}, 0, 'nothing waits');
	is($now->{records_failed_total}, 0, 'nothing failed');
	is( $now->{streams_started_total},
		$seen->{streams_started_total} + 1,
		'one reconnect is counted');
}

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing is lost, order holds') or diag($output);
note($output);
is($shipper->stop, 0, 'the shipper lived through it all');

done_testing();
