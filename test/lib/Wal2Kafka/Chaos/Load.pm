# Rows of every kind, without a pause, while other things die: tables with and
# without a key, under FULL and DEFAULT, partitioned, with large values that
# updates leave alone; transactions of 1 to 5,000 rows, some undone in part or
# whole; and now and then another definition.
package Wal2Kafka::Chaos::Load;

use strict;
use warnings;

use Carp;
use POSIX ();
use Test::More;
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

use parent 'Wal2Kafka::Workload';

# name => what the table is; the four of the usual workload come first.
my $columns = 'id int, v bigint, label text, big text, n int';
my %more = (
	parted => "($columns, PRIMARY KEY (id)) PARTITION BY HASH (id)",
	loose => "($columns)",
	events => "($columns)");

# An update of the key, and one that moves a row to another partition, sets the
# large column too: else the log would not hold it.
my $functions = <<'EOF';
CREATE FUNCTION several(tab text, base int, rows int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %I SELECT id, 0, $2, NULL, 0
		FROM generate_series($1, $1 + $3 - 1) id
		ON CONFLICT (id) DO UPDATE SET n = coalesce(%1$I.n, 0) + 1', tab)
		USING base, 'several', rows;
	IF random() < 0.3 THEN
		EXECUTE format('DELETE FROM %I WHERE id BETWEEN $1 AND $1 + $2', tab)
			USING base, rows / 2;
	END IF;
END $$;
CREATE FUNCTION keyless(base int, kind int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO events VALUES (base, 0, 'event ' || kind, NULL, kind);
	CASE
	WHEN kind < 5 THEN
		INSERT INTO loose VALUES (base, 0, E'\u00e9\u2028"\\', large(), NULL);
	WHEN kind < 8 THEN
		UPDATE loose SET n = coalesce(n, 0) + 1 WHERE id = base;
	ELSE
		DELETE FROM loose WHERE id = base;
	END CASE;
END $$;
EOF

# Each client keeps to keys of its own: 0 to 199, and 5,000 for the large ones.
my $head = <<'EOF';
\set a random(1, 5)
\set b random(1, 5)
\set kind random(0, 99)
\set kind2 random(0, 99)
\set this random(0, 199) + :client_id * 1000
\set other random(0, 199) + :client_id * 1000
\set base 100000 + :client_id * 10000
EOF
my $tables = q{(ARRAY['full_1', 'full_6', 'def_1', 'def_6', 'parted'])};
my $step = "SELECT step($tables\[:a], :kind, :this, :other);\n";
my $other = "SELECT step($tables\[:b], :kind2, :this, :other);\n";

sub several { return "SELECT several($tables\[:a], :base, $_[0]);\n"; }

# name => [weight, what it does]
my %scripts = (
	small => [ 120, "BEGIN;\n$step${other}COMMIT;\n" ],
	single => [ 60, $step ],
	several => [ 24, "\\set rows random(2, 60)\n" . several(':rows') ],
	keyless =>
	  [ 30, "\\set kind random(0, 9)\nSELECT keyless(:this, :kind);\n" ],
	savepoint => [
		16,
		"BEGIN;\n${step}SAVEPOINT a;\n${other}ROLLBACK TO a;\n" . several(5)
		  . "SAVEPOINT a;\n${other}RELEASE a;\nCOMMIT;\n"
	],
	undone => [ 8, "BEGIN;\n$step" . several(40) . "ROLLBACK;\n" ],
	large => [ 1, "\\set rows random(500, 4999)\n" . several(':rows') ]);

# How much is written: options of pgbench, undef for nothing at all.
my %phases = (
	steady => [ '-c', 4, '-R', 40 ],
	burst => [ '-c', 4, '-R', 150 ],
	trickle => [ '-c', 1, '-R', 4 ],
	idle => undef);

sub new
{
	my ($class, $node, $kafka) = @_;
	my $self = Wal2Kafka::Workload::new($class, $node, $kafka);

	@{$self}{qw(runs added extra dropped)} = (0, 0, [], []);
	$node->safe_psql('postgres', $functions);
	$node->safe_psql('postgres',
		'ALTER PUBLICATION p SET (publish_via_partition_root = true)');
	$self->_add_table($_) for sort keys %more;
	spit("$self->{dir}/$_.sql", $head . $scripts{$_}[1]) for keys %scripts;
	return $self;
}

sub _add_table
{
	my ($self, $name) = @_;
	my $node = $self->{node};

	$node->safe_psql($_, "CREATE TABLE $name $more{$name}")
	  for 'postgres', 'copy';
	$node->safe_psql('postgres', 'ALTER TABLE loose REPLICA IDENTITY FULL')
	  if $name eq 'loose';
	$self->{kafka}->create_topic("public.$name", 3);
	push @{ $self->{tables} }, $name;
	push @{ $self->{topics} }, "public.$name";
	$node->safe_psql('postgres', "ALTER PUBLICATION p ADD TABLE $name");
	add_ledger($node, 'postgres', $name);
	$self->_add_partitions if $name eq 'parted';
	return;
}

# Records name the root, so the ledger does.
sub _add_partitions
{
	my ($self) = @_;
	my $node = $self->{node};

	$node->safe_psql('postgres', <<'EOF');
DROP TRIGGER log ON parted;
CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON parted
	FOR EACH ROW EXECUTE FUNCTION write_ledger('parted');
EOF
	for my $database ('postgres', 'copy')
	{
		$node->safe_psql($database,
			"CREATE TABLE parted_$_ PARTITION OF parted
				FOR VALUES WITH (MODULUS 3, REMAINDER $_)") for 0 .. 2;
	}
	return;
}

sub phases { return sort keys %phases; }

# From now on, until the next phase; "seed" is for what is drawn.
sub phase
{
	my ($self, $phase, $seed) = @_;

	$self->stop;
	@{$self}{qw(phase seed)} = ($phase, $seed);
	$self->_start if $phases{$phase};
	return;
}

sub _start
{
	my ($self) = @_;
	my $node = $self->{node};

	$self->{pid} = spawn(
		"$self->{dir}/pgbench.log",
		'pgbench', '-n', '-T', 3600,
		@{ $phases{ $self->{phase} } },
		'--random-seed=' . ($self->{seed} + $self->{runs}++),
		(
			map { ('-f', "$self->{dir}/$_.sql\@$scripts{$_}[0]") }
			  sort keys %scripts),
		'-h', $node->host, '-p', $node->port, 'postgres');
	return;
}

# Writers that lost the server begin again; call now and then.
sub tend
{
	my ($self) = @_;
	my $pid = $self->{pid} or return;

	return if waitpid($pid, POSIX::WNOHANG()) != $pid;
	spit("$self->{dir}/pgbench.log", '')
	  if -s "$self->{dir}/pgbench.log" > 1_000_000;
	$self->_start;
	return;
}

# Whatever transactions are open are undone.
sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	kill 'TERM', $pid;
	reap($pid);
	return;
}

# One change of a definition, which "draw" decides; whether it could be made.
# The copy gets a column before any record that has it, and loses it after the
# last one.
sub alter
{
	my ($self, $draw) = @_;
	my $table = $self->{tables}[ $draw % 5 ];
	my @ways = (
		sub { return $self->_add_column($table); },
		sub { return $self->_drop_column; },
		sub { return $self->_try("VACUUM FULL $table"); },
		sub {
			my $type = $draw % 2 ? 'bigint' : 'int';
			return $self->_try("ALTER TABLE $table ALTER n TYPE $type");
		},
		sub {
			my $identity = $draw % 2 ? 'FULL' : 'DEFAULT';
			return $self->_try("ALTER TABLE def_6 REPLICA IDENTITY $identity");
		},
		sub {
			return $self->_try("CREATE INDEX by_label ON $table (label);
				DROP INDEX by_label");
		});

	return $ways[ $draw / 5 % @ways ]->();
}

sub _add_column
{
	my ($self, $table) = @_;
	my $column = 'c' . $self->{added}++;
	my $add = "ALTER TABLE $table ADD COLUMN $column text DEFAULT 'more'";

	return 0 if !$self->_try($add);
	$self->{node}->safe_psql('copy', $add);
	push @{ $self->{extra} }, [ $table, $column ];
	return 1;
}

sub _drop_column
{
	my ($self) = @_;
	my $old = shift @{ $self->{extra} } or return 0;

	if (!$self->_try("ALTER TABLE $old->[0] DROP COLUMN $old->[1]"))
	{
		unshift @{ $self->{extra} }, $old;
		return 0;
	}
	push @{ $self->{dropped} }, $old;
	return 1;
}

# Locks may be held for long.
sub _try
{
	my ($self, $sql) = @_;
	local $ENV{PGOPTIONS} = '-c lock_timeout=5s';
	my ($status) = eval { $self->{node}->psql('postgres', $sql) };

	return defined $status && $status == 0;
}

# Everything that was written has arrived: is it right?  Returns what the
# checker says, and dies if it is not.  "options" are more of the checker's.
sub judge_round
{
	my ($self, @options) = @_;
	my $node = $self->{node};
	my ($status, $applied) = run_tool(
		'strict_consumer', '--brokers',
		$self->{kafka}->brokers, '--database',
		$node->connstr('copy'), '--until-end',
		$self->topics);

	die "the strict consumer: $applied" if $status;
	die "the strict consumer: $applied" if $applied !~ /found no row 0$/m;
	$self->_drop_from_copy;
	for my $table ($self->tables)
	{
		die "table $table differs from its copy\n"
		  if checksum($node, 'copy', $table) ne
		  checksum($node, 'postgres', $table);
	}
	($status, my $output) = run_tool(
		'checker', '--brokers', $self->{kafka}->brokers,
		'--ledger', write_ledger($node, 'postgres'),
		'--murmur2', @options, $self->topics);
	die "the checker: $output" if $status;
	return $output;
}

sub _drop_from_copy
{
	my ($self) = @_;

	$self->{node}
	  ->safe_psql('copy', "ALTER TABLE $_->[0] DROP COLUMN $_->[1]")
	  for splice @{ $self->{dropped} };
	return;
}

# What was judged goes from the ledger and the topics, so that neither disk nor
# memory grows with the hours.
sub forget
{
	my ($self) = @_;

	$self->{node}->safe_psql('postgres', 'TRUNCATE ledger');
	return if $self->{kafka}->is_mock;
	run_tool('kafka_tool', $self->{kafka}->brokers, 'truncate', $self->topics);
	return;
}

1;
