# Kafka takes nothing for longer than the server waits for a sign of life: the
# shipper reads no more, and goes on telling the server that it is there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source', conf => "wal_sender_timeout = 2s\n");
my $slot = 'wal2kafka';
my $topic = 'public.t';
$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOS
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 6);

# All wait to become batches, and as many as may be on their way fill none.
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	broker => { 'linger.ms' => 900000 },
	options => { release_after => 600, log_level => 'debug' });
$shipper->init;
$shipper->start;
$node->safe_psql('postgres',
	"INSERT INTO t SELECT generate_series($_, $_ + 999)")
  for map { $_ * 1000 + 1 } 0 .. 19;
$shipper->wait_for_log(qr/frame: \d+ bytes, [1-9]/);

my $walsender = slot_field($node, $slot, 'active_pid');
my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
ok( eval {
		wait_until(
			'the shipper has spoken for 5 s',
			sub {
				$node->safe_psql('postgres',
					"SELECT reply_time > '$now'::timestamptz + '5 s'
						FROM pg_stat_replication") eq 't';
			});
	},
	'the shipper speaks while it reads nothing');
is(slot_field($node, $slot, 'active_pid'),
	$walsender, 'the connection outlives wal_sender_timeout');
is($kafka->count($topic), 0, 'Kafka has taken nothing');
SKIP:
{
	skip 'built without HTTP', 5 if !$shipper->{http};
	$shipper->wait_not_ready(qr/^not ready: Kafka acknowledges nothing/);
	my $then = $shipper->metrics;
	is($then->{records_outstanding}, $then->{records_received_total},
		'not ready, and everything waits');
	is($then->{records_acknowledged_total}, 0, 'nothing is acknowledged');
	cmp_ok($then->{lag_seconds}, '>=', 5, 'since long');
	cmp_ok($then->{last_acknowledged_timestamp_seconds},
		'==', 0, 'nothing ever was');
	is($then->{streams_started_total}, 1, 'over one connection');
}

is($shipper->kill9, 137, 'the shipper is killed');
$shipper->{broker} = {};
$shipper->configure($shipper->config_text);
$shipper->start;
wait_for_slot($node, $slot);
if ($shipper->{http})
{
	$shipper->wait_ready;
	is($shipper->metric('records_acknowledged_total'), 20000, 'ready, and all are acknowledged');
}
is($shipper->stop, 0, 'the next one sends it all');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--murmur2', '--ledger', write_ledger($node, 'postgres'), $topic);
is($status, 0, 'nothing is lost');
diag($output);

done_testing();
