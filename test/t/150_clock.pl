# Somebody sets the wall clock: an hour ahead, an hour back, ten years back, with
# Kafka there and away.  Nothing waits for that hour, nothing times out early.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Clock;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
plan skip_all => 'the mock cannot be away' if $kafka->is_mock;
my $node = new_server('source');
my $clock = Wal2Kafka::Clock->new;
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 3);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	broker => { 'reconnect.backoff.max.ms' => 500 },
	http => Wal2Kafka::Shipper->can_http,
	options => { release_after => 2 });
$shipper->init;
$clock->run(sub { $shipper->start; });

my $rows = 0;

sub rows_arrive
{
	my ($what) = @_;
	my ($first, $last) = ($rows + 1, $rows += 100);

	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, 'row' FROM generate_series($first, $last) g"
	);
	my $ok = eval {
		local $ENV{PG_TEST_TIMEOUT_DEFAULT} = 30;
		wait_for_slot($node, $slot);
		1;
	};
	ok($ok, "$what: rows arrive") or diag($@) or diag($shipper->log);
	return;
}

rows_arrive('the right time');
my $hour = 3_600_000;
for my $step ($hour, 0, -$hour, 0, -10 * 365 * 24 * $hour, 0)
{
	my $from = $shipper->log_size;
	$clock->set($step);
	rows_arrive("the clock is $step ms off");
	unlike(
		substr($shipper->log, $from),
		qr/ (?:error|warning) |letting go|trying again/,
		'and nothing timed out');
	ok($shipper->ready, 'nor is it less ready') if $shipper->{http};
}

# what waits for Kafka is set back while it waits
my $from = $shipper->log_size;
$clock->set($hour);
$kafka->kill9;
$node->safe_psql('postgres',
	'INSERT INTO t VALUES (' . ++$rows . q{, 0, 'kept')});
$shipper->wait_for_log(qr/letting go/, $from);
if ($shipper->{http})
{
	$shipper->wait_not_ready(qr/Kafka does not answer/);
	is($shipper->metric('records_outstanding'), 1, 'not ready: one waits');
}
$clock->set(0);
$kafka->start;
rows_arrive('set back by an hour while Kafka was away');
if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total}, $rows, 'ready: all acknowledged');
	is($now->{streams_started_total}, 2, 'and one reconnect in all');
}
is($shipper->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);

done_testing();
