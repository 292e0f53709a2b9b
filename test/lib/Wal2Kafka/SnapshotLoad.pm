# Tables full of rows before anybody captures them, writers that change them while
# a snapshot reads, and the judgement of what arrived.
#
#	wide	REPLICA IDENTITY FULL: everything happens, its key changes too
#	plain	DEFAULT: everything but that
#	parted	FULL, in partitions of two levels, between which rows move
#	odd		FULL, a key of two texts that are hard to write and to sort
#	routed	FULL, a route's key is one column of the primary key
#	still	nobody writes; a key of types with several texts for a value
package Wal2Kafka::SnapshotLoad;

use strict;
use warnings;

use Carp;
use POSIX ();
use Test::More;
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;
use Wal2Kafka::Witness;

# Writers change rows of their own class of numbers alone, so they wait for
# nobody.  The last class is the long transactions'.
my $classes = 8;

# name => how each column of the key is made of a number, and all columns
my $rest = 'v bigint, label text, big text, n int';
my @names = qw(wide plain parted odd routed);
my %tables = (
	(
		map {
			$_ => [ { id => 'x' }, "id int, $rest, PRIMARY KEY (id)" ]
		} qw(wide plain parted)
	),
	odd => [
		{ a => 'odd(x)', b => 'odd(x * 7) || reverse(x::text)' },
		"id int, b text, $rest, a text, PRIMARY KEY (a, b)"
	],
	routed => [
		{ tenant => "x / $classes % 10", id => 'x' },
		"id int, tenant int, $rest, PRIMARY KEY (tenant, id)"
	]);

my $common = <<'EOF';
CREATE FUNCTION large() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 100) $$;
CREATE FUNCTION odd(x int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT (ARRAY['', ' ', '''', '"', '\', E'\n', E'\x01', U&'\00e9', U&'\00df', '%s', '{a,b}',
		'NULL', U&'\2028', 'Z', 'z', '-', '--', '/*', 'A', '$1', U&'\+01F600', '(', 'e', 'a '])[x % 24 + 1] $$;
CREATE TABLE still (f float8, d numeric, t timestamptz, b bytea, c "char", PRIMARY KEY (f, d, t, b, c));
EOF

my $still = <<'EOF';
INSERT INTO still SELECT f, d, t, b, c
FROM unnest('{-Infinity,-1e-300,0,0.1,0.30000000000000004,1e300,NaN}'::float8[]) f,
	unnest('{-1.50,0,0.000000000000000000001,12345678901234567890.5,NaN}'::numeric[]) d,
	unnest('{-infinity,"4713-01-02 BC","2000-01-01 00:00:00.000001+05:30",infinity}'::timestamptz[]) t,
	unnest('{"","\\x00","\\x00ff","\\x5c27"}'::bytea[]) b, unnest('{a,"\"","\\"}'::"char"[]) c;
EOF

# node, kafka, rows (of each table); database, copy, prefix (of the topics), for
# several in one server; partitions (of a topic); early => 1 if it writes before
# there is a slot; forgetful => 1 if its commits wait for no disk.  The server is
# one of Wal2Kafka::Extension.
sub new
{
	my ($class, %o) = @_;
	my $self = bless {
		database => 'source',
		copy => 'copy',
		prefix => '',
		partitions => 3,
		%o,
		dir => launch_dir(),
		runs => 0,
	}, $class;

	$self->{node}->safe_psql('postgres', "CREATE DATABASE $_")
	  for @{$self}{qw(database copy)};
	$self->{kafka}->create_topic($_, $self->{partitions}) for $self->topics;
	$self->source('CREATE EXTENSION wal2kafka');
	$self->source($common . $still);
	$self->copy($common);
	$self->_make($_) for @names;
	$self->_make_writers;
	return $self;
}

sub tables { return (@names, 'still'); }

my @leaves = qw(parted_low parted_high_0 parted_high_1);

sub leaves { return (@leaves, grep { $_ ne 'parted' } $_[0]->tables); }

sub topics
{
	my ($self) = @_;
	my $prefix = $self->{prefix} ? "$self->{prefix}." : '';

	return map { "${prefix}public.$_" } $self->tables;
}

# SQL in either database.
sub source
{
	my ($self, $sql) = @_;
	return $self->{node}->safe_psql($self->{database}, $sql);
}

sub copy
{
	my ($self, $sql) = @_;
	return $self->{node}->safe_psql($self->{copy}, $sql);
}

# For Wal2Kafka::Shipper.
sub shipper_options
{
	my ($self) = @_;
	my %postgres = $self->{prefix} ? (topic_prefix => $self->{prefix}) : ();

	return (
		kafka => $self->{kafka},
		conninfo => $self->{node}->connstr($self->{database}),
		publication => 'p',
		postgres => \%postgres,
		routes => { 'public.routed' => { key => 'tenant' } });
}

# What was there before is in no ledger.
sub publish
{
	my ($self) = @_;
	my $tables = join ', ', $self->tables;

	$self->source("CREATE PUBLICATION p FOR TABLE $tables
		WITH (publish_via_partition_root = true)");
	add_ledger($self->{node}, $self->{database}, @names);
	# records name the root
	$self->source(<<'EOF');
DROP TRIGGER log ON parted;
CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON parted
	FOR EACH ROW EXECUTE FUNCTION write_ledger('parted');
EOF
	return;
}

# --- the tables ---

# Of the numbers that writers draw from, every other one is there.
sub _make
{
	my ($self, $name) = @_;
	my $columns = $tables{$name}[1];
	my $by = $name eq 'parted' ? 'PARTITION BY RANGE (id)' : '';

	$self->copy("CREATE TABLE $name ($columns)");
	$self->source("CREATE TABLE $name ($columns) $by;
		ALTER TABLE $name ALTER big SET STORAGE EXTERNAL");
	$self->_make_partitions if $name eq 'parted';
	$self->source("ALTER TABLE $name REPLICA IDENTITY FULL")
	  if $name ne 'plain';
	$self->source(
		insert(
			$name,
			q{-x - 1, 'before ' || x, CASE WHEN x % 50 = 0 THEN large() END, 0},
			"(SELECT g * 2 FROM generate_series(0, $self->{rows} - 1) g) u (x)"
		  )
		  . "; ANALYZE $name");
	$self->source(writer($name));
	return;
}

sub _make_partitions
{
	my ($self) = @_;
	my $middle = $self->{rows};

	$self->source(<<"EOF");
CREATE TABLE parted_low PARTITION OF parted
	FOR VALUES FROM (MINVALUE) TO ($middle);
CREATE TABLE parted_high PARTITION OF parted
	FOR VALUES FROM ($middle) TO (MAXVALUE) PARTITION BY HASH (id);
CREATE TABLE parted_high_0 PARTITION OF parted_high
	FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_high_1 PARTITION OF parted_high
	FOR VALUES WITH (MODULUS 2, REMAINDER 1);
EOF
	$self->source("ALTER TABLE $_ REPLICA IDENTITY FULL")
	  for @leaves;
	return;
}

# Every table has an id, which the ledger knows, in its key or not.
sub insert
{
	my ($name, $values, $from) = @_;
	my $key = $tables{$name}[0];
	my @more = $key->{id} ? () : 'id';

	return
		"INSERT INTO $name ("
	  . join(', ', key_columns($name), @more, 'v, label, big, n')
	  . ') SELECT '
	  . join(', ',
		map({ made_of($name, $_, 'x') } key_columns($name)),
		map({ 'x' } @more), $values)
	  . " FROM $from";
}

sub key_columns { return sort keys %{ $tables{ $_[0] }[0] }; }

sub made_of
{
	my ($name, $column, $number) = @_;
	return $tables{$name}[0]{$column} =~ s/\bx\b/$number/gr;
}

# That the row of table "alias" is the one of a number.
sub is_row
{
	my ($name, $alias, $number) = @_;
	return join ' AND ',
	  map { "$alias.$_ = " . made_of($name, $_, $number) } key_columns($name);
}

# --- the writers ---

# churn_NAME(kind, numbers, other numbers): one kind of change to many rows.
sub writer
{
	my ($name) = @_;
	my $is = is_row($name, 't', 'x');
	my $these = "FROM unnest(these) x WHERE $is";
	my $insert = insert($name,
		q{0, 'row ' || x, CASE WHEN x % 9 = 0 THEN large() END, 0},
		'unnest(these) x ON CONFLICT DO NOTHING');
	my $update = "UPDATE $name t
		SET n = coalesce(t.n, 0) + 1, label = 'n ' || x $these";
	my $delete = "DELETE FROM $name t USING unnest(these) x WHERE $is";
	my $move = $name eq 'plain' ? $update : mover($name);

	return <<"EOF";
CREATE FUNCTION churn_$name(kind int, these int[], others int[]) RETURNS void
LANGUAGE plpgsql AS \$\$
BEGIN
	CASE
	WHEN kind < 24 THEN $insert;
	WHEN kind < 48 THEN $update;
	WHEN kind < 54 THEN UPDATE $name t SET big = large() $these AND x % 4 = 0;
	WHEN kind < 70 THEN $delete;
	WHEN kind < 90 THEN $move;
	WHEN kind < 95 THEN
		BEGIN
			$delete;
			RAISE 'undo' USING ERRCODE = 'UE001';
		EXCEPTION WHEN SQLSTATE 'UE001' THEN
			$update;
		END;
	ELSE
		$delete;
		$insert;
	END CASE;
END \$\$;
EOF
}

sub mover
{
	my ($name) = @_;
	my @set = map { "$_ = " . made_of($name, $_, 'y') } key_columns($name);
	push @set, 'id = y' if !$tables{$name}[0]{id};

	return
		"UPDATE $name t SET "
	  . join(', ', @set)
	  . q{, label = 'was ' || x FROM unnest(these, others) u (x, y) WHERE }
	  . is_row($name, 't', 'x')
	  . " AND NOT EXISTS (SELECT FROM $name o WHERE "
	  . is_row($name, 'o', 'y') . ')';
}

# Numbers side by side or far apart; a row that moves goes near or far, and often
# stays with its tenant.
sub _make_writers
{
	my ($self) = @_;
	my $slots = int($self->{rows} * 2 / $classes);
	my $n = 0;
	my $cases = join "\n",
	  map { $n++; "WHEN $n THEN PERFORM churn_$_(kind, these, others);" }
	  @names;

	$self->source(<<"EOF");
CREATE FUNCTION churn(tab int, kind int, class int, base int, count int, stride int, shift int)
RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	these int[] := array(SELECT DISTINCT (base + g * stride) % $slots * $classes + class
		FROM generate_series(1, count) g);
	others int[] := array(SELECT (x / $classes + shift) % $slots * $classes + class
		FROM unnest(these) x);
BEGIN
	CASE tab
	$cases
	END CASE;
END \$\$;
EOF
	$self->_write_scripts($n, $slots);
	return;
}

sub _write_scripts
{
	my ($self, $tables, $slots) = @_;
	my $churn = <<"EOF";
\\set tab random(1, $tables)
\\set kind random(0, 99)
\\set base random(0, $slots)
\\set count random(1, 30)
\\set stride random(0, 1) * 7918 + 1
\\set shift random(1, $slots) / 10 * 10 + random(0, 1)
SELECT churn(:tab, :kind, :class, :base, :count, :stride, :shift);
EOF
	my $wait = "\\set ms random(10, 300)\n\\sleep :ms ms\n";
	my $end = "\\if :undo\nCOMMIT;\n\\else\nROLLBACK;\n\\endif\n";
	my $own = "\\set class :client_id\n";
	my $last = '\set class ' . ($classes - 1) . "\n";

	spit("$self->{dir}/single.sql", "$own$churn");
	spit("$self->{dir}/large.sql",
		$own . $churn =~ s/random\(1, 30\)/random(300, 2000)/r);
	spit("$self->{dir}/short.sql",
		"$own\\set undo random(0, 9)\nBEGIN;\n$churn$churn$end");
	spit("$self->{dir}/long.sql",
		"$last\\set undo random(0, 2)\nBEGIN;\n$churn$wait"
		  . "SAVEPOINT a;\n$churn${wait}ROLLBACK TO a;\n$churn"
		  . "SAVEPOINT a;\n$churn${wait}RELEASE a;\n$churn$wait$end");
	return;
}

# From now on until stop_writing(): as fast as it goes, or so many transactions a
# second.
sub write
{
	my ($self, $seed, $rate) = @_;
	$self->{writing} = [ $seed, $rate ? ('-R', $rate) : () ];
	$self->{pids} = {};
	$self->_start_writer($_) for qw(short long);
	return;
}

sub _start_writer
{
	my ($self, $kind) = @_;
	my ($seed, @rate) = @{ $self->{writing} };
	my ($node, $dir) = @{$self}{qw(node dir)};
	my @how =
	  $kind eq 'long'
	  ? ('-c', 1, '-f', "$dir/long.sql")
	  : (
		'-c', 3, @rate,
		map { ('-f', "$dir/$_") } 'short.sql@60', 'single.sql@20', 'large.sql@1'
	  );
	# a server that crashes forgets what it showed
	local $ENV{PGOPTIONS} = '-c synchronous_commit=off' if $self->{forgetful};
	my $pid = spawn("$dir/pgbench.log", 'pgbench', '-n', '-T', 3600,
		@how, '-M', 'prepared', '--random-seed=' . ($seed * 100 + $self->{runs}++),
		'-h', $node->host, '-p', $node->port, $self->{database});

	$self->{pids}{$pid} = $kind;
	return;
}

# Writers that lost the server begin again; call now and then.
sub tend
{
	my ($self) = @_;

	for my $pid (keys %{ $self->{pids} || {} })
	{
		$self->_start_writer(delete $self->{pids}{$pid})
		  if waitpid($pid, POSIX::WNOHANG()) == $pid;
	}
	return;
}

# What is open is undone.
sub stop_writing
{
	my ($self) = @_;
	my @pids = keys %{ delete $self->{pids} || {} };

	kill 'TERM', @pids;
	reap($_) for @pids;
	return;
}

# --- the judgement ---

# From now on a witness sees what is confirmed.
sub watch
{
	my ($self, $slot) = @_;
	$self->{witness} =
	  Wal2Kafka::Witness->new($self->{node}, $self->{kafka}, $slot,
		$self->topics);
	return;
}

# What the strict consumer says; dies when it refuses a record.
sub consume
{
	my ($self, @options) = @_;
	my ($status, $output) = run_tool(
		'strict_consumer', '--brokers',
		$self->{kafka}->brokers, '--database',
		$self->{node}->connstr($self->{copy}), '--until-end',
		@options, $self->topics);

	die "the strict consumer:\n$output" if $status;
	return $output;
}

# What the checker says; dies when something is wrong.  The ledger is of no use
# where rows were written before there was a slot.
sub check
{
	my ($self, @options) = @_;
	my @ledger =
	  $self->{early}
	  ? ()
	  : ('--ledger', write_ledger($self->{node}, $self->{database}));
	my ($status, $output) = run_tool(
		'checker', '--brokers', $self->{kafka}->brokers,
		@ledger, '--murmur2',
		$self->{witness} ? $self->{witness}->options : (),
		@options, $self->topics);

	die "the checker:\n$output" if $status;
	return $output;
}

# Each table that is not equal to its copy, with some of the rows.
sub differences
{
	my ($self) = @_;
	my ($node, $source, $copy) = @{$self}{qw(node database copy)};
	my @different =
	  grep { checksum($node, $copy, $_) ne checksum($node, $source, $_) }
	  $self->tables;

	return join "\n",
	  map { ("table $_ differs from its copy", $self->_rows_that_differ($_)) }
	  @different;
}

sub _rows_that_differ
{
	my ($self, $table) = @_;
	my $rows = <<"EOF";
SELECT encode(convert_to(left(t::text, 150), 'UTF8'), 'escape') || ' ' || md5(t::text)
FROM $table t ORDER BY 1
EOF
	my @source = split /\n/, $self->source($rows);
	my @copy = split /\n/, $self->copy($rows);
	my (%source, %copy);
	@source{@source} = ();
	@copy{@copy} = ();
	my @lacks = grep { !exists $copy{$_} } @source;
	my @has = grep { !exists $source{$_} } @copy;

	return (
		(map { "  the source has $_" } splice @lacks, 0, 10),
		(map { "  the copy has $_" } splice @has, 0, 10));
}

1;
