# Transactions that are open, or half seen, while a snapshot begins: each change is
# in it, or comes behind it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotRun;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "needs a real broker: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_extension_server('source', conf => "autovacuum = off\n");
my @tables = qw(seen rewritten waits large locked moves late);
my $rows = 1000;

$node->safe_psql('postgres', 'CREATE EXTENSION wal2kafka');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The copy knows rows by their identity.
$node->safe_psql('postgres', 'CREATE DATABASE copy');
for my $table (@tables)
{
	my $definition = "CREATE TABLE $table (id int, v int, w int NOT NULL, PRIMARY KEY";
	my $identity = $table eq 'moves' ? 'w' : 'id';
	$node->safe_psql('copy', "$definition ($identity))");
	my $many = $rows * ($table =~ /waits|rewritten/ ? 5 : 1);
	sql("$definition (id)); INSERT INTO $table SELECT g, 0, -g FROM generate_series(1, $many) g");
	$kafka->create_topic("public.$table", 1);
}
sql('CREATE UNIQUE INDEX by_w ON moves (w); ALTER TABLE moves REPLICA IDENTITY USING INDEX by_w');
sql('CREATE PUBLICATION p FOR TABLE ' . join ', ', grep { $_ ne 'late' } @tables);
my $run = Wal2Kafka::SnapshotRun->new(
	kafka => $kafka,
	node => $node,
	publication => 'p',
	options => { snapshot_chunk_rows => 100, snapshot_rate => 3000 });
$run->shipper->init;
$run->shipper->start;

# A session that stays in a transaction until finish().
sub session
{
	my ($sql) = @_;
	my $psql = $node->background_psql('postgres');
	$psql->query_safe($_) for 'BEGIN', split /; /, $sql;
	return $psql;
}

sub finish
{
	my ($psql, $sql) = @_;
	$psql->query_safe($_) for split(/; /, $sql // ''), 'COMMIT';
	$psql->quit;
	return;
}

# The snapshot comes as far as it will: done, or nothing moves for a while.
sub let_it_try
{
	for my $turn (1 .. 40)
	{
		return if $run->state eq 'done';
		sql("SELECT pg_current_xact_id()");
	}
	return;
}

# Letters for what came of a table: c for what a change brought, n for a row that
# was copied as it is, o for one as it was.
sub told
{
	return join '', map { $_->{value} !~ /"snapshot":true/ ? 'c' : $_->{value} =~ /\["-?\d+","0"/ ? 'o' : 'n' }
	  $kafka->messages("public.$_[0]");
}

# Wants a snapshot, and lets some of it pass.
sub begin
{
	my ($table) = @_;
	$run->want($table);
	$run->wait_for("$table is being copied",
		sub { return $run->state eq 'done' || told($table) =~ /[on]/ });
	return;
}

sub is_equal
{
	my ($name, $table) = @_;
	wait_for_slot($node, 'wal2kafka');
	my ($status, $output) = run_tool('strict_consumer', '--brokers', $kafka->brokers,
		'--database', $node->connstr('copy'), '--until-end', map { "public.$_" } @tables);
	is($status, 0, "$name: the strict consumer takes every record") or diag($output);
	is(checksum($node, 'copy', $table), checksum($node, 'postgres', $table), "$name: the copy is equal");
	return;
}

# --- changes that are open while a snapshot goes on, and when it is done ---
begin('seen');
my $writer = session('UPDATE seen SET v = 1 WHERE id % 2 = 0; INSERT INTO seen VALUES (-1, 1, 0)');
isnt($run->wait_done, undef, 'nobody waits for a transaction that began later');
$writer->query_safe('DELETE FROM seen WHERE id < 10');
finish($writer, 'UPDATE seen SET id = -2 WHERE id = 500');
is_equal('open meanwhile', 'seen');

# --- large ones, parts of which are in frames with others ---
for my $turn (1 .. 5)
{
	begin('large');
	$writer = session('UPDATE large SET v = v + 1');
	sql("UPDATE seen SET w = $turn WHERE id < 900");
	sql("INSERT INTO seen SELECT g, 0, 0 FROM generate_series(20000 + $turn * 1000, 20700 + $turn * 1000) g");
	finish($writer);
	sql('UPDATE large SET v = v + 1');
	$run->wait_done;
}
is_equal('large ones', 'large');

# --- one that is sent, and that nobody sees ---
begin('waits');
$run->insist('pause');
sql(q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
sql('SELECT pg_reload_conf()');
wait_until('commits wait for a standby',
	sub { sql('SHOW synchronous_standby_names') eq 'nobody' });
my $waiter = IPC::Run::start(
	[ 'psql', '-XqAt', '-c', 'UPDATE waits SET v = 1', $node->connstr('postgres') ],
	'<', \'', '>&', \my $said);
wait_until('what nobody sees is sent', sub { (() = told('waits') =~ /c/g) == 5 * $rows });
is(sql('SELECT max(v) FROM waits'), 0, 'nobody sees it');
$run->insist('resume');
let_it_try();
isnt($run->state, 'done', 'the snapshot waits for it');
sql('ALTER SYSTEM RESET synchronous_standby_names');
sql('SELECT pg_reload_conf()');
$waiter->finish;
$run->wait_done;
unlike(told('waits'), qr/c+.*o/, 'nothing is copied as it was before');
is_equal('sent before it was seen', 'waits');

# --- a rewrite that is under way: whoever looked before it would see nothing ---
begin('rewritten');
$run->insist('pause');
$writer = session('ALTER TABLE rewritten ALTER v TYPE bigint; UPDATE rewritten SET v = 2 WHERE id = 7');
$run->insist('resume');
$run->wait_for('the snapshot waits for the table', sub {
	sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rewritten'::regclass") });
finish($writer);
$run->wait_done;
is(told('rewritten') =~ tr/on//, 5 * $rows, 'a rewrite: every row is there');
is_equal('a rewrite', 'rewritten');

# --- somebody wants the table alone, all the time ---
spit(launch_dir() . '/lock.sql', "BEGIN;\nLOCK TABLE locked IN ACCESS EXCLUSIVE MODE;\nCOMMIT;\n");
my $locker = spawn(launch_dir() . '/lock.log', 'pgbench', '-n', '-c', 2, '-T', 3600,
	'-f', launch_dir() . '/lock.sql', '-h', $node->host, '-p', $node->port, 'postgres');
$run->want('locked');
$run->wait_done;
pass('between locks');
kill 'TERM', $locker;
reap($locker);
is_equal('locked', 'locked');

# --- rows move in the primary key, which is not their identity ---
begin('moves');
sql('UPDATE moves SET id = -id WHERE id > 500 OR id < 50');
$run->wait_done;
is_equal('moves', 'moves');

# --- published while somebody writes to it ---
$writer = session('UPDATE late SET v = 3 WHERE id % 3 = 0; INSERT INTO late VALUES (-1, 3, 0)');
sql('ALTER PUBLICATION p ADD TABLE late');
$run->want('late');
let_it_try();
finish($writer, 'DELETE FROM late WHERE id = 20');
$run->wait_done;
is_equal('published meanwhile', 'late');

# --- refused, with the reason ---
my $answer = $run->insist('snapshot', tables => ['public.nowhere']);
let_it_try();
my ($table) = grep { $_->{name} eq 'public.nowhere' } @{ ($run->status // {})->{tables} // [] };
ok(!$answer->{ok} || ($table && $table->{state} eq 'failed'), 'a table that is not there');

is($run->shipper->stop, 0, 'stopped');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers, map { "public.$_" } @tables);
is($status, 0, 'all of them in order') or diag($output);

done_testing();
