# Values of 100 MB and more: sent where they may be, left out where they are too
# large, before memory is asked for; then the memory is given back, and who
# wants the walsender to end does not wait.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Time::HiRes qw(time);
use Test::More;

my $mb   = 1024 * 1024;
my $dir  = launch_dir() . '/out';
my $node = new_server('source', conf => "max_wal_size = 4GB\nwal_sender_timeout = 0\n");

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v text, b bytea, j jsonb, n int);
CREATE TABLE f (id int PRIMARY KEY, v text);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE d (id int PRIMARY KEY, n int, j jsonb);
ALTER TABLE d REPLICA IDENTITY FULL;
ALTER TABLE d ALTER j SET STORAGE EXTERNAL;
CREATE PUBLICATION p FOR TABLE t, f, d;
EOF

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	publication => 'p',
	options     => { sink => "file:$dir", on_error => 'stub' });
$shipper->init;

sub walsender { return slot_field($node, 'wal2kafka', 'active_pid'); }

# Of this process alone, in MB: shared buffers do not count.
sub memory
{
	my ($field, $pid) = @_;
	my ($kb) = slurp("/proc/$pid/status") =~ /^$field:\s*(\d+)/m;
	return $kb / 1024;
}

$shipper->start;
sql(q{INSERT INTO t (id, v) VALUES (1, 'small')});
wait_for_slot($node, 'wal2kafka');
my $sender = walsender();
my $base   = memory('RssAnon', $sender);

# --- too large: not even fetched ---
# 200 MB whose JSON has 1.2 GB, which no buffer of the server may have
sql(qq{INSERT INTO t (id, v, n) VALUES (2, repeat(E'\\x01', 200 * $mb), 2)});
sql(qq{INSERT INTO t (id, b, n) VALUES (3, convert_to(repeat('b', 300 * $mb), 'UTF8'), 3)});
wait_for_slot($node, 'wal2kafka');
my $peak = memory('VmHWM', $sender) - memory('VmRSS', $sender);
cmp_ok($peak, '<', 1100, 'a record asks for no more than its limit and its value');
note("walsender: $base MB, afterwards ", memory('RssAnon', $sender), " MB, $peak MB in between");
cmp_ok(memory('RssAnon', $sender), '<', $base + 30, 'nothing is kept of it');

# --- 100 MB arrive ---
sql(qq{INSERT INTO t (id, v, n) SELECT 4, repeat('0123456789abcde\n', 100 * $mb / 16), 4});
wait_for_slot($node, 'wal2kafka');
# what libpq's side of the server keeps is as large as the message, no more
cmp_ok(memory('RssAnon', $sender), '<', $base + 190, 'nothing of the buffers is kept');
note('walsender after 100 MB: ', memory('RssAnon', $sender), ' MB');
sql(qq{INSERT INTO t (id, b, n) VALUES (5, convert_to(repeat('c', 50 * $mb), 'UTF8'), 5)});
sql(qq{INSERT INTO t (id, j, n) VALUES (6, to_jsonb(repeat('d', 20 * $mb)), 6)});
# both rows, one, none
sql(qq{INSERT INTO f VALUES (1, repeat('e', 20 * $mb))});
sql(qq{UPDATE f SET v = repeat('f', 20 * $mb)});
sql(qq{UPDATE f SET v = repeat(E'\\x01', 100 * $mb)});
sql(qq{UPDATE f SET v = 'short'});
wait_for_slot($node, 'wal2kafka');
# the old row holds such a value itself, neither far away nor compressed
sql(qq{INSERT INTO d VALUES (1, 0, to_jsonb(repeat('g', 180 * $mb)))});
sql(q{UPDATE d SET n = 1});
wait_for_slot($node, 'wal2kafka');
is(walsender(), $sender, 'all by the same walsender');
is($shipper->stop, 0, 'stopped');

# A line's length, and its beginning and end: patterns over 100 MB take minutes.
sub lines
{
	my ($file) = @_;
	my @lines;
	open my $fh, '<:raw', $file or die "$file: $!";
	while (my $line = <$fh>)
	{
		chomp $line;
		push @lines, { bytes => length $line,
			head => substr($line, 0, 300), tail => substr($line, -200) };
	}
	return @lines;
}

my @t = lines("$dir/public.t.jsonl");
is(scalar(@t), 6, 'all rows have arrived');
like($t[1]{head}, qr/"col_names":\["id","b","j","n"\].*"Insert":\["2",null,null,"2"\]/,
	'200 MB of control characters are left out');
is(($t[1]{tail} =~ /"omitted":\{"v":(\d+)\}/)[0], 200 * $mb, 'with their size');
is(($t[2]{tail} =~ /"omitted":\{"b":(\d+)\}/)[0], 600 * $mb + 2, '300 MB of bytea too');
like($t[3]{head}, qr/"Insert":\["4","(0123456789abcde\\n)+/, '100 MB of text have arrived');
within($t[3]{bytes}, 100 * $mb / 16 * 17, 'whole');
within($t[4]{bytes}, 100 * $mb, '50 MB of bytea');
within($t[5]{bytes}, 20 * $mb, '20 MB of jsonb');

my @f = lines("$dir/public.f.jsonl");
within($f[0]{bytes}, 20 * $mb, 'an insert');
within($f[1]{bytes}, 40 * $mb, 'both rows of an update, while they fit');
like($f[2]{head}, qr/"Update":\[\["1"\],\["1"\]\].*"omitted":\{"v":104857600\}/,
	'then the value is left out');
like($f[3]{head}, qr/"Update":\[\["1",null\],\["1","short"\]\]/, 'OLD is cut');

my @d = lines("$dir/public.d.jsonl");
within($d[0]{bytes}, 180 * $mb, '180 MB of jsonb');
is(scalar(@d), 2, 'a row whose old version holds them is updated');

# But for what is around the value.
sub within
{
	my ($bytes, $value, $what) = @_;
	return ok($bytes > $value && $bytes < $value + 300, "$what: $bytes bytes");
}

# --- ended in the middle ---
sql(q{SELECT pg_create_logical_replication_slot('ended', 'wal2kafka')});
sql(qq{INSERT INTO t (id, v) SELECT 100 + g, repeat('x"', 50 * $mb) FROM generate_series(1, 6) g});
my $out = launch_dir() . '/received';
my $pid = spawn(launch_dir() . '/receiver.log', 'pg_recvlogical', '-d',
	$node->connstr('postgres'), '-S', 'ended', '--start', '--no-loop', '-f', '/dev/null');
wait_until('the walsender decodes', sub { slot_field($node, 'ended', 'active') eq 't' });
$sender = slot_field($node, 'ended', 'active_pid');
wait_until('a value is in memory',
	sub { !-d "/proc/$sender" || memory('RssAnon', $sender) > 100 });
my $start = time();
sql("SELECT pg_terminate_backend($sender)");
wait_until('the walsender has ended', sub { !-d "/proc/$sender" });
my $seconds = time() - $start;
note(sprintf 'it took %.2f s', $seconds);
cmp_ok($seconds, '<', 10, 'a walsender ends in the middle of large values');
isnt(reap($pid), 0, 'before it was through');

done_testing();
