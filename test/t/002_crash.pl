# The shipper is killed in the middle of a backlog, the server crashes under it,
# it is killed while rows are written: the strict consumer rebuilds every table
# in a second database, under FULL and DEFAULT identity, from topics of
# one and of six partitions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my @tables = map { my $i = $_; map { "${i}_$_" } 1, 6 } qw(full def);
my @topics = map { "public.$_" } @tables;
my $kafka  = Wal2Kafka::Kafka->new;
my $node   = new_server('source');
my $slot   = 'wal2kafka';

# The mock keeps only 5 MB of a partition and cannot be frozen: there the crash
# comes when it comes.
my $mock         = $kafka->is_mock;
my $transactions = $ENV{CRASH_TRANSACTIONS} || ($mock ? 100 : 400);    # of each writer
my $dir    = launch_dir();

# One step on a table: its kind is drawn here, so that a seed replays it.  The
# key changes together with the large column: under DEFAULT the log does not
# hold what an update of the key leaves as it was, so no copy can keep it.
my $step = <<'EOF';
CREATE FUNCTION large() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 100) $$;
CREATE FUNCTION step(tab text, kind int, this int, other int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	CASE
	WHEN kind < 35 THEN
		EXECUTE format('INSERT INTO %I VALUES ($1, 0, $2, CASE WHEN $1 %% 3 = 0 THEN large() END, NULL)
			ON CONFLICT DO NOTHING', tab) USING this, E'row "' || this || E'"\n\\';
	WHEN kind < 60 THEN
		EXECUTE format('UPDATE %I SET n = coalesce(n, 0) + 1 WHERE id = $1', tab) USING this;
	WHEN kind < 70 THEN
		EXECUTE format('UPDATE %I SET big = large() WHERE id = $1', tab) USING this;
	WHEN kind < 80 THEN
		EXECUTE format('DELETE FROM %I WHERE id = $1', tab) USING this;
	WHEN kind < 90 THEN
		EXECUTE format('UPDATE %I SET id = $2, big = large() WHERE id = $1
			AND NOT EXISTS (SELECT FROM %1$I WHERE id = $2)', tab) USING this, other;
	WHEN kind < 95 THEN
		BEGIN
			EXECUTE format('DELETE FROM %I WHERE id IN ($1, $2)', tab) USING this, other;
			RAISE 'undo' USING ERRCODE = 'UE001';
		EXCEPTION WHEN SQLSTATE 'UE001' THEN
			EXECUTE format('UPDATE %I SET label = NULL WHERE id = $1', tab) USING this;
		END;
	ELSE
		EXECUTE format('INSERT INTO %I SELECT id, 0, $2, NULL, NULL
			FROM generate_series($1, $1 + 20) id ON CONFLICT DO NOTHING', tab)
			USING this / 100 * 100, 'several';
	END CASE;
END $$;
EOF
my $table = '(id int PRIMARY KEY, v bigint, label text, big text, n int)';

$node->safe_psql('postgres', 'CREATE DATABASE copy');
for my $name (@tables)
{
	$node->safe_psql($_, "CREATE TABLE $name $table") for 'postgres', 'copy';
	$node->safe_psql('postgres', "ALTER TABLE $name ALTER big SET STORAGE EXTERNAL");
	$node->safe_psql('postgres', "ALTER TABLE $name REPLICA IDENTITY FULL") if $name =~ /full/;
	$kafka->create_topic("public.$name", ($name =~ /(\d)$/)[0]);
}
$node->safe_psql('postgres', $step);
$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE ' . join ', ', @tables);
add_ledger($node, 'postgres', @tables);

my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	options     => { max_in_flight => '1MB' });
$shipper->init;

# Writers keep to ranges of keys of their own, so they never wait for each
# other.  Each transaction touches two tables; some are rolled back.
my $script = spit("$dir/steps.sql", <<'EOF');
\set a random(0, 3)
\set b random(0, 3)
\set kind random(0, 99)
\set kind2 random(0, 99)
\set this random(0, 199) + :client_id * 1000
\set other random(0, 199) + :client_id * 1000
\set undo random(0, 19)
BEGIN;
SELECT step((ARRAY['full_1', 'full_6', 'def_1', 'def_6'])[:a + 1], :kind, :this, :other);
SELECT step((ARRAY['full_1', 'full_6', 'def_1', 'def_6'])[:b + 1], :kind2, :this, :other);
\if :undo
COMMIT;
\else
ROLLBACK;
\endif
EOF

sub start_writers
{
	my ($seed) = @_;
	my $in = '';
	return IPC::Run::start(
		[   'pgbench', '-n', '-c', 4, '-t', $transactions, '-M', 'prepared',
			"--random-seed=$seed", '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', \$in, '>&', "$dir/pgbench.log");
}

sub write_rows
{
	return start_writers(@_)->finish || diag(slurp("$dir/pgbench.log"));
}

sub consume
{
	my ($status, $output) = run_tool('strict_consumer', '--brokers', $kafka->brokers,
		'--database', $node->connstr('copy'), '--until-end', @topics);
	note($output);
	is($status, 0, 'the strict consumer takes every record') or diag($output);
	like($output, qr/found no row 0$/m, 'and finds the row of every update and delete');
	return;
}

# Kafka falls silent when some of the backlog is there: whatever dies then,
# dies in the middle.
sub in_the_middle
{
	my ($more, $crash) = @_;
	$more = 20 if $mock;
	my $wanted = $kafka->count(@topics) + $more;
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

	$shipper->start if !$shipper->pid;
	$kafka->wait_for_count($wanted, @topics);
	$kafka->freeze if !$mock;
	$crash->();
	is(slot_field($node, $slot, "confirmed_flush_lsn < '$end'"), 't',
		'in the middle of a backlog') if !$mock;
	$kafka->thaw if !$mock;
	return;
}

# --- kill -9 of the shipper, twice ---
ok(write_rows(1), 'a backlog is written');
for my $n (1 .. ($mock ? 0 : 20))
{
	$node->safe_psql('postgres', "INSERT INTO $tables[ $n % 4 ]
		SELECT $n * 10000 + g, 0, repeat('wide', 200) FROM generate_series(1, 1000) g");
}
ok(write_rows(2), 'with wide rows in it');
in_the_middle(500, sub { is($shipper->kill9, 137, 'the shipper is killed'); }) for 1 .. 2;
consume();

# --- a crash of the server under it, and rows written meanwhile ---
in_the_middle(500,
	sub {
		$node->stop('immediate');
		$node->start;
	});
my $writers = start_writers(3);
$kafka->wait_for_count($kafka->count(@topics) + ($mock ? 50 : 200), @topics);
$shipper->kill9;
$shipper->start;
$writers->finish;
wait_for_slot($node, $slot);
pass('the shipper has caught up');
consume();

is(checksum($node, 'copy', $_), checksum($node, 'postgres', $_), "table $_ is equal")
  for @tables;
isnt($node->safe_psql('copy', "SELECT count(*) FROM $_ WHERE big IS NOT NULL AND n > 0"),
	0, "$_: large values outlived updates")
  for @tables;

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), @topics);
is($status, 0, 'nothing lost or made up, order and bytes hold') or diag($output);
diag($output);
is($shipper->stop, 0, 'stopped');

done_testing();
