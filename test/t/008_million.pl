# A backlog of a million rows and a hundred thousand one-row transactions,
# through a kill -9 of the shipper and a crash of the server in the middle.
#
# MILLION=1 gives it its full size; without, it is a tenth of that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'the mock broker keeps too few records'
  if Wal2Kafka::Kafka::why_mock();

my $scale = $ENV{MILLION} ? 1 : 10;
my $bulk = 1_000_000 / $scale;
my $single = 100_000 / $scale;
my $topic = 'public.t';
my $slot = 'wal2kafka';
my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source', conf => 'synchronous_commit = off');

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	v text, customer int, total numeric(10,2), at timestamptz);
CREATE PUBLICATION p FOR TABLE t;
EOF
$kafka->create_topic($topic, 6);
my $shipper =
  Wal2Kafka::Shipper->new(node => $node, kafka => $proxy, publication => 'p');
$shipper->init;

my $row = "pg_current_xact_id(), 4711, 12.34, now()";
my $script = spit(launch_dir() . '/one.sql',
	"INSERT INTO t (v, customer, total, at) VALUES ($row);\n");
$node->safe_psql('postgres',
	"INSERT INTO t (v, customer, total, at) SELECT $row FROM generate_series(1, $bulk / 10)"
) for 1 .. 10;
$node->command_ok(
	[
		'pgbench', '-n', '-c', 4,
		'-t', $single / 4, '-f', $script,
		'-M', 'prepared', 'postgres'
	],
	'one-row transactions are written');

# committed is committed, also for a server that crashes
$node->safe_psql('postgres', 'CHECKPOINT');
my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

# Kafka falls silent when another tenth is there, then the crash comes; slowly
# enough that the rest is still to come when the tenth is noticed.
sub in_the_middle
{
	my ($crash) = @_;
	my $wanted = $kafka->count($topic) + $bulk / 10;

	$shipper->start if !$shipper->pid;
	$kafka->wait_for_count($wanted, $topic);
	$kafka->freeze;
	$crash->();
	is(slot_field($node, $slot, "confirmed_flush_lsn < '$end'"),
		't', 'in the middle of the backlog');
	$kafka->thaw;
	return;
}

my $begin = time();
$proxy->throttle(up => 20_000_000 / $scale);
in_the_middle(sub { is($shipper->kill9, 137, 'the shipper is killed'); });
in_the_middle(sub { $node->stop('immediate'); $node->start; });
$proxy->pass;
wait_for_slot($node, $slot);
diag(
	sprintf '%d rows in %.1f s, crashes included',
	$bulk + $single,
	time() - $begin);
my ($peak) =
  slurp('/proc/' . $shipper->pid . '/status') =~ /^VmHWM:\s+(\d+) kB/m;
cmp_ok($peak, '<', 64 * 1024,
	"the shipper's memory stayed under 64 MB: $peak kB");
is($shipper->stop, 0, 'stopped');

my $ledger =
  write_ledger($node, 'postgres', q{SELECT 't', 'W', id, v FROM t});
$begin = time();
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--version', 'id', '--ledger', $ledger, $topic);
is($status, 0, 'every row is there, in order') or diag($output);
diag($output);
diag(sprintf 'checked in %.1f s', time() - $begin);
my $rows = $bulk + $single;
like($output, qr/ records $rows, .* ledger $rows,/m, 'all of them');

done_testing();
