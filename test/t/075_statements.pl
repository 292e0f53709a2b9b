# What the regression files on types, statements and definitions do, through a
# walsender: live, and afterwards, the same as through SQL.  Prepared
# transactions are sent once, where they are committed, and large ones whole
# and in order, in the order of their commits.
use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Generator::Records qw(read_frame);
use Test::More;

my $server = new_server('statements', conf => <<'CONF');
autovacuum = off
logical_decoding_work_mem = 64kB
max_prepared_transactions = 10
CONF

sub sql { return $server->safe_psql('postgres', $_[0]); }

sub receive
{
	my ($slot, @more) = @_;
	return spawn(launch_dir() . '/receiver.log', 'pg_recvlogical', '-d',
		$server->connstr('postgres'), '-S', $slot, '--start', '-f', launch_dir() . "/$slot",
		'--no-loop', @more);
}

# The records of all frames that pg_recvlogical wrote, each with a newline.
sub read_frames
{
	my ($bytes) = @_;
	my ($at, $known, @records) = (0, {});

	while ($at < length $bytes)
	{
		my $length = 32 + unpack 'V', substr($bytes, $at + 12, 4);
		push @records, @{ read_frame(substr($bytes, $at, $length), $known)->{records} };
		$at += $length + 1;
	}
	return @records;
}

# --- live, late and by SQL ---
sql("SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')")
  for qw(live late framed sql);
my $live = receive('live');
wait_until('the slot is active', sub { slot_field($server, 'live', 'active') eq 't' });

for my $file (qw(setup types statements ddl))
{
	my $path = top_dir() . "/sql/$file.sql";
	my $out;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $server->connstr('postgres'), '-f', $path ],
		'>', \$out, '2>', \$out);
	ok($? == 0, "ran $file");
}

# --- prepared: sent at COMMIT PREPARED, once, with its LSN ---
sql('SELECT pg_drop_replication_slot(\'regress\');
	CREATE TABLE prep (id int PRIMARY KEY, v text)');
sql(q(SELECT pg_create_logical_replication_slot('two_phase', 'wal2kafka', false, true)));
sql(<<'SQL');
BEGIN;
INSERT INTO prep VALUES (1, 'prepared first');
SAVEPOINT s;
UPDATE prep SET v = 'in a subtransaction';
ROLLBACK TO s;
UPDATE prep SET v = 'in another';
PREPARE TRANSACTION 'first';
BEGIN;
INSERT INTO prep SELECT g, repeat('p', 500) FROM generate_series(1001, 2000) g;
PREPARE TRANSACTION 'never';
BEGIN;
CREATE TABLE prep_new (a int);
ALTER TABLE prep_new ADD b int DEFAULT 2;
INSERT INTO prep_new VALUES (1);
PREPARE TRANSACTION 'definition';
INSERT INTO prep VALUES (2, 'committed first');
SQL
# what is prepared outlives the server, and the slot
kill 'INT', $live;
reap($live);
$server->stop('immediate');
$server->start;
$live = receive('live', '-o', 'include_xid=off');
sql(<<'SQL');
SELECT pg_logical_emit_message(true, '', '');
COMMIT PREPARED 'definition';
INSERT INTO prep VALUES (3, 'between');
ROLLBACK PREPARED 'never';
COMMIT PREPARED 'first';
INSERT INTO prep VALUES (4, 'last');
SQL
my $prepared = sql(<<'SQL');
SELECT string_agg((data::json ->> 'seq_id') || ' ' || (data::json ->> 'table_name') || ' ' ||
	(data::json -> 'op')::text, E'\n' ORDER BY n), count(DISTINCT data::json ->> 'lsn'),
	bool_and((data::json ->> 'lsn')::numeric > before)
FROM (SELECT *, lag((data::json ->> 'lsn')::numeric, 1, 0) OVER (ORDER BY n) - (data::json ->> 'seq_id' <> '0')::int AS before
	FROM pg_logical_slot_peek_changes('two_phase', NULL, NULL) WITH ORDINALITY AS c (lsn, xid, data, n)) s
SQL
is($prepared, <<'END' =~ s/\n$/|5|t/r, 'prepared transactions');
0 prep {"Insert":["2","committed first"]}
0 prep_new {"Insert":["1","2"]}
0 prep {"Insert":["3","between"]}
0 prep {"Insert":["1","prepared first"]}
1 prep {"Update":[["1",null],["1","in another"]]}
0 prep {"Insert":["4","last"]}
END

# --- transactions side by side: whole, in the order of their commits ---
sql('CREATE TABLE big (id int, who int, PRIMARY KEY (who, id))');
my @sessions = map { spawn(launch_dir() . '/session.log', 'psql', '-Xq', '-d',
		$server->connstr('postgres'), '-c', "BEGIN; INSERT INTO big SELECT g, $_ FROM generate_series(1, 10000) g",
		'-c', "SELECT count(*) FROM generate_series(1, 1000) g, LATERAL (SELECT set_config('a.b', g::text, true)) s; COMMIT") } 1 .. 3;
reap($_) for @sessions;

# --- compared ---
my $end = sql('SELECT pg_current_wal_lsn()');
is(reap(receive('late', '--endpos', $end)), 0, 'read afterwards');
is(reap(receive('framed', '--endpos', $end, '-o', 'proto_version=1', '-o', 'flush=commit')),
	0, 'read afterwards, framed');
my $text  = slurp(launch_dir() . '/late');
my $by_sql = sql("SELECT md5(string_agg(data || E'\\n', '' ORDER BY n)) FROM pg_logical_slot_get_changes(
	'sql', '$end', NULL) WITH ORDINALITY AS c (lsn, xid, data, n)");
my @framed = read_frames(slurp(launch_dir() . '/framed'));

wait_until('the live walsender has read it all',
	sub { -s launch_dir() . '/live' >= length $text });
kill 'INT', $live;
reap($live);

my $lines = () = $text =~ /\n/g;
note("$lines records, " . length($text) . ' bytes');
cmp_ok($lines, '>', 40000, 'records');
is($by_sql, md5_hex($text), 'SQL as a walsender');
ok(join('', map { "$_->{value}\n" } @framed) eq $text, 'frames as text');
# what was sent before the crash may come again, once
my $again = slurp(launch_dir() . '/live');
my $tail  = substr $again, -length $text;
ok($tail eq $text || covers($again, $text), 'a live walsender, through a crash');

# Whether the first occurrences of the lines are the expected ones.
sub covers
{
	my ($got, $expected) = @_;
	my %seen;
	return join("\n", grep { !$seen{$_}++ } split /\n/, $got) eq join("\n", split /\n/, $expected);
}

# the positions of all records: growing, without a gap
my ($lsn, $seq, $bad) = (0, 0, 0);
for my $record (@framed)
{
	my $json = JSON::PP::decode_json($record->{value});
	$bad++ if $json->{lsn} != $record->{lsn} || $json->{seq_id} != $record->{seq};
	$bad++ if $json->{lsn} == $lsn ? $json->{seq_id} != $seq + 1 : $json->{lsn} < $lsn || $json->{seq_id} != 0;
	($lsn, $seq) = @{$json}{qw(lsn seq_id)};
}
is($bad, 0, 'positions');
my @big = map { JSON::PP::decode_json($_->{value})->{op}{Insert} } grep { $_->{table}{name} eq 'big' } @framed;
my $in_order = grep { $big[$_][0] == $_ % 10000 + 1 && $big[$_][1] == $big[ $_ - $_ % 10000 ][1] } 0 .. $#big;
is($in_order, 30000, 'three large transactions, one after the other');

done_testing();
