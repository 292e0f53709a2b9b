# The same WAL by wal2kafka and by pgoutput, change by change, over tables and
# publications drawn at random.  Environment: DIFFER_SEEDS (a list of numbers),
# DIFFER_STEPS.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Differ;
use Wal2Kafka::RandomTables;
use Test::More;

my @seeds = split /[ ,]+/, $ENV{DIFFER_SEEDS} || '1 2 3 4 5 6';
my $steps = $ENV{DIFFER_STEPS} || 1500;
my $node  = new_server('differ',
	conf => "logical_decoding_work_mem = 64kB\nautovacuum = off\n"
	  . "max_prepared_transactions = 4\n");
my $major = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
my $compared = 0;
my $refused  = 0;

# Runs a script to its end; returns how many statements were refused.
sub run_script
{
	my ($db, $sql) = @_;
	my $errors = '';
	my $file = spit(launch_dir() . '/script.sql',
		"\\set ON_ERROR_ROLLBACK on\n$sql");

	IPC::Run::run([ 'psql', '-XqAt', '-f', $file, $node->connstr($db) ],
		'<', '/dev/null', '>', '/dev/null', '2>', \$errors);
	my @errors = $errors =~ /ERROR:  (.*)/g;
	note("  $_") for (@errors)[ 0 .. ($#errors < 4 ? $#errors : 4) ];
	return scalar @errors;
}

# What one plugin makes of it, where the comparison cannot: its error.
sub refusal
{
	my ($db, $plugin, $publications) = @_;
	my $options = "'proto_version', '1', 'publication_names', '$publications'";
	my ($status, undef, $error) = $node->psql($db, <<"SQL");
SELECT pg_copy_logical_replication_slot('diff', 'refused', true, '$plugin');
SELECT count(*) FROM pg_logical_slot_peek_binary_changes('refused', NULL, NULL, $options);
SQL
	return $status == 0 ? '' : $error =~ /ERROR:  (.*)/ ? $1 : $error;
}

sub compare
{
	my ($db, $seed, $name, @options) = @_;
	my ($status, $output) = run_differ($node, $db, 'diff', $name, @options);

	if ($status == 2)
	{
		# lists that contradict each other: then both have to refuse, but for
		# values of publish_generated_columns that come to the same columns
		my ($theirs, $ours) = map { refusal($db, $_, $name) } qw(pgoutput wal2kafka);
		my $same = $theirs =~ /different values of publish_generated_columns/;
		ok($theirs ne '' && ($ours ne '' || $same), "seed $seed: $name: refused")
		  or diag("pgoutput: $theirs\nwal2kafka: $ours\n$output");
		return 0;
	}
	is($status, 0, "seed $seed: $name @options")
	  or diag($output);
	note($output);
	return $output =~ /^compared (\d+) changes/m ? $1 : 0;
}

sub make_publication
{
	my ($db, $name, $tables, $lists) = @_;

	for (1 .. 50)
	{
		my $sql = random_publication($name, $major, $tables, $lists);
		next if $node->psql($db, $sql) != 0;
		note($sql);
		return;
	}
	die 'the server refuses every publication';
}

# Several publications at once, in any order.
sub some_of
{
	my @names = @_;
	my @some;

	push @some, splice(@names, rand @names, 1) for 1 .. 2 + rand(@names - 1);
	return join ',', @some;
}

sub play
{
	my ($seed) = @_;
	my $db = "seed$seed";

	srand($seed);
	my ($tables, $ddl) = random_tables($major);
	my @names = map { "p$_" } 1 .. 6;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, $ddl);
	make_publication($db, $_, $tables, $seed % 2) for @names;
	$node->safe_psql($db,
		"SELECT pg_create_logical_replication_slot('diff', 'wal2kafka')");
	$refused += run_script($db, random_workload($tables, $steps));

	$compared += compare($db, $seed, $_) for @names;
	$compared += compare($db, $seed, some_of(@names)) for 1 .. 4;
	$compared += compare($db, $seed, some_of(@names[ 0 .. 2 ]), '--walsender');
	$node->safe_psql($db, "SELECT pg_drop_replication_slot('diff')");
	$node->safe_psql('postgres', "DROP DATABASE $db");
	return;
}

# --- every kind of change once, by hand; and the comparison itself ---
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE def (id int PRIMARY KEY, v text, big text);
CREATE TABLE ful (id int PRIMARY KEY, v text, big text);
ALTER TABLE def ALTER big SET STORAGE EXTERNAL;
ALTER TABLE ful ALTER big SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
CREATE TABLE other (id int PRIMARY KEY, v text);
CREATE PUBLICATION both_tables FOR TABLE def, ful;
CREATE PUBLICATION one_table FOR TABLE def;
CREATE PUBLICATION inserts FOR TABLE def, ful WITH (publish = 'insert');
SELECT pg_create_logical_replication_slot('diff', 'wal2kafka');
INSERT INTO def VALUES (1, NULL, repeat('x', 10000)), (2, '', NULL);
INSERT INTO ful SELECT * FROM def;
UPDATE def SET v = 'a' WHERE id = 1;
UPDATE ful SET v = 'a' WHERE id = 1;
UPDATE def SET id = 3 WHERE id = 2;
UPDATE ful SET id = 3 WHERE id = 2;
DELETE FROM def WHERE id = 3;
DELETE FROM ful WHERE id = 3;
TRUNCATE def, ful;
CREATE CAST (bytea AS text) WITHOUT FUNCTION;
INSERT INTO def VALUES (4, '\x636166c3'::bytea::text, '\x00'::bytea::text);
SQL
my @by_hand = ($node, 'postgres', 'diff', 'both_tables');
is(same_as_pgoutput('by hand', @by_hand), 13, 'all changes are seen');
same_as_pgoutput('by hand, in a walsender',      @by_hand, '--walsender');
same_as_pgoutput('by hand, with a cold pgoutput', @by_hand, '--with=cold-pgoutput');
same_as_pgoutput('by hand, again and cold',       @by_hand, '--with=cold');
differs_treated(@by_hand);

# the copy that a consumer makes of it, and one that misses a record
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE copied (id int, v text);
ALTER TABLE copied REPLICA IDENTITY FULL;
CREATE PUBLICATION copied FOR TABLE copied;
SELECT pg_create_logical_replication_slot('copied', 'wal2kafka');
INSERT INTO copied VALUES (1, 'a'), (2, NULL), (2, NULL), (3, 'c');
UPDATE copied SET v = 'b' WHERE id = 1;
DELETE FROM copied WHERE id = 3;
SQL
my @copied = ($node, 'postgres', 'copied', 'copied', '--replay');
like((run_differ(@copied))[1], qr/^copies of 1 tables, 3 rows .* 0 differences/m,
	'the copy is equal');
like((run_differ(@copied, "--doctor=$_"))[1],
	qr/^copy of public.copied: (it|OLD)/m, "the copy shows: $_")
  for qw(lost value null old op);
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('copied')");

is((run_differ(@by_hand, "--our-publications=$_"))[0], 1, "noticed: $_")
  for 'one_table', 'inserts';
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('diff')");

play($_) for @seeds;
note("compared $compared changes; $refused statements were refused");
cmp_ok($compared, '>', 2000 * @seeds, 'enough was compared');
done_testing();
