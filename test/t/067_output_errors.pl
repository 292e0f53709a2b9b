# A type whose output function raises errors, with a catalog scan open: named
# when it halts the stream, isolated where that is asked for, in a walsender
# and in SQL, and the server lives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use JSON::PP ();
use Test::More;

my $dir = launch_dir();
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $include = `$pg_config --includedir-server`);
chomp(my $flags = `$pg_config --cppflags`);
system("cc -shared -fPIC -O1 $flags -I'$include' -o $dir/moody.so "
	  . top_dir() . '/test/tools/moody_type.c') == 0
  or BAIL_OUT('could not build the type');

my $node = new_server('source');
$node->safe_psql('postgres', <<"EOF");
CREATE TYPE moody;
CREATE FUNCTION moody_in(cstring) RETURNS moody AS 'int4in' LANGUAGE internal STRICT IMMUTABLE;
CREATE FUNCTION moody_out(moody) RETURNS cstring AS '$dir/moody.so' LANGUAGE C STRICT IMMUTABLE;
CREATE TYPE moody (INPUT = moody_in, OUTPUT = moody_out, LIKE = int4);
CREATE TYPE moods AS (a int, b moody);
CREATE TABLE t (id int PRIMARY KEY, m moody, l moody[], c moods, note text);
CREATE TABLE f (id int, m moody);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE PUBLICATION p FOR TABLE t, f;
SELECT pg_create_logical_replication_slot('sql', 'wal2kafka');
EOF

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub shipper
{
	my ($slot, %options) = @_;
	return Wal2Kafka::Shipper->new(
		node        => $node,
		slot        => $slot,
		publication => 'p',
		options     => { sink => "file:$dir/$slot", %options });
}

sub written
{
	my ($slot, $table) = @_;
	my $file = "$dir/$slot/public.$table.jsonl";
	return map { JSON::PP->new->decode($_) } split /\n/, slurp($file);
}

my $halting = shipper('halting');
my $going = shipper('going', on_error => 'stub');
$_->init for $halting, $going;
my ($started) = sql('SELECT pg_postmaster_start_time()');

# --- halt, and let one through ---
sql(q{INSERT INTO t VALUES (1, '1', '{1}', '(1,1)', 'well')});
sql(q{INSERT INTO t VALUES (2, '2', NULL, NULL, 'well'), (3, '-1', '{3}', NULL, 'm')});
$halting->start;
is($halting->wait_exit, 3, 'the error comes back every time: status 3');
like($halting->log, qr/no mood for -1.*column "m".*table "t".*seq_id 1/s,
	'error, column, table and number are named');
my ($name) = $halting->log =~ m{column "m", which stub = (\S+/1) in \[wal2kafka\] leaves out};
ok($name, 'with the way to go on');
$halting->configure($halting->config_text . "stub = $name\n");
$halting->start;
wait_for_slot($node, 'halting');
is($halting->stop, 0, 'named, it goes out as a stub');
my ($stub) = grep { $_->{omitted} } written('halting', 't');
is_deeply([ @{$stub}{qw(seq_id col_names op omitted)} ],
	[ 1, [qw(id l c note)], { Insert => [ '3', '{3}', undef, 'm' ] }, { m => undef } ],
	'which lacks what has no text');

# --- go on by itself: arrays and composites of the type, old rows ---
sql($_)
  for
  q{INSERT INTO t VALUES (4, '4', '{4,-4}', '(4,-4)', 'l and c')},
  q{UPDATE t SET m = '-5' WHERE id = 2},
  q{UPDATE t SET m = '6' WHERE id = 2},
  q{INSERT INTO f VALUES (1, '1'), (2, '-2'), (3, '3')},
  q{UPDATE f SET m = '-1' WHERE id = 1},
  q{UPDATE f SET m = '2' WHERE id = 2},
  q{DELETE FROM f};
$going->start;
wait_for_slot($node, 'going');
my @records = (written('going', 't'), written('going', 'f'));
is_deeply(
	[ map { [ keys %{ $_->{op} }, sort keys %{ $_->{omitted} } ] } grep { $_->{omitted} } @records ],
	[
		[qw(Insert m)], [qw(Insert c l)], [qw(Update m)], [qw(Insert m)], [qw(Insert m)],
		[qw(Delete m)], [qw(Delete m)]
	],
	'each value without a text is left out, and no other');
my %next;
my @gaps = grep { $_->{seq_id} != $next{ $_->{lsn} }++ }
  sort { $a->{lsn} <=> $b->{lsn} || $a->{seq_id} <=> $b->{seq_id} } @records;
is(scalar(@gaps), 0, 'numbers have no gap');
like(slurp($node->logfile), qr/output function of column "m" of table "public\.t" raised an error, SQLSTATE 22000/,
	'the server logs why');

# --- between changes of the catalog: each has a snapshot of its own, which a
# scan that stays open would outlive ---
sql(
	q{BEGIN;
	INSERT INTO t VALUES (500, '-1', NULL, NULL, 'y');
	ALTER TABLE t ADD e int;
	INSERT INTO t VALUES (501, '-1', NULL, NULL, 'y', 1);
	CREATE TABLE other (id int);
	INSERT INTO t VALUES (502, '-1', NULL, NULL, 'y', 1);
	ALTER TABLE t DROP e;
	COMMIT});

# --- many, in one transaction ---
sql(q{INSERT INTO t SELECT g, '-1', NULL, NULL, 'x' FROM generate_series(1000, 2999) g});
wait_for_slot($node, 'going');
is(scalar(grep { $_->{op}{Insert} && $_->{op}{Insert}[-1] eq 'x' } written('going', 't')),
	2000, '2000 subtransactions rolled back');

# --- SQL: the same records, and the session goes on ---
my $rows = sql(q{
	SELECT count(*) FROM pg_logical_slot_peek_changes('sql', NULL, NULL, 'on_error', 'stub', 'publication_names', 'p');
	SELECT data FROM pg_logical_slot_peek_changes('sql', NULL, NULL, 'on_error', 'stub', 'publication_names', 'p')});
my @lines = split /\n/, $rows;
is(shift @lines, scalar(@lines), 'twice in one session');
is_deeply(
	[ sort grep { /"omitted"/ && !/"x"/ } @lines ],
	[ sort grep { /"omitted"/ && !/"x"/ }
		  map { split /\n/, slurp("$dir/going/public.$_.jsonl") } qw(t f) ],
	'SQL gives the same stubs');

# --- what has nothing to do with the value is raised on ---
is($going->stop, 0, 'stopped');
for my $value (-57, -53, -40, -58)
{
	sql("SELECT pg_copy_logical_replication_slot('going', 'other')");
	sql("INSERT INTO t VALUES ($value, '$value', NULL, NULL, 'y')");
	my ($status, $out, $err) = $node->psql('postgres',
		"SELECT count(*) FROM pg_logical_slot_get_changes('other', NULL, NULL, 'on_error', 'stub')");
	like($err, qr/no mood for $value/, "the error of $value is not kept");
	sql("SELECT pg_drop_replication_slot('other')");
	sql("SELECT pg_replication_slot_advance('going', pg_current_wal_lsn())");
}

# --- what lies before a record that halts the stream is delivered ---
sql(q{CREATE FUNCTION emit(text, text, text, jsonb, bool) RETURNS pg_lsn LANGUAGE C
	AS 'wal2kafka', 'wal2kafka_emit_message_text'});
my %halts = (
	truncated => [ 'TRUNCATE f', qr/was truncated, and truncate is "halt"/, truncate => 'halt' ],
	message => [
		q{SELECT emit('out', NULL, repeat('x', 2000), NULL, false)},
		qr/message of 2000 bytes for topic "out" is larger than 904 bytes/,
		message_topics => 'out', max_record => '1000B'
	]);
for my $what (sort keys %halts)
{
	my ($statement, $error, %options) = @{ $halts{$what} };
	my $shipper = shipper($what, %options);
	$shipper->init;
	sql(q{INSERT INTO f VALUES (10, '10')});
	sql($statement);
	$shipper->start;
	is($shipper->wait_exit, 3, "$what: halts");
	like($shipper->log, $error, "$what: says why");
	is(scalar(written($what, 'f')), 1, "$what: the row before it is delivered");
}

is(sql('SELECT pg_postmaster_start_time()'), $started, 'the server was never restarted');
unlike(slurp($node->logfile), qr/TRAP|PANIC|terminated by signal|WARNING|registered snapshots|leak/,
	'and has nothing to say about it');

done_testing();
