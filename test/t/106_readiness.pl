# /ready tells the truth in each fault: false once it can be known, with the
# reason, and true again by itself.  /live stays what it is: Kafka or the
# server being away is no reason to kill the process.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

plan skip_all => 'built without libmicrohttpd'
  if !Wal2Kafka::Shipper->can_http;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my $rows = 0;

$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOS
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);

sub write_rows
{
	my ($count) = @_;
	my $first = $rows + 1;
	$rows += $count;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, 'row' FROM generate_series($first, $rows) g"
	);
	return;
}

sub is_ready_again
{
	my ($shipper, $what) = @_;
	ok($shipper->live, "$what: live all the time");
	$shipper->wait_ready;
	pass("$what: ready again by itself");
	return;
}

# --- at the start ---
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => 1,
	broker => { 'reconnect.backoff.max.ms' => 500 },
	options => { release_after => 30 });
$shipper->init;
$kafka->stop;
$shipper->start;
$shipper->wait_not_ready(qr/Kafka does not answer/);
pass('Kafka is away at the start');
$kafka->start;
is_ready_again($shipper, 'Kafka away at the start');

# --- Kafka killed, with nothing to send and with something ---
write_rows(1);
wait_for_slot($node, $slot);
$kafka->kill9;
$shipper->wait_not_ready(qr/Kafka does not answer/);
pass('Kafka is killed: noticed while idle');
write_rows(100);
$shipper->wait_metric('records_outstanding', sub { $_ == 100 });
$shipper->wait_not_ready(qr/Kafka acknowledges nothing/);
pass('records wait');
cmp_ok($shipper->metric('lag_seconds'), '>=', 4, 'the lag grows');
cmp_ok($shipper->metric_sum('kafka_errors_total'),
	'>', 0, 'errors were counted');
$kafka->start;
is_ready_again($shipper, 'Kafka killed');
wait_for_slot($node, $slot);
my $now = $shipper->metrics;
is($now->{records_outstanding}, 0, 'nothing waits any more');
cmp_ok($now->{lag_seconds}, '<', 4, 'and the lag is gone');

# --- Kafka frozen, and the server stopped at the same time ---
my $streams = $shipper->metric('streams_started_total');
SKIP:
{
	skip 'the mock broker cannot be frozen', 1 if $kafka->is_mock;
	$kafka->freeze;
	$shipper->wait_not_ready(qr/^not ready: Kafka does not answer$/);
	pass('Kafka is frozen: noticed while idle');
}
$node->stop('fast');
$shipper->wait_not_ready(
	$kafka->is_mock
	? qr/^not ready: not streaming from the server$/
	: qr/^not ready: not streaming from the server; Kafka does not answer$/);
pass('both are told');
$kafka->thaw if !$kafka->is_mock;
$node->start;
is_ready_again($shipper, 'Kafka frozen, server stopped');
is($shipper->metric('streams_started_total'),
	$streams + 1, 'one reconnect was counted');

# --- another has the slot ---
my $second = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => 1,
	options => { standby_check_interval => 1 });
$second->start;
$second->wait_not_ready(qr/another connection reads the slot/);
pass('the slot is in use: the second is not ready');
is($second->metric('standby'), 1, 'it is a standby');
ok($shipper->ready, 'the first one is');
is($shipper->stop, 0, 'the first one leaves');
is_ready_again($second, 'slot in use');
is($second->metric('standby'), 0, 'it is no standby now');
is($second->metric('takeovers_total'), 1, 'it took over once');


write_rows(100);
wait_for_slot($node, $slot);
is($second->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing is lost, order holds') or diag($output);

done_testing();
