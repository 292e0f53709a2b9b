# A broker that slows its client down, and one whose disk is full: it ends, as
# Kafka's do.  The shipper waits, confirms nothing that Kafka has not got, and
# goes on when there is room.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

plan skip_all => 'the mock has no disk' if Wal2Kafka::Kafka::why_mock();

# The disk is a tmpfs in a namespace that this process keeps: an ordinary user
# may mount nothing elsewhere, and it must outlive the broker.
my $dir = launch_dir() . '/disk';
mkdir $dir or die "$dir: $!";
my $holder = spawn(
	launch_dir() . '/holder.log',
	qw(unshare -Urm sh -c),
	"mount -t tmpfs -o size=6m none '$dir' && touch '$dir/.mounted' && exec sleep 600"
);
my @inside = ('nsenter', '-t', $holder, '-U', '-m', '--preserve-credentials');
my $mounted = eval {
	wait_until('the disk is mounted',
		sub { system("@inside test -e '$dir/.mounted' 2>/dev/null") == 0 },
		10);
};
plan skip_all => 'no user namespaces here: '
  . slurp(launch_dir() . '/holder.log')
  if !$mounted;

my $kafka = Wal2Kafka::Kafka->new(
	start    => 0,
	wrapper  => \@inside,
	settings => {
		'log.dirs'                 => $dir,
		'metadata.log.dir'         => launch_dir() . '/metadata',
		'log.index.size.max.bytes' => 65536
	});
$kafka->start;
my $node = new_server('source');
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
END
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http        => Wal2Kafka::Shipper->can_http);
$shipper->init;
$shipper->start;

my $next = 1;

# As many kB, each a row that does not compress; returns the end of the log.
sub write_kilobytes
{
	my ($count) = @_;
	my $first = $next;
	$next += $count;
	return $node->safe_psql('postgres', <<"END");
INSERT INTO t SELECT g, 0, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 32) i)
	FROM generate_series($first, $next - 1) g;
SELECT pg_current_wal_lsn();
END
}

# --- slowed down ---
write_kilobytes(10);
wait_for_slot($node, 'wal2kafka');
$kafka->admin->throttle('wal2kafka', 20000);
my $lsn = write_kilobytes(500);
$kafka->wait_for_count(20, 'public.t');
is(slot_field($node, 'wal2kafka', "confirmed_flush_lsn < '$lsn'"),
	't', 'slowed down: it waits');
$kafka->admin->throttle('wal2kafka', undef);
wait_for_slot($node, 'wal2kafka');
is($shipper->metric_sum('producer_restarts_total'),
	0, 'and has not begun anew')
  if $shipper->{http};
unlike($shipper->log, qr/ error /, 'nothing failed');

# --- full ---
$lsn = write_kilobytes(8000);
wait_until('the broker ends for want of room',
	sub { slurp('/proc/' . $kafka->pid . '/stat') =~ /\) Z/ });
$shipper->wait_not_ready(qr/Kafka/) if $shipper->{http};
is(slot_field($node, 'wal2kafka', "confirmed_flush_lsn < '$lsn'"),
	't', 'a full disk: what did not fit is not confirmed');
ok(!$shipper->has_ended, 'the shipper waits');
$kafka->kill9;
system("@inside mount -o remount,size=100m none '$dir'") == 0
  or die 'could not enlarge the disk';
$kafka->start;
wait_for_slot($node, 'wal2kafka');
pass('with more room it goes on');
is($shipper->stop, 0, 'it lived through all of it');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);
$kafka->kill9;
kill 'KILL', $holder;
reap($holder);

done_testing();
