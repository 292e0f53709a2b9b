# Messages through a walsender, where an immediate one comes outside of any
# transaction; anything at all in a message; messages to Kafka, through a crash.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Frames;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $server = new_extension_server('source',
	conf => "logical_decoding_work_mem = 64kB\n");

sub sql { return $server->safe_psql('postgres', $_[0]); }

sub slot { return sql("SELECT pg_create_logical_replication_slot('$_[0]', 'wal2kafka')"); }


sub server_lives
{
	my ($what) = @_;
	unlike(slurp($server->logfile), qr/was terminated by signal/, $what);
	return;
}

# --- a walsender ---
sub receive
{
	my ($slot, $file, @options) = @_;
	return spawn(launch_dir() . '/receiver.log', 'pg_recvlogical', '-d',
		$server->connstr('postgres'), '-S', $slot, '--start', '-f', $file,
		'--no-loop', '-o', 'proto_version=1', '-o', 'message_topics=out,out.*',
		map { ('-o', $_) } @options);
}

# Until it has this text; without parsing it all again and again.
sub wait_for_text
{
	my ($in, $text) = @_;
	wait_until("\"$text\" is received",
		sub { return -e $in && slurp($in) =~ /\Q$text\E\n/; });
	return;
}

sub finish
{
	my ($process) = @_;
	kill 'INT', $process;
	return reap($process);
}

sub records_in
{
	my ($file) = @_;
	return grep { $_->{kind} eq 'record' } read_frames(split_frames(slurp($file)));
}

sub describe
{
	my ($record) = @_;
	return join ' ', $record->{topic}, $record->{key} // 'NULL',
	  $record->{topic} =~ /^out/ ? $record->{value} // 'NULL' : 'row';
}

sql('CREATE EXTENSION wal2kafka; CREATE TABLE t (id int PRIMARY KEY, v text)');
slot($_) for qw(live late sql);
my $file   = launch_dir() . '/live';
my $reader = receive('live', $file);
wait_until('the slot is active', sub { slot_field($server, 'live', 'active') eq 't' });

# nothing was ever decoded in this walsender, nothing else is written
sql(q{SELECT wal2kafka.emit_message('out', 'k', 'first of all', '{"a": "b"}', false)});
wait_for_text($file, 'first of all');
my ($first) = records_in($file);
is(describe($first), 'out k first of all', 'an immediate message alone');
is_deeply(
	$first->{headers},
	[ [ 'a', 'b' ], [ 'wal2kafka_lsn', $first->{lsn} ], [ 'wal2kafka_seq_id', 0 ] ],
	'its own headers, then its place');
is($first->{seq_id}, 0, 'its number is 0');
is("$first->{time} $first->{xid}", '0 0', 'it has no commit time and no xid');
is("$first->{schema}.$first->{table}", 'wal2kafka.emit_message', 'its table is named');

# between, in and around transactions; the walsender sees them as they come
my $session = $server->background_psql('postgres');
sub step { $session->query_safe($_[0]); return; }
step('BEGIN');
step("INSERT INTO t VALUES (1, 'a')");
step(q{SELECT wal2kafka.emit_message('out.t', '1', 'of the transaction')});
step(q{SELECT wal2kafka.emit_message('out', 'k', 'before its transaction', NULL, false)});
wait_for_text($file, 'before its transaction');
is(scalar(records_in($file)), 2, 'it does not wait for its transaction');
sql(q{INSERT INTO t VALUES (2, 'b')});
step('SAVEPOINT s');
step(q{SELECT wal2kafka.emit_message('out', 'k', 'rolled back')});
step(q{SELECT wal2kafka.emit_message('out', 'k', 'rolled back, but sent', NULL, false)});
step('ROLLBACK TO s');
step(q{UPDATE t SET v = 'c' WHERE id = 1});
step(q{SELECT wal2kafka.emit_message('out', NULL, NULL)});
step(q{SELECT wal2kafka.emit_message('in', 'k', 'not listed')});
step('COMMIT');
step('BEGIN');
step(q{SELECT wal2kafka.emit_message('out', 'k', 'aborted')});
step(q{SELECT wal2kafka.emit_message('out', 'k', 'aborted, but sent', NULL, false)});
step('ROLLBACK');
wait_for_text($file, 'aborted, but sent');
is_deeply(
	[ map { "$_->{seq_id} " . describe($_) } records_in($file) ],
	[
		'0 out k first of all',
		'0 out k before its transaction',
		'0 public.t 2 row',
		'0 out k rolled back, but sent',
		'0 public.t 1 row',
		'1 out.t 1 of the transaction',
		'2 public.t 1 row',
		'3 out NULL NULL',
		'0 out k aborted, but sent',
	],
	'records in the order of the log');
server_lives('the server lives');

# --- too large: what is before it does not wait for a person ---
slot('large');
sql(
	q{BEGIN;
	SELECT wal2kafka.emit_message('out', 'k', 'it fits');
	SELECT wal2kafka.emit_message('out', 'k', repeat('x', 3000));
	COMMIT});
my $large = launch_dir() . '/large';
isnt(reap(receive('large', $large, 'max_record=2000')),
	0, 'one that is too large stops the stream');
is_deeply([ map { describe($_) } records_in($large) ],
	['out k it fits'], 'behind what lies before it');
sql(q{SELECT pg_drop_replication_slot('large')});

# --- anything, by anybody ---
sql('CREATE ROLE nobody_special');
sql(<<'SQL');
CREATE FUNCTION noise(i int) RETURNS bytea LANGUAGE sql AS $$
	SELECT decode(string_agg(lpad(to_hex(floor(random() * 256)::int), 2, '0'), ''), 'hex')
	FROM generate_series(0, floor(random() * 60)::int + i % 2)
$$;
CREATE FUNCTION fuzz(immediate bool) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	whole bytea := '\x01000300 01000000 08000000'::bytea || 'outk' || '\x0100 61 01000000 62' || 'v';
BEGIN
	FOR i IN 1 .. 100 LOOP
		PERFORM pg_logical_emit_message(NOT immediate, 'wal2kafka', noise(i));
		PERFORM pg_logical_emit_message(NOT immediate, 'wal2kafka',
			set_byte(whole, floor(random() * length(whole))::int, floor(random() * 256)::int));
	END LOOP;
	PERFORM pg_logical_emit_message(NOT immediate, 'wal2kafka', '');
	PERFORM pg_logical_emit_message(NOT immediate, 'wal2kafka', repeat('x', 1000000));
END $$;
SQL
sql('SET ROLE nobody_special; SELECT setseed(0.1); SELECT fuzz(true); SELECT fuzz(false)');
sql(q{SELECT wal2kafka.emit_message('out', 'k', 'after the noise')});
wait_for_text($file, 'after the noise');
my @notices = grep { $_->{kind} eq 'notice' } read_frames(split_frames(slurp($file)));
cmp_ok(scalar(grep { $_->{code} == 4 && $_->{table_id} == 0 } @notices),
	'>=', 200, 'what is no message is counted');
is(scalar(grep { $_->{code} != 4 } @notices), 0, 'and nothing else');
server_lives('the server lives through it');

# --- a transaction of nothing else must not make one huge frame ---
sql(<<'SQL');
BEGIN;
SELECT count(pg_logical_emit_message(true, 'wal2kafka', g::text)) FROM generate_series(1, 20000) g;
SELECT wal2kafka.emit_message('out', 'k', 'after 20000');
COMMIT;
SQL
wait_for_text($file, 'after 20000');
is(scalar(grep { length $_ > 100_000 } split_frames(slurp($file))), 0, 'frames stay small');

# --- many, in transactions that spill and with others at work ---
$session->query_safe('BEGIN');
$session->query_safe(<<'SQL');
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1000, 3000) g;
SELECT count(wal2kafka.emit_message('out.' || g % 5, g::text, repeat('m', g % 1000))) FROM generate_series(1, 3000) g;
SQL
for my $n (1 .. 40)
{
	# its commit begins where its last message ends
	sql(<<"SQL");
INSERT INTO t VALUES (100 + $n, 'between');
SELECT wal2kafka.emit_message('out', '$n', 'between'), wal2kafka.emit_message('out', '$n', 'between', NULL, false);
SQL
}
$session->query_safe('COMMIT');
$session->quit;
sql(q{SELECT wal2kafka.emit_message('out', 'k', 'the end')});
wait_for_text($file, 'the end');
finish($reader);

my @live = records_in($file);
my $last = { lsn => 0, seq_id => 0 };
my $out_of_order = 0;
for my $record (@live)
{
	$out_of_order++
	  if $record->{lsn} < $last->{lsn}
	  || ($record->{lsn} == $last->{lsn} && $record->{seq_id} <= $last->{seq_id});
	$last = $record;
}
is($out_of_order, 0, 'places grow from each record to the next');
cmp_ok(scalar @live, '>', 5000, 'records seen');

# cold, and in SQL, it is the same
my $again = launch_dir() . '/late';
$reader = receive('late', $again);
wait_for_text($again, 'the end');
finish($reader);
my $show = sub { join "\n", map { join '|', @$_{qw(lsn seq_id topic)}, $_->{key} // '', $_->{value} // '' } @_ };
ok($show->(records_in($again)) eq $show->(@live), 'a walsender afterwards: the same records');
my $rows = sql(<<'SQL');
SELECT lsn - '0/0', seq_id, topic, key, value
FROM wal2kafka.peek_changes('sql', 1000000, 'message_topics', 'out,out.*')
SQL
my @text = grep { ($_->{value} // '') !~ /[^\x20-\x7e]/ && ($_->{key} // '') !~ /[^\x20-\x7e]/ } @live;
my %seen = map { $_ => 1 } split /\n/, $rows;
is(scalar(grep { !$seen{ $show->($_) } } @text), 0, 'the same through SQL');
is(scalar(split /\n/, $rows), scalar @live, 'and no more');
sql("SELECT pg_drop_replication_slot('$_')") for qw(live late sql);

# --- Kafka ---
my $kafka = Wal2Kafka::Kafka->new;
$kafka->create_topic($_, 3) for qw(public.t out);
sql('CREATE PUBLICATION p FOR TABLE t');
my $shipper = Wal2Kafka::Shipper->new(
	node => $server,
	kafka => $kafka,
	publication => 'p',
	options => { message_topics => 'out', max_in_flight => '1MB' });
$shipper->init;
$shipper->start;
sql(<<'SQL');
BEGIN;
INSERT INTO t VALUES (5000, 'a');
SELECT wal2kafka.emit_message('out', 'a', '{"total": 9.50}', '{"type": "paid", "none": null, "empty": ""}');
UPDATE t SET v = 'b' WHERE id = 5000;
SELECT wal2kafka.emit_message('out', 'a', NULL);
SELECT wal2kafka.emit_message('out', NULL, '\x00ff0a'::bytea);
SELECT wal2kafka.emit_message('elsewhere', 'a', 'not listed');
COMMIT;
SQL
wait_for_slot($server, 'wal2kafka');
my @rows = $kafka->records('public.t');
my %message = map { place($_)->[1] => $_ } $kafka->messages('out');

# [lsn, seq_id] by the last two headers
sub place
{
	my ($message) = @_;
	my ($lsn, $seq_id) = @{ $message->{headers} }[ -2, -1 ];
	return [ $lsn->[1], $seq_id->[1] ]
	  if $lsn->[0] eq 'wal2kafka_lsn' && $seq_id->[0] eq 'wal2kafka_seq_id';
	return [ 0, 0 ];
}
is_deeply([ sort keys %message ], [ 1, 3, 4 ], 'numbers between those of the rows');
is_deeply([ sort map { $_->{json}{seq_id} } @rows ], [ 0, 2 ], 'and the rows have theirs');
is_deeply([ map { place($_)->[0] } values %message ],
	[ ($rows[0]{json}{lsn}) x 3 ], 'one lsn for all');
is($message{1}{value}, '{"total": 9.50}', 'the value as it was given');
is_deeply(
	[ @{ $message{1}{headers} }[ 0 .. 2 ] ],
	[ [ 'none', undef ], [ 'type', 'paid' ], [ 'empty', '' ] ],
	'headers, also null and empty');
is($message{3}{key}, 'a', 'a tombstone has its key');
is($message{3}{value}, undef, 'and no value');
is($message{4}{key}, undef, 'no key');
is($message{4}{value}, "\0\xff\n", 'bytes');
ok(!exists { $kafka->topics }->{elsewhere}, 'no topic for what is not listed');

# where a Java client would put them
SKIP:
{
	skip 'the mock has no such partitioner', 1 if $kafka->is_mock;
	$kafka->create_topic('reference', 3);
	$kafka->produce('reference', [ -1, 'a', '{}' ], [ -1, 'out', '{}' ]);
	my %there = map { $_->{key} => $_->{partition} } $kafka->records('reference');
	is_deeply([ map { $message{$_}{partition} } 1, 3, 4 ],
		[ @there{qw(a a out)} ], 'partitions are those of murmur2');
}

# killed and started again while messages come and wait; the mock keeps little
my $each = $kafka->is_mock ? 100 : 2000;

sub backlog
{
	my ($from) = @_;
	for my $n ($from .. $from + 4)
	{
		sql(<<"SQL");
SELECT count(wal2kafka.emit_message('out', g::text, '$n ' || g || repeat('.', 100), '{"n": "$n"}', g % 3 > 0))
FROM generate_series(1, $each) g;
SQL
	}
	return;
}
my $before = $kafka->count('out');
backlog(0);
$kafka->wait_for_count($before + 1, 'out');
$shipper->kill9;
backlog(5);
$shipper->start;
$kafka->wait_for_count($before + 6 * $each, 'out');
$shipper->kill9;
$shipper->start;
$server->stop('immediate');
$server->start;
wait_for_slot($server, 'wal2kafka');

my (%value, %place, %ordered);
my ($differ, $backwards) = (0, 0);
for my $m ($kafka->messages('out'))
{
	next if ($m->{value} // '') !~ /^\d+ \d+\./;
	my ($lsn, $seq_id) = @{ place($m) };
	$differ++ if ($place{"$lsn/$seq_id"} // $m->{value}) ne $m->{value};
	next if $place{"$lsn/$seq_id"};
	$place{"$lsn/$seq_id"} = $m->{value};
	$value{ $m->{value} }++;
	my $newest = $ordered{ $m->{partition} } || [ 0, 0 ];
	$backwards++ if $lsn < $newest->[0] || ($lsn == $newest->[0] && $seq_id < $newest->[1]);
	$ordered{ $m->{partition} } = [ $lsn, $seq_id ];
}
is(scalar keys %value, 10 * $each, 'every message is there');
is(scalar(grep { $_ > 1 } values %value), 0, 'repeats have one place');
is($differ,    0, 'and one value');
is($backwards, 0, 'first occurrences are in order');

# counted by the shipper too, and told once
my $from = $shipper->log_size;
sql(q{SELECT pg_logical_emit_message(false, 'wal2kafka', 'x'), pg_logical_emit_message(true, 'wal2kafka', 'y')});
sql(q{INSERT INTO t VALUES (6000, 'z')});
wait_for_slot($server, 'wal2kafka');
is($shipper->stop, 0, 'stopped by SIGTERM: status 0');
my @told = substr($shipper->log, $from) =~ /(cannot be read)/g;
is(scalar @told, 1, 'one line for what is no message');
like(substr($shipper->log, $from), qr/messages ignored 2\b/, 'and a count');

# a glob does not reach the topic of the state record
$shipper->{options}{message_topics} = 'out,wal2kafka.*';
$shipper->configure($shipper->config_text);
sql(q{SELECT wal2kafka.emit_message('wal2kafka.state', 'wal2kafka', 'forged')});
sql(q{INSERT INTO t VALUES (6001, 'behind it')});
$shipper->start;
wait_for_slot($server, 'wal2kafka');
is($shipper->stop, 0, 'no message reaches the state record');
is( scalar(grep { ($_->{value} // '') eq 'forged' }
		$kafka->is_mock ? () : $kafka->messages('wal2kafka.state')),
	0, 'nor is any written there');

# a topic that is listed and missing is named
if ($kafka->is_mock)
{
	done_testing();    # which makes topics by itself
	exit;
}
$shipper->{options}{message_topics} = 'out*';
$shipper->configure($shipper->config_text);
sql(q{SELECT wal2kafka.emit_message('out-of-sight', 'k', 'v')});
$shipper->start;
is($shipper->wait_exit, 3, 'a missing topic: status 3');
like($shipper->log, qr/out-of-sight/, 'named');

done_testing();
