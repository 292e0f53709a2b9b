# Routes survive dump and restore, by whom and in whatever form; are set by
# owners; and what a busy slot would send can be looked at.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Test::More;

my $server = new_extension_server('routes');
my $routes = 'SELECT relation, topic, key, topic_source, key_source
	FROM wal2kafka.routes ORDER BY relation::text COLLATE "C"';
my $labels = q(SELECT objtype, objname, label FROM pg_seclabels
	WHERE provider = 'wal2kafka' ORDER BY objname COLLATE "C");

sub sql { my ($db, $query) = @_; return $server->safe_psql($db, $query); }

# Output, or what went wrong.
sub as_owner
{
	my ($db, $query) = @_;
	my ($status, $out, $err) = $server->psql($db, $query,
		extra_params => [ '-U', 'owner' ]);
	return $err eq '' ? $out : $err;
}

sub error_of { my ($node, $query) = @_; return ($node->psql('shop', $query))[2]; }

sub program
{
	my ($what, $command, @args) = @_;
	$server->command_ok([ $command, @args ], $what);
	return;
}

# --- what is to be kept ---
sql('postgres', $_) for 'CREATE DATABASE shop', 'CREATE ROLE owner LOGIN';
sql('shop', 'CREATE EXTENSION wal2kafka');
sql('shop', 'CREATE SCHEMA shop AUTHORIZATION owner');
is(as_owner('shop', <<'SQL'), '', 'an owner sets routes');
CREATE TABLE shop.orders (id int PRIMARY KEY, customer_id int NOT NULL);
CREATE TABLE shop.items (a int NOT NULL, gone int, b int NOT NULL, c int);
ALTER TABLE shop.items DROP COLUMN gone;
CREATE UNIQUE INDEX items_b_a ON shop.items (b, a);
ALTER TABLE shop.items REPLICA IDENTITY USING INDEX items_b_a;
ALTER TABLE shop.orders REPLICA IDENTITY FULL;
CREATE TABLE shop."Größe ""x""" ("Ä b" text PRIMARY KEY);
CREATE TABLE shop.parts (id int, n int, PRIMARY KEY (id, n)) PARTITION BY RANGE (id);
CREATE TABLE shop.part_1 PARTITION OF shop.parts FOR VALUES FROM (1) TO (2);
CREATE TABLE shop.part_2 PARTITION OF shop.parts FOR VALUES FROM (2) TO (3);
DO $$
BEGIN
	PERFORM wal2kafka.set_route('shop.orders', 'orders', '{customer_id}');
	PERFORM wal2kafka.set_route('shop.items', key => '{a,b}');
	PERFORM wal2kafka.set_route('shop."Größe ""x"""', 'size', '{"Ä b"}');
	PERFORM wal2kafka.set_route('shop.parts', 'parts', '{n}');
	PERFORM wal2kafka.set_route('shop.part_2', 'part.2');
END $$;
SQL
my $kept        = sql('shop', $routes);
my $kept_labels = sql('shop', $labels);
note($kept);
is(scalar(split /\n/, $kept_labels), 9, 'labels are there');

sub keeps
{
	my ($db, $what) = @_;
	is(sql($db, $routes), $kept,        "$what keeps the routes");
	is(sql($db, $labels), $kept_labels, "$what keeps the labels");
	return;
}

# --- the whole database, in each form ---
my $dump = launch_dir() . '/dump';
my @psql = qw(psql -q -X -v ON_ERROR_STOP=1);
program('dump as text',    'pg_dump', '-f',  "$dump.sql", 'shop');
program('dump as archive', 'pg_dump', '-Fc', '-f', "$dump.fc", 'shop');
sql('postgres', "CREATE DATABASE $_")
  for qw(by_psql by_psql_1 by_restore by_jobs by_section);
program('restore by psql', @psql, '-f', "$dump.sql", 'by_psql');
keeps('by_psql', 'psql');
program('restore by psql -1', @psql, '-1', '-f', "$dump.sql", 'by_psql_1');
keeps('by_psql_1', 'psql in one transaction');
program('restore', 'pg_restore', '-e', '-d', 'by_restore', "$dump.fc");
keeps('by_restore', 'pg_restore');
program('restore by jobs', 'pg_restore', '-e', '-j', 2, '-d', 'by_jobs',
	"$dump.fc");
keeps('by_jobs', 'pg_restore by jobs');
program("restore section $_", 'pg_restore', '-e', "--section=$_", '-d',
	'by_section', "$dump.fc")
  for qw(pre-data data post-data);
keeps('by_section', 'pg_restore by section');
# the server itself cannot clean away a partition's primary key
sql('by_section', $_) for 'DROP TABLE shop.parts', 'CREATE DATABASE by_clean';
program('dump to be cleaned', 'pg_dump', '-Fc', '-f', "$dump.clean",
	'by_section');
program("restore $_", 'pg_restore', '-e', '--clean', '--if-exists', '-d',
	'by_clean', "$dump.clean")
  for qw(first again);
is(sql('by_clean', $labels), sql('by_section', $labels),
	'pg_restore --clean keeps the labels');

# --- by the owner, into a database that has the extension ---
sql('postgres', 'CREATE DATABASE by_owner');
sql('by_owner', $_)
  for 'CREATE EXTENSION wal2kafka', 'CREATE SCHEMA shop AUTHORIZATION owner';
program('dump by the owner', 'pg_dump', '-U', 'owner', '-t', 'shop.*', '-f',
	"$dump.owner.sql", 'shop');
program('restore by the owner', @psql, '-U', 'owner', '-f',
	"$dump.owner.sql", 'by_owner');
keeps('by_owner', 'a restore by the owner');

# --- what cannot be kept is said ---
sql('postgres', 'CREATE DATABASE without');
sql('without',  'CREATE SCHEMA shop AUTHORIZATION owner');
$server->command_fails_like(
	[ @psql, '-f', "$dump.owner.sql", 'without' ],
	qr/security label provider "wal2kafka" is not loaded/,
	'a restore without the extension says what is missing');
like(error_of($server, 'DROP EXTENSION wal2kafka'),
	qr/tables have routes.*reset_route/s, 'the extension stays');

# --- rights: one's own tables only ---
sql('shop', 'CREATE TABLE not_yours (id int PRIMARY KEY)');
like(as_owner('shop', q(SELECT wal2kafka.set_route('not_yours', 'x'))),
	qr/must be owner of table not_yours/, 'no routes for others\' tables');
is(as_owner('shop', 'SECURITY LABEL ON TABLE shop.part_1 IS NULL'),
	'', 'a plain label in a fresh session');
like(as_owner('shop', q(SECURITY LABEL ON TABLE shop.part_1 IS 'nonsense')),
	qr/invalid security label "nonsense" for table shop.part_1.*topic=NAME/s,
	'nonsense is refused with the right form');

# --- on a standby ---
$server->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($server, 'backup', has_streaming => 1);
$standby->start;
is($standby->safe_psql('shop', $routes),
	sql('shop', $routes), 'a standby shows the routes');
like(error_of($standby, q(SELECT wal2kafka.set_route('shop.orders', 'x'))),
	qr/cannot execute wal2kafka.set_route\(\) in a read-only transaction/,
	'and sets none');
like(error_of($standby, q(SECURITY LABEL ON TABLE shop.orders IS NULL)),
	qr/cannot execute SECURITY LABEL in a read-only transaction/,
	'in neither way');
$standby->stop;

# --- a database that is not UTF8 shows what is sent in its own encoding ---
for my $encoding (qw(LATIN1 SQL_ASCII))
{
	my $db = lc "db_$encoding";
	sql('postgres', "CREATE DATABASE $db ENCODING $encoding
		LOCALE 'C' TEMPLATE template0");
	sql($db, $_) for 'CREATE EXTENSION wal2kafka',
	  'CREATE TABLE t (id text PRIMARY KEY)',
	  "SELECT pg_create_logical_replication_slot('$db', 'wal2kafka')",
	  q(INSERT INTO t VALUES (convert_from('\xc3b6', 'UTF8')));
	my $shown = "key = convert_from('\\xc3b6', 'UTF8')
		AND value ~ convert_from('\\x22c3b622', 'UTF8')";
	is(sql($db, "SELECT $shown FROM wal2kafka.peek_changes('$db')"),
		't', "peek in $encoding");
	is(sql($db, "SELECT $shown FROM wal2kafka.preview('t')"),
		't', "preview in $encoding");
	is(sql($db, "SELECT pg_drop_replication_slot('$db')"), '', 'done');
}

# --- a slot that somebody reads ---
sql('shop', q(SELECT pg_create_logical_replication_slot('busy', 'wal2kafka')));
my $received = launch_dir() . '/received';
my $reader = spawn(launch_dir() . '/receiver.log', 'pg_recvlogical',
	'-h', $server->host, '-p', $server->port, '-d', 'shop', '-S', 'busy',
	'--start', '-f', $received, '-F', '1', '-s', '1', '--no-loop');
my $lines = sub { return -e $received ? slurp($received) =~ tr/\n// : 0; };
my $slots = sub { return sql('shop', 'SELECT count(*) FROM pg_replication_slots'); };

wait_until('the slot is active',
	sub { slot_field($server, 'busy', 'active') eq 't' });
sql('shop', <<'SQL');
INSERT INTO shop.orders VALUES (1, 10);
SELECT wal2kafka.set_route('shop.orders', 'moved', '{id}');
INSERT INTO shop.orders VALUES (2, 20);
INSERT INTO shop.parts VALUES (1, 1), (2, 2);
SQL
wait_until('all is received', sub { $lines->() == 4 });
freeze_process($reader);
sql('shop', 'INSERT INTO shop.orders VALUES (3, 30)');
is( sql('shop', q(SELECT topic, key FROM wal2kafka.peek_changes('busy')
	ORDER BY lsn DESC, seq_id DESC LIMIT 1)),
	'moved|3', 'peek looks past a reader and sees what was just written');
is($slots->(), 1, 'the copy that it took is gone');
is(slot_field($server, 'busy', 'active'), 't', 'the reader is not disturbed');
is(sql('shop', <<'SQL'), "refused\n1", 'errors leave one copy at most');
CREATE FUNCTION try() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM * FROM wal2kafka.peek_changes('busy', 1, 'nonsense', 'on');
EXCEPTION WHEN OTHERS THEN
	RETURN 'refused';
END $$;
SELECT DISTINCT try() FROM generate_series(1, 5);
SELECT count(*) FROM pg_replication_slots WHERE temporary;
SQL
wait_until('the copy is gone with its session', sub { $slots->() == 1 });
kill 'CONT', $reader;
wait_until('all is received', sub { $lines->() == 5 });
kill 'INT', $reader;
reap($reader);

done_testing();
