# A link on which not even TCP answers, to the server and to Kafka: the shipper
# notices by itself, is not ready, and goes on when the link does.
#
# DEAD_LINK=defaults waits as long as people would; here the limits are small.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::OwnNetwork;
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;
use Time::HiRes qw(time);

my $why = Wal2Kafka::OwnNetwork::why() || Wal2Kafka::Kafka::why_mock();
plan skip_all => $why if $why;

my $patient = ($ENV{DEAD_LINK} || '') eq 'defaults';
my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $to_kafka = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $to_server = Wal2Kafka::FaultProxy->postgres($node);
my $slot = 'wal2kafka';
my $http = Wal2Kafka::Shipper->can_http;

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 3);
my $shipper = Wal2Kafka::Shipper->new(
	kafka => $to_kafka,
	http => $http,
	conninfo => $to_server->conninfo(
		'postgres', $patient ? '' : 'tcp_user_timeout=1500 connect_timeout=2'
	),
	postgres => { publication => 'p' },
	broker => $patient
	? {}
	: { 'socket.timeout.ms' => 1500, 'reconnect.backoff.max.ms' => 500 },
	options => { release_after => 3 });
$shipper->init;
$shipper->start;

my $rows = 0;

sub write_rows
{
	my $first = $rows + 1;
	$rows += 300;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, repeat('x', 300) FROM generate_series($first, $rows) g"
	);
	return;
}

sub goes_on
{
	my ($what) = @_;
	wait_for_slot($node, $slot);
	pass("$what: it goes on");
	if ($http)
	{
		$shipper->wait_ready;
		pass("$what: and is ready");
	}
	return;
}

write_rows();
wait_for_slot($node, $slot);
$shipper->wait_ready if $http;

# --- the server ---
my $from = $shipper->log_size;
my $begin = time();
$to_server->dead;
write_rows();
$shipper->wait_for_log(qr/trying again in/, $from);
note(sprintf 'noticed after %.1f s', time() - $begin);
like(
	substr($shipper->log, $from),
	qr/timed out|timeout/i,
	'a dead link to the server is noticed');
$shipper->wait_not_ready(qr/not streaming/) if $http;
$shipper->wait_for_log(
	qr/could not connect to PostgreSQL: .*(?:timeout|timed out)/, $from);
pass('and so is the next, before it is made');
$to_server->pass;
goes_on('the server');

# --- Kafka ---
$from = $shipper->log_size;
$begin = time();
$to_kafka->dead;
write_rows();
$shipper->wait_for_log(qr/request\(s\) timed out: disconnect/, $from);
note(sprintf 'noticed after %.1f s', time() - $begin);
pass('a dead link to Kafka is noticed');
$shipper->wait_not_ready(qr/Kafka/) if $http;
$shipper->wait_for_log(qr/letting go of the replication connection/, $from);
pass('and the server is not made to wait for it');
$to_kafka->pass;
goes_on('Kafka');

is($shipper->stop, 0, 'stopped');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, order kept') or diag($output);
note($output);

done_testing();
