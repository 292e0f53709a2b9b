# The link to PostgreSQL breaks under load in every way that the proxy knows:
# nothing is lost, order is kept, and the shipper goes on by itself.  Links on
# which not even TCP answers are in 117.
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

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $proxy = Wal2Kafka::FaultProxy->postgres($node);
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 3);
my $http = Wal2Kafka::Shipper->can_http;
my $shipper = Wal2Kafka::Shipper->new(
	kafka => $kafka,
	http => $http,
	conninfo => $proxy->conninfo('postgres'),
	postgres => { publication => 'p' });
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

# What breaks the link, and whether it is lost by that.
my @faults = (
	[ 'reset', 1, sub { $proxy->reset } ],
	[ 'closed', 1, sub { $proxy->close } ],
	[ 'cut after some bytes', 1, sub { $proxy->cut(down => 20_000) } ],
	[ 'slow and unsteady', 0, sub { $proxy->delay(both => 20, 15) } ],
	[ 'a thin line', 0, sub { $proxy->throttle(down => 500_000) } ],
	[
		'the server frozen for a while',
		0, sub { $proxy->hold('both'); write_rows(50); $proxy->pass; }
	],
	[ 'the server gone without a word', 1, sub { $proxy->vanish('server') } ]
);

write_rows(500);
wait_for_slot($node, $slot);
for my $fault (@faults)
{
	my ($name, $is_lost, $strike) = @$fault;
	my $from = $shipper->log_size;

	write_rows(200);
	$strike->();
	write_rows(500);
	$shipper->wait_for_log(qr/trying again in/, $from) if $is_lost;
	wait_for_slot($node, $slot);
	pass("$name: lived through");
	unlike(
		substr($shipper->log, $from),
		qr/trying again in/,
		"$name: no reason to connect anew") if !$is_lost;
	$proxy->pass;
}

# nobody listens, for some attempts
my $from = $shipper->log_size;
$proxy->refuse;
$proxy->reset;
write_rows(500);
$shipper->wait_for_log(qr/(?:refused.*?trying again in.*?){2}/s, $from);
SKIP:
{
	skip 'built without HTTP', 2 if !$http;
	my ($ready, $text) = $shipper->ready;
	ok(!$ready && $text =~ /not streaming from the server/,
		'connections refused: not ready');
	my $lost = grep { $_->[1] } @faults;
	cmp_ok($shipper->metric('connection_failures_total{reason="retry"}'),
		'>=', $lost + 3, 'every loss and refusal is counted');
}
$proxy->listen;
wait_for_slot($node, $slot);
pass('connections refused: lived through');
ok(scalar $shipper->ready, 'and ready again') if $http;

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
