# What the shipper tells the server gets lost, or has to go on while nothing
# else does: the server gives up a reader that it does not hear, and keeps the
# slot of one that is gone without a word.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Witness;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "the mock broker cannot stand behind a proxy: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $to_kafka = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source', conf => 'wal_sender_timeout = 1500');
my $to_server = Wal2Kafka::FaultProxy->postgres($node);
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 3);
my $shipper = Wal2Kafka::Shipper->new(
	kafka => $to_kafka,
	conninfo => $to_server->conninfo('postgres', 'connect_timeout=2'),
	postgres => { publication => 'p' },
	http => Wal2Kafka::Shipper->can_http,
	options => {
		standby_check_interval => 1,
		max_in_flight => '1MB',
		release_after => 60
	});
$shipper->init;
my $witness = Wal2Kafka::Witness->new($node, $kafka, $slot, 'public.t');
$shipper->start;

my $rows = 0;

sub write_rows
{
	my ($count) = @_;
	my $first = $rows + 1;
	$rows += $count;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, repeat('x', 300) FROM generate_series($first, $rows) g"
	);
	return;
}

sub sender
{
	return $node->safe_psql('postgres',
		'SELECT active_pid FROM pg_replication_slots');
}

write_rows(100);
wait_for_slot($node, $slot);

# --- Kafka stands still for longer than the server is patient ---
my $walsender = sender();
my $from = $shipper->log_size;
$to_kafka->hold('both');
write_rows(10_000);
my $start = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_until(
	'the server has heard of it for three times its patience',
	sub {
		$node->safe_psql('postgres',
			"SELECT reply_time > '$start'::timestamptz + interval '4500 ms' FROM pg_stat_replication"
		) eq 't';
	});
is(sender(), $walsender,
	'with a full ledger feedback goes on: the server stays patient');
unlike(substr($shipper->log, $from),
	qr/trying again/, 'and nothing was lost');
SKIP:
{
	skip 'built without HTTP', 4 if !$shipper->{http};
	$shipper->wait_not_ready(qr/Kafka acknowledges nothing/);
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total},
		100, 'not ready: nothing more is acknowledged');
	is( $now->{records_outstanding},
		$now->{records_received_total} - 100,
		'what else was received waits');
	cmp_ok($now->{lag_seconds}, '>=', 4, 'since long');
	is($now->{streams_started_total}, 1, 'over the first connection');
}
$to_kafka->pass;
wait_for_slot($node, $slot);
pass('when Kafka goes on, so does all');

# --- feedback does not arrive ---
$from = $shipper->log_size;
write_rows(100);
$to_server->hold('up');
write_rows(100);
$node->wait_for_log(
	qr/terminating walsender process due to replication timeout/);
$shipper->wait_for_log(qr/trying again in/, $from);
pass('the server gives up a reader that it does not hear');
if ($shipper->{http})
{
	is($shipper->metric_sum('connection_failures_total'),
		1, 'which is counted');
	$shipper->wait_not_ready(qr/not streaming from the server/);
}
$to_server->pass;
wait_for_slot($node, $slot);
pass('the shipper comes back');
is($shipper->metric('streams_started_total'), 2, 'which is counted')
  if $shipper->{http};

# --- the shipper's end is gone, and the server does not know ---
$node->safe_psql('postgres',
	q{ALTER SYSTEM SET wal_sender_timeout = '4s'; SELECT pg_reload_conf()});
write_rows(100);
wait_for_slot($node, $slot);
$from = $shipper->log_size;
$to_server->vanish('client');
write_rows(100);
$shipper->wait_for_log(qr/the server still serves the connection/, $from);
pass('the slot is still in use, by what is no more');
if ($shipper->{http})
{
	$shipper->wait_not_ready(qr/another connection reads the slot/);
	is($shipper->metric('standby'), 0, 'which is no other program');
}
wait_for_slot($node, $slot);
pass('until the server gives that up too');
if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total}, $rows, 'ready: all acknowledged');
	is($now->{takeovers_total}, 0, 'nothing was taken over');
}

$witness->wait_for_sample;
is($shipper->stop, 0, 'stopped');
my ($status, $output) =
  run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'),
	$witness->options, 'public.t');
is($status, 0, 'nothing lost, order kept, nothing confirmed early')
  or diag($output);
note($output);

done_testing();
