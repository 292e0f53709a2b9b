# Decoding is a function of the WAL: the same slot, copied, gives the same bytes
# whatever the settings of role, database and client, however much memory, in a
# session that shadows the catalog, after everything was dropped, and on a
# promoted standby.
use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Generator::Records qw(read_frame);
use Test::More;

my $primary = new_server('primary', conf => <<'CONF');
autovacuum = off
max_wal_senders = 4
wal_keep_size = 256MB
CONF
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $server  = $primary;
my $records = 0;

sub sql { my ($text, %o) = @_; return $server->safe_psql('postgres', $text, %o); }

# --- what is decoded: whatever prints otherwise under some setting ---
sub play
{
	# a server may be built without libxml
	my $xml = $server->psql('postgres', "SELECT '<a>&lt;</a>'::xml") == 0 ? 'xml' : 'text';

	sql("CREATE DOMAIN document AS $xml");
	sql(<<'SQL');
CREATE SCHEMA shadow;
CREATE TABLE shadow.pg_class (a int);
CREATE TYPE shadow.text AS (a int);
CREATE TYPE shadow.bool AS ENUM ('t', 'f');
CREATE FUNCTION shadow.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION shadow.numeric_out(numeric) RETURNS text LANGUAGE sql AS 'SELECT ''shadow''';
CREATE ROLE somebody;
CREATE TYPE pair AS (t timestamptz, f float8, b bytea);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE t (id int PRIMARY KEY, d date, ts timestamp, tz timestamptz, ti timetz,
	iv interval, by bytea, f4 float4, f8 float8, p point, m money, n numeric, x document, j json,
	a timestamptz[], c pair, ca pair[], r tstzrange, mr datemultirange, e mood, tx text,
	rc regclass[], rt regtype[], rp regprocedure[], rn regproc[], ro regrole, ns regnamespace,
	tsv tsvector, bo shadow.bool, st shadow.text, q tsquery, al aclitem);
CREATE TABLE full_t (LIKE t INCLUDING ALL);
ALTER TABLE full_t REPLICA IDENTITY FULL;
CREATE FUNCTION row_of(i int) RETURNS t LANGUAGE sql AS $$
	SELECT ROW(i, '2026-02-01'::date + i, '2026-02-01 03:04:05.006'::timestamp, '2026-03-29 01:30+00'::timestamptz + i * '1 day'::interval,
		'04:05:06.789-08:30'::timetz, '1 year -2 mons 3 days -04:05:06.7'::interval * i, '\x00ff5c41'::bytea, 0.1::float4 * i,
		0.1::float8 + 0.2 * i, point(0.1, 1e-300), (1234567.891 * i)::numeric::money, 1.10 * i, '<a>&lt;</a>', '{"a" : 1.10}',
		ARRAY['2026-07-01 00:00+00'::timestamptz, 'infinity', NULL], ROW('2026-07-01 00:00+00', 0.1::float8 + 0.2, '\xff')::pair,
		ARRAY[ROW('2026-07-01 00:00+00', 1e15 / 3, '\x5c')::pair], tstzrange('2026-07-01 00:00+00', NULL), '{[2026-01-02,2026-02-03)}',
		'glad'::mood, repeat('text ' || i, i * 300), ARRAY['pg_catalog.pg_class', 'shadow.pg_class', 't']::regclass[],
		ARRAY['pg_catalog.text', 'shadow.text', 'pg_catalog.bool', 'shadow.bool[]', 'pair']::regtype[],
		ARRAY['pg_catalog.lower(text)', 'shadow.lower(text)', 'pg_catalog.upper(text)']::regprocedure[],
		ARRAY['pg_catalog.numeric_out', 'shadow.numeric_out']::regproc[], 'somebody', 'shadow', 'a:1A b', 't', ROW(1)::shadow.text,
		'a & !b', 'somebody=r/somebody')::t $$;
SQL
	sql(<<'SQL');
INSERT INTO t SELECT (row_of(i)).* FROM generate_series(1, 20) i;
INSERT INTO full_t SELECT * FROM t;
UPDATE t SET f8 = f8 / 3, e = 'sad' WHERE id < 5;
UPDATE t SET id = -id WHERE id < 3;
UPDATE full_t SET tz = tz + '1 hour', e = 'sad' WHERE id % 2 = 0;
DELETE FROM full_t WHERE id < 3;
BEGIN;
ALTER TYPE mood RENAME VALUE 'sad' TO 'so sad';
UPDATE full_t SET iv = iv * 2 WHERE id < 6;
SAVEPOINT s;
ALTER TABLE full_t ADD late timestamptz DEFAULT '2026-01-01 00:00+00';
UPDATE full_t SET late = late + '1 day' WHERE id = 4;
ROLLBACK TO s;
ALTER TABLE full_t ADD late timestamptz DEFAULT '2026-02-02 00:00+00';
UPDATE full_t SET f4 = f4 / 3 WHERE id = 4;
ALTER SCHEMA shadow RENAME TO gloom;
UPDATE full_t SET f4 = f4 / 3 WHERE id = 5;
ALTER SCHEMA gloom RENAME TO shadow;
COMMIT;
-- larger than the smallest logical_decoding_work_mem, in two subtransactions
BEGIN;
INSERT INTO t SELECT (row_of(i)).* FROM generate_series(101, 150) i;
SAVEPOINT s;
INSERT INTO t SELECT (row_of(i)).* FROM generate_series(201, 250) i;
COMMIT;
SQL
	return;
}

# --- readers, each of a copy of the slot ---
sub digest
{
	my ($what, @of) = @_;

	$records = @of;
	note("$what: $records records");
	return md5_hex(join "\n",
		map { join "\t", $_->{table}{topic}, $_->{hash}, $_->{key} // 'none', $_->{value} } @of);
}

# The frames that pg_recvlogical wrote, each with a newline.  It ends at a
# keepalive, behind which a frame could be held: hence flush=commit.
sub by_walsender
{
	my ($conninfo) = @_;
	my $file = launch_dir() . '/frames';
	my $end  = sql('SELECT pg_current_wal_lsn()');
	my ($at, $known, $err, @of) = (0, {});

	unlink $file;
	sql(q(SELECT pg_copy_logical_replication_slot('base', 'copy')));
	IPC::Run::run([ 'pg_recvlogical', '-d', $server->connstr('postgres') . " $conninfo",
			'-S', 'copy', '--start', '-f', $file, '--endpos', $end, '--no-loop',
			'-o', 'proto_version=1', '-o', 'include_xid=on', '-o', 'flush=commit' ],
		'2>', \$err) or die "pg_recvlogical: $err";
	sql(q(SELECT pg_drop_replication_slot('copy')));

	my $bytes = slurp($file);
	while ($at < length $bytes)
	{
		my $length = 32 + unpack 'V', substr($bytes, $at + 12, 4);
		push @of, @{ read_frame(substr($bytes, $at, $length), $known)->{records} };
		$at += $length + 1;
	}
	return digest("walsender $conninfo", @of);
}

sub by_sql
{
	my ($before, $conninfo) = @_;
	my $rows = sql("$before; SELECT pg_catalog.encode(data, 'hex') FROM pg_catalog.pg_logical_slot_peek_binary_changes(
		'base', NULL, NULL, 'proto_version', '1', 'include_xid', 'on')",
		connstr => $server->connstr('postgres') . " $conninfo");

	return digest("sql $before $conninfo",
		map { @{ read_frame(pack 'H*', $_)->{records} } } grep { /^57324b31/ } split /\n/, $rows);
}

# --- settings ---
my %hostile = (
	DateStyle => 'SQL, DMY',
	IntervalStyle => 'iso_8601',
	TimeZone => 'Asia/Kathmandu',
	timezone_abbreviations => 'India',
	bytea_output => 'escape',
	extra_float_digits => -15,
	lc_messages => 'POSIX',
	lc_monetary => 'POSIX',
	lc_numeric => 'POSIX',
	lc_time => 'POSIX',
	quote_all_identifiers => 'on',
	search_path => 'shadow,public,pg_catalog',
	xmlbinary => 'hex',
	xmloption => 'document',
	array_nulls => 'off',
	default_toast_compression => 'pglz',
	default_text_search_config => 'pg_catalog.english',
	client_encoding => 'LATIN1',
	transform_null_equals => 'on',
	default_transaction_isolation => 'serializable',
	default_transaction_deferrable => 'on',
	default_transaction_read_only => 'on',
	row_security => 'off',
	work_mem => '64kB',
	lock_timeout => '1s',
	logical_decoding_work_mem => '64kB');
# what there is of it in a newer server
my %newer = (debug_logical_replication_streaming => 'immediate',
	icu_validation_level => 'error');

sub set_all
{
	my ($whose) = @_;
	sql(join ';', map { "ALTER $whose SET $_ = "
			  . ($_ eq 'search_path' ? $hostile{$_} : "'$hostile{$_}'") } sort keys %hostile);
	return;
}

sub options_of
{
	my (%settings) = @_;
	return "options='" . join(' ', map { my $v = $settings{$_}; $v =~ s/ /\\\\ /g; "-c $_=$v" }
		  sort keys %settings) . "'";
}

# --- a standby from a copy that has the slot ---
sql(q(SELECT pg_create_logical_replication_slot('base', 'wal2kafka')));
$primary->stop;
$primary->backup_fs_cold('copy');
$primary->start;
$standby->init_from_backup($primary, 'copy', has_streaming => 1, has_restoring => 0);
$standby->start;

sql("CREATE ROLE hostile SUPERUSER LOGIN");
play();
my $first = by_walsender('');
cmp_ok($records, '>', 160, 'records');

sub same { my ($got, $what) = @_; is($got, $first, $what); return; }

same(by_walsender(''), 'again');
same(by_sql('SELECT'), 'by SQL');

$hostile{$_} = $newer{$_}
  for grep { sql("SELECT count(*) FROM pg_settings WHERE name = '$_'") } sort keys %newer;
set_all('ROLE hostile');
same(by_walsender('user=hostile'), 'settings of a role');
same(by_sql('SELECT', 'user=hostile'), 'settings of a role, SQL');
sql('ALTER ROLE hostile RESET ALL');

set_all('DATABASE postgres');
same(by_walsender(''), 'settings of a database');
same(by_sql('SELECT'), 'settings of a database, SQL');
sql("SET default_transaction_read_only = off; ALTER DATABASE postgres RESET ALL");

same(by_walsender(options_of(%hostile)), 'settings of a client');
same(by_sql('SELECT', options_of(%hostile)), 'settings of a client, SQL');
same(by_walsender(options_of(ignore_system_indexes => 'on')), 'without the indexes of the catalog');

for my $memory ('64kB', '1GB')
{
	same(by_walsender(options_of(logical_decoding_work_mem => $memory)), "$memory");
	same(by_sql("SET logical_decoding_work_mem = '$memory'"), "$memory, SQL");
}
same(by_sql('SET enable_indexscan = off; SET enable_hashjoin = off; SET jit = on; SET jit_above_cost = 0'),
	'planner settings');
same(by_sql('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SAVEPOINT s'), 'inside a transaction');

# what is written and read by a session whose own tables hide the catalog's
my $shadowed = by_sql(<<'SQL');
CREATE TEMP TABLE pg_class (a int); CREATE TEMP TABLE text (a int); CREATE TEMP TABLE bool (a int);
CREATE FUNCTION pg_temp.numeric_out(numeric) RETURNS pg_catalog.text LANGUAGE sql AS $$ SELECT 'temp' $$;
INSERT INTO t (id, rc, rt, rn) SELECT 500, rc, rt, rn FROM t WHERE id = 20
SQL
$first = by_walsender('');
is($shadowed, $first, 'a session with tables in front of the catalog');

# --- later DDL ---
sql('ALTER SCHEMA shadow RENAME TO gloom; ALTER TABLE t RENAME TO u; ALTER TYPE mood RENAME TO humour;
	ALTER TABLE u RENAME id TO di; ALTER TABLE full_t REPLICA IDENTITY NOTHING, DROP COLUMN tz, ADD z int DEFAULT 1;
	ALTER TYPE humour RENAME VALUE \'glad\' TO \'merry\'; ALTER ROLE somebody RENAME TO anybody');
same(by_walsender(''), 'after all was renamed');
sql('DROP TABLE u, full_t CASCADE; DROP TYPE pair, humour, document CASCADE; DROP SCHEMA gloom CASCADE; DROP ROLE anybody');
same(by_walsender(''), 'after all was dropped');
same(by_sql('SELECT'), 'after all was dropped, SQL');

# --- the same slot elsewhere ---
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop;
$standby->promote;
$server = $standby;
same(by_walsender(''), 'on a promoted standby');
same(by_sql('SELECT', options_of(%hostile)), 'on a promoted standby, hostile, SQL');

done_testing();
