# Decoding is a function of the WAL: the same bytes warm and cold, in SQL and in
# a walsender, live and afterwards, though sessions with transactions open side
# by side change routes, names, columns, publications and partitions.
#
# Cold is a new connection for every transaction.  Environment: PURITY_SEEDS (a
# list of numbers), PURITY_STEPS.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use IPC::Open2;
use Test::More;

my @seeds = split /[ ,]+/, $ENV{PURITY_SEEDS} || '1 2 3';
my $steps = $ENV{PURITY_STEPS} || 400;

my $server = new_extension_server('purity',
	conf => "logical_decoding_work_mem = 64kB\nautovacuum = off\n");
my @published = ('publication_names', 'fuzz');

sub sql { return $server->safe_psql('postgres', $_[0]); }

# --- what sessions do: by OID, wherever the table is and whatever its name ---
sql('CREATE EXTENSION wal2kafka');
sql(<<'SQL');
CREATE FUNCTION col(t regclass, n int) RETURNS text LANGUAGE sql AS $$
	SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = t AND attnum = n $$;
CREATE FUNCTION ddl(command text, VARIADIC args text[] DEFAULT '{}')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format(command, VARIADIC args);
END $$;
CREATE FUNCTION add(t regclass, i int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %s VALUES ($1, $2, $3)', t)
		USING i, i % 7, CASE WHEN i % 11 = 0 THEN repeat(md5(i::text), 200) ELSE 'v' || i END;
END $$;
CREATE FUNCTION change(t regclass, i int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE %s SET %s = %s + 1 WHERE %s %% 4 = $1', t, col(t, 2),
		col(t, 2), col(t, 1)) USING i;
END $$;
CREATE FUNCTION remove(t regclass, i int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DELETE FROM %s WHERE %s %% 4 = $1 AND %s %% 5 = 0', t,
		col(t, 1), col(t, 1)) USING i;
END $$;
SQL

my @tables;
sub make_tables
{
	sql($_) for 'DROP SCHEMA IF EXISTS fuzz CASCADE', 'DROP PUBLICATION IF EXISTS fuzz';
	sql(<<'SQL');
CREATE SCHEMA fuzz;
CREATE TABLE fuzz.a (id int PRIMARY KEY, k int, v text);
CREATE TABLE fuzz.b (id int PRIMARY KEY, k int, v text);
CREATE TABLE fuzz.p (id int PRIMARY KEY, k int, v text) PARTITION BY RANGE (id);
CREATE TABLE fuzz.p1 PARTITION OF fuzz.p FOR VALUES FROM (0) TO (500);
CREATE TABLE fuzz.p2 PARTITION OF fuzz.p FOR VALUES FROM (500) TO (100000);
ALTER TABLE fuzz.a REPLICA IDENTITY FULL;
ALTER TABLE fuzz.p1 REPLICA IDENTITY FULL;
ALTER TABLE fuzz.p2 REPLICA IDENTITY FULL;
CREATE PUBLICATION fuzz FOR TABLE fuzz.a, fuzz.p;
SQL
	@tables = split /\n/, sql(q(SELECT oid FROM pg_class WHERE relkind IN ('r', 'p')
		AND relnamespace = 'fuzz'::regnamespace ORDER BY relname));
	return sql(q(SELECT 'fuzz'::regnamespace::oid));
}

# a and the partitions are FULL: any key will do; b has its primary key
sub any { return $_[ rand @_ ]; }
sub any_table { return any(@tables); }
my $id = 1;

# Rows of one session only, or they would wait for each other.
sub random_write
{
	my ($session) = @_;
	my ($a, $b, $p) = @tables;
	my $first = 100000 + ++$id * 1000;

	return any(
		("SELECT add($a, 4 * $id + $session)") x 4,
		("SELECT add($b, 4 * $id + $session)") x 2,
		("SELECT add($p, 4 * $id + $session)") x 4,
		"SELECT add($a, g) FROM generate_series($first, $first + 200) g",
		"SELECT change(" . any_table() . ", $session)",
		"SELECT change(" . any_table() . ", $session)",
		"SELECT remove(" . any_table() . ", $session)");
}

sub random_change
{
	my ($schema) = @_;
	my ($a, $b, $p, $p1, $p2) = @tables;
	my $table   = any_table();
	my $name    = join '', map { any('a' .. 'z') } 1 .. 6;
	my $root    = any('true', 'false');
	my $actions = any('insert, update, delete', 'insert', 'update, delete');

	return any(
		("SELECT wal2kafka.set_route($table, '$name')") x 3,
		("SELECT wal2kafka.set_route($a, '$name', ARRAY[col($a, 2), col($a, 1)])") x 2,
		"SELECT wal2kafka.set_route($b, key => ARRAY[col($b, 1)])",
		"SELECT wal2kafka.set_route($p, '$name', ARRAY[col($p, 2)])",
		"SELECT wal2kafka.set_route($p2, key => ARRAY[col($p2, 2)])",
		("SELECT wal2kafka.reset_route($table)") x 2,
		"SELECT ddl('SECURITY LABEL FOR wal2kafka ON TABLE %s IS %L', $table\::regclass::text, 'topic=$name')",
		("SELECT ddl('ALTER SCHEMA %s RENAME TO %s', $schema\::regnamespace::text, '$name')") x 3,
		"SELECT ddl('ALTER TABLE %s RENAME TO %s', $table\::regclass::text, '$name')",
		"SELECT ddl('ALTER TABLE %s RENAME %s TO %s', $table\::regclass::text, col($table, 2), '$name')",
		"SELECT ddl('ALTER TABLE %s ADD $name int DEFAULT 7', $table\::regclass::text)",
		("SELECT ddl('ALTER PUBLICATION fuzz ADD TABLE %s', $table\::regclass::text)") x 2,
		("SELECT ddl('ALTER PUBLICATION fuzz DROP TABLE %s', $table\::regclass::text)") x 2,
		("SELECT ddl('ALTER PUBLICATION fuzz SET TABLE %s WHERE (%s %% 3 > 0), %s', $a\::regclass::text, col($a, 2), $p\::regclass::text)") x 2,
		("SELECT ddl('ALTER PUBLICATION fuzz SET TABLE %s, %s (%s, %s) WHERE (%s %% 3 > 0)', $a\::regclass::text, $b\::regclass::text, col($b, 1), col($b, 2), col($b, 1))") x 2,
		"SELECT ddl('ALTER PUBLICATION fuzz SET TABLE %s, %s WHERE (%s %% 3 > 0)', $b\::regclass::text, $p\::regclass::text, col($p, 1))",
		"ALTER PUBLICATION fuzz SET (publish_via_partition_root = $root)",
		"ALTER PUBLICATION fuzz SET (publish = '$actions')",
		"SELECT ddl('ALTER TABLE %s DETACH PARTITION %s', $p\::regclass::text, $p2\::regclass::text)",
		"SELECT ddl('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (500) TO (100000)', $p\::regclass::text, $p2\::regclass::text)",
		"CREATE TEMP TABLE $name (id int); INSERT INTO $name VALUES (1); DROP TABLE $name",
		"SELECT ddl('TRUNCATE %s', $b\::regclass::text)");
}

# --- sessions: psql behind two pipes ---
sub new_session
{
	my ($number) = @_;
	my $options = '-c lock_timeout=20ms -c synchronous_commit=off';
	my $pid = open2(my $out, my $in, 'psql', '-X', '-q', '-o', '/dev/null',
		'-d', $server->connstr('postgres') . " options='$options'");
	my $self = { pid => $pid, in => $in, out => $out, depth => 0,
		number => $number };
	select((select($in), $| = 1)[0]);
	return $self;
}

# Whether it went well.
sub run_in
{
	my ($session, $command) = @_;
	print { $session->{in} } "$command;\n\\echo :ERROR\n";
	my $line = readline($session->{out}) // die "a session is gone after $command";
	return $line !~ /true/;
}

# Alone mostly changes, whose locks are soon gone; inside mostly writes.
sub random_command
{
	my ($session, $schema) = @_;
	return rand() < ($session->{depth} ? 0.75 : 0.2)
	  ? random_write($session->{number})
	  : random_change($schema);
}

sub step
{
	my ($session, $schema) = @_;
	my $choice = rand;

	if ($session->{depth} == 0 && $choice < 0.5)
	{
		run_in($session, 'BEGIN');
		$session->{depth} = 1;
	}
	elsif ($session->{depth} && $choice < 0.12)
	{
		run_in($session, any(('COMMIT') x 6, 'ROLLBACK'));
		$session->{depth} = 0;
	}
	elsif ($session->{depth} && $choice < 0.22)
	{
		run_in($session, 'SAVEPOINT s' . $session->{depth}++);
	}
	elsif ($session->{depth} > 1 && $choice < 0.35)
	{
		my $to = 's' . --$session->{depth};
		run_in($session, any("RELEASE $to", "ROLLBACK TO $to; RELEASE $to"));
	}
	elsif (!run_in($session, random_command($session, $schema)) && $session->{depth})
	{
		# an error ends the innermost savepoint, or all
		my $depth = $session->{depth} - 1;
		run_in($session, $depth ? "ROLLBACK TO s$depth" : 'ROLLBACK');
		$session->{depth} = 0 if !$depth;
	}
	return;
}

sub fuzz
{
	my ($schema) = @_;
	my @sessions = map { new_session($_) } 0 .. 3;

	step(any(@sessions), $schema) for 1 .. $steps;
	for (@sessions)
	{
		run_in($_, 'COMMIT') if $_->{depth};
		close $_->{in};
		waitpid $_->{pid}, 0;
	}
	return;
}

# --- readers ---
sub quoted { return join ', ', map { "'$_'" } @_; }

sub peek
{
	my ($slot, @options) = @_;
	my $options = @options ? ', ' . quoted(@options) : '';
	return "SELECT * FROM wal2kafka.peek_changes('$slot', 1000000$options)";
}

# One transaction a connection, consumed.
sub read_cold
{
	my ($slot, @options) = @_;
	my $options = quoted('proto_version', 1, @options);
	my $all     = '';

	while (1)
	{
		my $rows = sql("SELECT r.* FROM pg_logical_slot_get_binary_changes('$slot',
			NULL, 1, $options) f LEFT JOIN wal2kafka.unframe(f.data) r ON true");
		return $all if $rows eq '';
		# a frame with a notice only
		$all .= "$rows\n" if $rows ne '||||';
	}
}

sub receive
{
	my ($slot, $file, @more) = @_;
	return spawn(launch_dir() . '/receiver.log', 'pg_recvlogical', '-d',
		$server->connstr('postgres'), '-S', $slot, '--start', '-f', $file, @more);
}

# --- compared ---
sub same
{
	my ($got, $expected, $what) = @_;
	my @got      = split /\n/, $got;
	my @expected = split /\n/, $expected;
	my ($first)  = grep { ($got[$_] // '') ne ($expected[$_] // '') } 0 .. $#expected;

	ok($got eq $expected, $what);
	diag('line ', $first // scalar(@expected), ":\n  ",
		substr($got[ $first // @expected ] // 'nothing', 0, 300), "\n  ",
		substr($expected[ $first // 0 ] // 'nothing', 0, 300))
	  if $got ne $expected;
	return;
}

# Only the values, as a line each: what a walsender prints.
sub values_of { my ($rows) = @_; $rows =~ s/^(?:[^|]*\|){4}//mg; return $rows; }

sub play
{
	my ($seed) = @_;
	my $live = launch_dir() . "/live.$seed";
	my $late = launch_dir() . "/late.$seed";
	my $schema = make_tables();

	srand($seed);
	sql("SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')")
	  for qw(live late cold cold_published);
	my $reader = receive('live', $live);
	wait_until('the slot is active', sub { slot_field($server, 'live', 'active') eq 't' });
	fuzz($schema);

	my $end = sql('SELECT pg_current_wal_insert_lsn()');
	sql('SELECT pg_logical_emit_message(true, \'\', \'\')');
	my $records = sql('SELECT count(*), count(DISTINCT lsn), count(DISTINCT topic) FROM (' . peek('cold') . ') r');
	note("seed $seed: records|transactions|topics $records");

	# in one session, behind all the changes, and again with other options
	my $twice = sql(join ';', peek('cold'), peek('cold', @published), peek('cold'));
	my $cold           = read_cold('cold');
	my $cold_published = read_cold('cold_published', @published);
	same("$twice\n", "$cold$cold_published$cold", "seed $seed: warm as cold");

	my $again = receive('late', $late, '--endpos', $end);
	is(reap($again), 0, 'a walsender reads it all afterwards');
	same(slurp($late), values_of($cold), "seed $seed: a walsender afterwards");
	wait_until('the live walsender has read it all',
		sub { -s $live >= -s $late });
	kill 'INT', $reader;
	reap($reader);
	same(slurp($live), values_of($cold), "seed $seed: a live walsender");
	sql("SELECT pg_drop_replication_slot('$_')")
	  for qw(live late cold cold_published);
	return;
}

play($_) for @seeds;
done_testing();
