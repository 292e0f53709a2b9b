# The link to Kafka breaks under load in every way that the proxy knows:
# nothing is lost, order is kept, and the shipper goes on by itself.  A link on
# which not even TCP answers is in 117.
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
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 3);
my $http = Wal2Kafka::Shipper->can_http;
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	http => $http,
	kafka => $proxy,
	publication => 'p',
	broker => {
		'socket.timeout.ms' => 2000,
		'batch.size' => 20000,
		'reconnect.backoff.max.ms' => 500
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
	$node->safe_psql('postgres', <<"EOF");
INSERT INTO t SELECT g, 0, repeat('x', 300) FROM generate_series($first, $rows) g;
UPDATE t SET pad = 'y' WHERE id % 7 = 0 AND id > $first - 700;
EOF
	return;
}

my @faults = (
	[ 'reset', sub { $proxy->reset } ],
	[ 'closed', sub { $proxy->close } ],
	[ 'requests cut after some bytes', sub { $proxy->cut(up => 50_000) } ],
	[ 'answers cut after some bytes', sub { $proxy->cut(down => 50) } ],
	[ 'slow and unsteady', sub { $proxy->delay(both => 20, 15) } ],
	[ 'a thin line', sub { $proxy->throttle(up => 300_000) } ],
	[ 'the broker gone without a word', sub { $proxy->vanish('server') } ],
	[
		'an answer lost, then the link',
		sub { $proxy->answer(Produce => 'reset', count => 2, skip => 1) }
	],
	[
		'an answer never given',
		sub { $proxy->answer(Produce => 'drop', skip => 1) }
	],
	[
		'an answer given late',
		sub { $proxy->answer(Produce => 'delay', argument => 1000) }
	],
	[
		'a request lost with the link',
		sub { $proxy->answer(Produce => 'reset-request', skip => 1) }
	],
	[
		'the leader is another',
		sub { $proxy->answer(Produce => 'error', count => 3, argument => 6) }
	]);

write_rows(500);
wait_for_slot($node, $slot);
for my $fault (@faults)
{
	my ($name, $strike) = @$fault;
	my $fired = $proxy->fired;

	write_rows(200);
	$strike->();
	write_rows(500);
	$proxy->wait_fired($fired) if $name =~ /answer|request|leader/;
	wait_for_slot($node, $slot);
	pass("$name: lived through");
	$proxy->pass;
}

# the broker frozen: its answers come when it thaws
$proxy->hold('down');
write_rows(500);
my $open = $proxy->accepted;
wait_until('the shipper has given up the connection',
	sub { $proxy->accepted > $open });
$proxy->pass;
wait_for_slot($node, $slot);
pass('the broker frozen for longer than socket.timeout.ms: lived through');

# nobody listens
my $from = $shipper->log_size;
$proxy->refuse;
$proxy->reset;
write_rows(500);
$shipper->wait_for_log(qr/Connection refused/, $from);
$shipper->wait_not_ready(qr/Kafka does not answer/) if $http;
$proxy->listen;
wait_for_slot($node, $slot);
pass('connections refused: lived through');
SKIP:
{
	skip 'built without HTTP', 2 if !$http;
	$shipper->wait_ready;
	pass('not ready meanwhile, and ready again');
	cmp_ok($shipper->metric('kafka_errors_total{kind="_TRANSPORT"}'),
		'>', 0, 'lost connections are counted by kind');
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
