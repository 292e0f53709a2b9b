# Too little of everything: descriptors, memory, room on the disk of the folder
# that is the sink, room for the log.  The shipper says what it lacks and ends, or
# goes on, and nothing is lost.
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
my $node = new_server('source');
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);

my $shipper =
  Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, publication => 'p');
my $folder = launch_dir() . '/sink';
my $files = Wal2Kafka::Shipper->new(
	node => $node,
	slot => 'files',
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	options => { sink => "file:$folder" });
$_->init for $shipper, $files;

my $rows = 0;

sub write_rows
{
	my ($count) = @_;
	my ($first, $last) = ($rows + 1, $rows += $count);

	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, 'row' FROM generate_series($first, $last) g"
	);
	return;
}

# Runs it under a limit of the shell's, to its end.
sub limited
{
	my ($limit) = @_;
	my $log = launch_dir() . '/limited.log';
	my $pid = spawn($log, 'bash', '-c',
		"$limit; exec '$shipper->{program}' run -c '$shipper->{file}'");
	my $status = reap($pid);
	my $said = slurp($log);

	unlink $log;
	return ($status, $said);
}

# --- at the start ---
write_rows(100);
for my $limit (8, 16)
{
	my ($status, $said) = limited("ulimit -n $limit; exec 2>&1");
	is($status, 1, "$limit descriptors: status 1");
	like(
		$said,
		qr/too few file descriptors: this process may open $limit, and needs 64.*ulimit -n/s,
		"$limit descriptors: and says what it needs");
}
for my $mb (32, 48)
{
	my ($status, $said) = limited('ulimit -v ' . $mb * 1024);
	ok($status == 1 || $status == 2,
		"$mb MB of memory: ends with status $status");
	like(
		$said,
		qr/memory|allocate|mmap|thread|resource/i,
		"$mb MB of memory: and says what is missing");
}
$shipper->start;
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'with enough of both it goes on');

# --- nobody takes its log ---
write_rows(100);
my $pid = spawn('/dev/full', $shipper->{program}, 'run', '-c',
	$shipper->{file});
wait_for_slot($node, 'wal2kafka');
pass('its log goes to a full disk: rows arrive all the same');
kill 'TERM', $pid;
is(reap($pid), 0, 'and it stops in order');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, order kept') or diag($output);

# --- no room for the records ---
my $full = launch_dir() . '/full';
{
	local $ENV{LD_PRELOAD} = top_dir() . '/build/full_disk.so';
	local $ENV{FULL_DISK} = $full;
	$files->start;
}
wait_for_slot($node, 'files');
spit($full, '');
write_rows(100);
$files->wait_for_log(qr/No space left/);
is(slot_field($node, 'files', "confirmed_flush_lsn < pg_current_wal_lsn()"),
	't', 'a full disk: told, and nothing confirmed');
if ($files->{http})
{
	$files->wait_not_ready(qr/^not ready: .*what failed is being sent again/);
	my $now = $files->metrics;
	is($now->{records_acknowledged_total},
		$rows - 100, 'a full disk: not ready, nothing more is acknowledged');
	cmp_ok($now->{'producer_restarts_total{reason="file"}'},
		'>', 0, 'a full disk: each attempt is counted');
}
unlink $full;
wait_for_slot($node, 'files');
if ($files->{http})
{
	$files->wait_ready;
	my $now = $files->metrics;
	is($now->{records_acknowledged_total},
		$rows, 'with room again: ready, all acknowledged');
	is( $now->{records_produced_total},
		$rows + $now->{records_failed_total},
		'and what had to be written again is counted as failed');
}
is($files->stop, 0, 'with room again it goes on by itself');
my @lines = split /\n/, slurp("$folder/public.t.jsonl");
my %ids = map { $_->{op}{Insert}[0] => 1 }
  map { JSON::PP->new->utf8->decode($_) } @lines;
is(scalar(keys %ids), $rows,
	'every row is in the file, and each line is whole');

done_testing();
