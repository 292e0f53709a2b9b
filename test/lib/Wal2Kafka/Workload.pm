# Tables under FULL and DEFAULT identity with topics of one and of six
# partitions, writers that do everything to them, and the judgement of what
# arrived: a copy that the strict consumer keeps, and the source's own ledger.
package Wal2Kafka::Workload;

use strict;
use warnings;

use Carp;
use IPC::Run ();
use Test::More;
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;
use Wal2Kafka::Witness;

# One step on a table.  The key changes together with the large column: under
# DEFAULT the log does not hold what an update of the key leaves as it was, so
# no copy could keep it.
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

# Each writer keeps to a range of keys of its own, so they never wait for each
# other.  A transaction touches two tables; some are rolled back.
my $script = <<'EOF';
\set a random(1, 4)
\set b random(1, 4)
\set kind random(0, 99)
\set kind2 random(0, 99)
\set this random(0, 199) + :client_id * 1000
\set other random(0, 199) + :client_id * 1000
\set undo random(0, 19)
BEGIN;
SELECT step((ARRAY['full_1', 'full_6', 'def_1', 'def_6'])[:a], :kind, :this, :other);
SELECT step((ARRAY['full_1', 'full_6', 'def_1', 'def_6'])[:b], :kind2, :this, :other);
\if :undo
COMMIT;
\else
ROLLBACK;
\endif
EOF

# Makes tables, publication "p", topics, and the empty copy.
sub new
{
	my ($class, $node, $kafka) = @_;
	my @tables = qw(full_1 full_6 def_1 def_6);
	my $self = bless {
		node => $node,
		kafka => $kafka,
		tables => \@tables,
		topics => [ map { "public.$_" } @tables ],
		dir => launch_dir(),
	}, $class;

	$node->safe_psql('postgres', 'CREATE DATABASE copy');
	for my $name (@tables)
	{
		$node->safe_psql($_,
			"CREATE TABLE $name (id int PRIMARY KEY, v bigint, label text, big text, n int)"
		) for 'postgres', 'copy';
		$node->safe_psql('postgres',
			"ALTER TABLE $name ALTER big SET STORAGE EXTERNAL");
		$node->safe_psql('postgres',
			"ALTER TABLE $name REPLICA IDENTITY FULL")
		  if $name =~ /full/;
		$kafka->create_topic("public.$name", ($name =~ /(\d)$/)[0]);
	}
	$node->safe_psql('postgres', $step);
	$node->safe_psql('postgres',
		'CREATE PUBLICATION p FOR TABLE ' . join ', ', @tables);
	add_ledger($node, 'postgres', @tables);
	spit("$self->{dir}/steps.sql", $script);
	return $self;
}

sub tables { return @{ $_[0]->{tables} }; }
sub topics { return @{ $_[0]->{topics} }; }

# Four writers in the background; finish() waits for them.
sub start_writers
{
	my ($self, $seed, $transactions, @options) = @_;
	my $node = $self->{node};
	my $in = '';
	return IPC::Run::start(
		[
			'pgbench', '-n',
			'-c', 4,
			'-t', $transactions,
			'-M', 'prepared',
			"--random-seed=$seed", '-f',
			"$self->{dir}/steps.sql", '-h',
			$node->host, '-p',
			$node->port, @options,
			'postgres'
		],
		'<',
		\$in,
		'>&',
		"$self->{dir}/pgbench.log");
}

# As many transactions a second as given, until stop_writers().
sub keep_writing
{
	my ($self, $seed, $rate) = @_;
	$self->{writers} = $self->start_writers($seed, 1_000_000, '-R', $rate);
	return;
}

sub stop_writers
{
	my ($self) = @_;
	my $writers = delete $self->{writers};
	$writers->signal('TERM');
	$writers->finish;
	return;
}

sub write_rows
{
	my ($self, @args) = @_;
	return $self->start_writers(@args)->finish
	  || diag(slurp("$self->{dir}/pgbench.log"));
}

# From now on a witness sees what is confirmed; judge() heeds it.
sub watch
{
	my ($self, $slot) = @_;
	$self->{witness} = Wal2Kafka::Witness->new($self->{node}, $self->{kafka},
		$slot, $self->topics);
	return;
}

sub consume
{
	my ($self) = @_;
	my ($status, $output) = run_tool(
		'strict_consumer', '--brokers', $self->{kafka}->brokers,
		'--database', $self->{node}->connstr('copy'),
		'--until-end', $self->topics);
	note($output);
	is($status, 0, 'the strict consumer takes every record') or diag($output);
	like(
		$output,
		qr/found no row 0$/m,
		'and finds the row of every update and delete');
	return;
}

# The copy is equal, and the topics hold what the ledger says.  "options" are
# more of the checker's: --exactly-once, --keep FILE, ...
sub judge
{
	my ($self, @options) = @_;
	my $node = $self->{node};

	is( checksum($node, 'copy', $_),
		checksum($node, 'postgres', $_),
		"table $_ is equal") for $self->tables;
	isnt(
		$node->safe_psql(
			'copy', "SELECT count(*) FROM $_ WHERE big IS NOT NULL AND n > 0"
		),
		0,
		"$_: large values outlived updates") for $self->tables;
	my ($status, $output) = run_tool(
		'checker', '--brokers', $self->{kafka}->brokers,
		'--ledger', write_ledger($node, 'postgres'),
		'--murmur2',
		$self->{witness} ? $self->{witness}->options : (),
		@options, $self->topics);
	is($status, 0, 'nothing lost or made up, order and bytes hold');
	diag($output);
	return;
}

1;
