# A server put back from an older copy under a living shipper: it would take
# the shipper's position, which lies in its future, and skip all that it writes
# up to there.  The shipper stops instead, and the slot is not touched.
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
my $node  = new_server('source');
my $slot  = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
$kafka->create_topic('public.t', 1);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http);
$shipper->init;
$shipper->start;
$node->safe_psql('postgres', q{INSERT INTO t VALUES (1, 'before the copy')});
wait_for_slot($node, $slot);

# nobody is attached who would leave a server that stops alone for a while
my $data = $node->data_dir;
is($shipper->stop, 0, 'the shipper is not there when the copy is made');
$node->stop('fast');
system('cp', '-a', $data, "$data.copy") == 0 or die 'no copy';
$node->start;
$shipper->start;
$node->safe_psql('postgres',
	q{INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(2, 5000) g});
wait_for_slot($node, $slot);

$node->stop('fast');
SKIP:
{
	skip 'built without HTTP', 3 if !$shipper->{http};
	$shipper->wait_not_ready(qr/^not ready: not streaming from the server$/);
	my $now = $shipper->metrics;
	is($now->{streams_started_total}, 1, 'not ready: the one stream ended');
	cmp_ok($shipper->metric_sum('connection_failures_total'),
		'>', 0, 'which is counted');
	is( $now->{records_acknowledged_total},
		$now->{records_received_total},
		'everything is delivered');
}
system('rm', '-rf', $data) == 0 && rename("$data.copy", $data) or die 'not put back';
my $from = $shipper->log_size;
$node->start;
my $confirmed = slot_field($node, $slot, 'confirmed_flush_lsn');

is($shipper->wait_exit, 3, 'the shipper leaves it to a person');
my $log = substr($shipper->log, $from);
like($log, qr/the server's log ends at .*, before /, 'and says what is wrong');
like($log, qr/restored from an older copy/, 'and what to do');
is(slot_field($node, $slot, 'confirmed_flush_lsn'),
	$confirmed, 'the slot stays where it was');

done_testing();
