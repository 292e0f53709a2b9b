# A walsender, or a session that reads a slot by SQL, ends promptly when it is
# told to, in the midst of a transaction: of rows that a costly filter drops one
# by one, or of thousands of tables.  One whose client stopped reading is left
# out: the server waits, with any plugin, to tell the client first.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Test::More;
use Time::HiRes qw(time);

my $bound = 30;    # far from what is seen, far below what there is to do
my $node = new_server('source', conf => <<'EOF');
logical_decoding_work_mem = 64kB
autovacuum = off
synchronous_commit = off
EOF

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Each row takes a millisecond to drop, a hundred seconds in all.
sql(<<'EOF');
CREATE TABLE costly (id int PRIMARY KEY, v text);
ALTER TABLE costly REPLICA IDENTITY FULL;
CREATE PUBLICATION costly FOR TABLE costly
	WHERE (id IN (0, 1000000) OR md5(repeat(v, 20000)) = '');
CREATE PUBLICATION everything FOR ALL TABLES;
EOF
sql("SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')")
  for qw(filtered tables);
sql("INSERT INTO costly SELECT g, md5(g::text) FROM generate_series(0, 99999) g
	UNION ALL SELECT 1000000, ''");
sql("SELECT pg_replication_slot_advance('tables', pg_current_wal_lsn())");
sql(<<'EOF');
DO $$ BEGIN
	FOR i IN 1 .. 3000 LOOP
		EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i);
		IF i % 500 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;
DO $$ BEGIN
	FOR i IN 1 .. 3000 LOOP
		EXECUTE format('INSERT INTO t%s VALUES (1)', i);
	END LOOP;
	FOR i IN 1 .. 3000 LOOP
		EXECUTE format('ALTER TABLE t%s SET (fillfactor = 50)', i);
		EXECUTE format('INSERT INTO t%s VALUES (2)', i);
	END LOOP;
END $$;
EOF

my $files = 0;

# Starts a reader and waits until it is in the midst: its first record is there.
sub reader
{
	my ($slot, @options) = @_;
	my $file = launch_dir() . '/out' . $files++;
	my @list;

	while (my ($name, $value) = splice @options, 0, 2)
	{
		push @list, '-o', "$name=$value";
	}
	my $pid = spawn("$file.log", 'pg_recvlogical', '-d',
		$node->connstr('postgres'), '-S', $slot, '--start', '--no-loop',
		'-f', $file, @list);
	wait_until("slot $slot sends", sub { return -s $file; });
	return ($pid, $file);
}

sub ends
{
	my ($how, $pid, $what) = @_;
	my $start = time();

	is(sql("SELECT $how($pid)"), 't', "$what: $how");
	wait_until("$what: the process is gone",
		sub { return sql("SELECT count(*) FROM pg_stat_activity
			WHERE pid = $pid AND (backend_type = 'walsender' OR state = 'active')") eq '0'; },
		$bound);
	note(sprintf('%s, %s: %.2f s', $what, $how, time() - $start));
	pass("$what: it ends promptly");
	return;
}

my @framed = (proto_version => 1);

# --- rows that are dropped one by one ---
for my $how (qw(pg_terminate_backend pg_cancel_backend))
{
	for my $frames ([], \@framed)
	{
		my ($reader, $file) = reader('filtered', publication_names => 'costly', @$frames);
		my $what = 'filtered rows as ' . (@$frames ? 'frames' : 'text');
		ends($how, slot_field($node, 'filtered', 'active_pid'), $what);
		reap($reader);
		unlike(slurp($file), qr/1000000/, "$what: it was in the midst");
	}
}

# --- the same by SQL ---
for my $how (qw(pg_terminate_backend pg_cancel_backend))
{
	my $session = spawn(launch_dir() . '/session.log', 'psql', '-X', '-d',
		$node->connstr('postgres'), '-c',
		"SELECT pg_logical_slot_peek_changes('filtered', NULL, NULL, 'publication_names', 'costly')");
	my $pid;
	wait_until('the session reads',
		sub { return $pid = slot_field($node, 'filtered', 'active_pid'); });
	ends($how, $pid, 'filtered rows by SQL');
	isnt(reap($session), 0, 'the session failed');
}
wait_until('the slot is free',
	sub { return slot_field($node, 'filtered', 'active') eq 'f'; });

# --- thousands of tables, and as many catalog changes, in one transaction ---
for my $frames ([], \@framed)
{
	my ($reader, $file) = reader('tables', publication_names => 'everything', @$frames);
	ends('pg_terminate_backend', slot_field($node, 'tables', 'active_pid'),
		'thousands of tables as ' . (@$frames ? 'frames' : 'text'));
	reap($reader);
}

# --- who asks for no word but the server's, and speaks only when asked, hears it
# through a transaction of which nothing is sent ---
sql(<<'EOF');
CREATE PUBLICATION told FOR TABLE costly
	WHERE (id > 1000000 OR md5(repeat(v, 2000)) = '');
SELECT pg_create_logical_replication_slot('told', 'wal2kafka');
INSERT INTO costly VALUES (1000001, '');
INSERT INTO costly SELECT g, md5(g::text) FROM generate_series(200001, 250000) g;
INSERT INTO costly VALUES (1000002, '');
EOF
my $told = launch_dir() . '/told';
spit("$told.log", '');
my $listener = spawn("$told.log", 'pg_recvlogical', '-d',
	$node->connstr('postgres') . " options='-c wal_sender_timeout=3000'",
	'-S', 'told', '--start', '--no-loop', '-s', 600, '-F', 1, '-f', $told,
	'-o', 'publication_names=told');
wait_until('what lies behind arrives, or the connection ends',
	sub { return (-e $told && slurp($told) =~ /1000002/) || slurp("$told.log") =~ /error/; });
is(slurp("$told.log") =~ s/.*error: //r, '', 'nothing is sent: the connection stays');
kill 'INT', $listener;
reap($listener);

# --- and all of it is still there ---
is(sql("SELECT count(*) FROM pg_logical_slot_peek_changes('tables', NULL, NULL,
	'publication_names', 'everything') WHERE data ~ '\"table_name\":\"t'"),
	6000, 'all rows of the tables come afterwards');
unlike(slurp($node->logfile), qr/PANIC|TRAP|terminated by signal/,
	'the server saw nothing else');

done_testing();
