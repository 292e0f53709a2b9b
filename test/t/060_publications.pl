# Row filters and column lists through a walsender: a copy kept from the records
# is what the publications let pass of the source, whatever is updated into and
# out of them; and the changes are pgoutput's.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Differ;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $steps = $ENV{PUBLICATION_STEPS} || 600;
my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source', conf => 'logical_decoding_work_mem = 64kB');

# what of each table is published
my %published = (
	seen => 'SELECT * FROM seen WHERE shown',
	even => 'SELECT * FROM even WHERE id % 2 = 0',
	longkey => 'SELECT * FROM longkey WHERE length(id) > 1000',
	tree => 'SELECT id, k, v FROM tree WHERE id % 3 > 0',
	told => "SELECT what FROM told WHERE level > 1 OR what LIKE 'a%'");
my @topics = map { "public.$_" } sort keys %published;
my @options = ('publication_names', 'p,roots,told,more');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'EOF');
CREATE TABLE seen (id int PRIMARY KEY, shown bool, n int, big text);
ALTER TABLE seen REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL;
CREATE TABLE even (id int PRIMARY KEY, n int);
CREATE TABLE longkey (id text PRIMARY KEY, n int);
ALTER TABLE longkey ALTER id SET STORAGE EXTERNAL;
CREATE TABLE tree (id int, secret text, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE tree_0 PARTITION OF tree FOR VALUES IN (0);
CREATE TABLE tree_x (junk int, v text, k int NOT NULL, secret text, id int NOT NULL) PARTITION BY LIST (k);
ALTER TABLE tree_x DROP COLUMN junk;
CREATE TABLE tree_x_1 (k int NOT NULL, a int, b int, secret text, id int NOT NULL, v text);
ALTER TABLE tree_x_1 DROP COLUMN a, DROP COLUMN b;
ALTER TABLE tree_x ATTACH PARTITION tree_x_1 FOR VALUES IN (1);
CREATE TABLE tree_x_2 PARTITION OF tree_x FOR VALUES IN (2);
ALTER TABLE tree ATTACH PARTITION tree_x DEFAULT;
CREATE TABLE told (id int PRIMARY KEY, level int, what text);
CREATE PUBLICATION p FOR TABLE seen WHERE (shown), even WHERE (id % 2 = 0),
	longkey WHERE (length(id) > 1000);
CREATE PUBLICATION roots FOR TABLE tree (v, id, k) WHERE (id % 3 > 0)
	WITH (publish_via_partition_root);
CREATE PUBLICATION told FOR TABLE told (what) WHERE (level > 1) WITH (publish = 'insert');
CREATE PUBLICATION more FOR TABLE told (what) WHERE (what LIKE 'a%'), tree_x_1 WHERE (k = 7)
	WITH (publish = 'insert');
CREATE DATABASE copy;
EOF
$node->safe_psql('copy', <<'EOF');
CREATE TABLE seen (id int PRIMARY KEY, shown bool, n int, big text);
CREATE TABLE even (id int PRIMARY KEY, n int);
CREATE TABLE longkey (id text PRIMARY KEY, n int);
CREATE TABLE tree (id int, k int, v text, PRIMARY KEY (id, k));
CREATE TABLE told (what text);
EOF

# --- what happens to them ---
sub any { return $_[ rand @_ ]; }
my $id = 1000;

# Stored outside the row where it is long.
sub key
{
	my ($n) = @_;
	return any("'short $n'", "repeat(md5('$n'), 70)");
}

# Rows that pass and rows that do not become each other, with keys and without.
sub random_statement
{
	my ($some, $new, $n) = (int(rand 40), ++$id, int(rand 1000));
	my $first = 'WHERE id = (SELECT min(id) FROM';

	return any(
		"INSERT INTO seen VALUES ($new, " . any(qw(true false NULL))
		  . ", $n, repeat(md5('$n'), 100))",
		"UPDATE seen SET shown = " . any('NOT shown', 'true', 'NULL')
		  . " WHERE id % 40 = $some",
		"UPDATE seen SET n = $n WHERE id % 40 = $some",
		"UPDATE seen SET id = $new $first seen WHERE shown)",
		"UPDATE seen SET id = $new, shown = NOT shown $first seen)",
		"DELETE FROM seen WHERE id % 40 = $some",
		"INSERT INTO even VALUES ($new, $n)",
		"UPDATE even SET n = $n WHERE id % 40 = $some",
		"UPDATE even SET id = $new $first even)",
		"DELETE FROM even WHERE id % 200 = $some",
		('INSERT INTO longkey VALUES (' . key($new) . ", $n)") x 3,
		"UPDATE longkey SET n = $n WHERE n % 40 IN ($some, $some / 2)",
		'UPDATE longkey SET id = ' . key($new) . " $first longkey)",
		"DELETE FROM longkey WHERE n % 400 = $some",
		("INSERT INTO tree VALUES ($new, 'secret', $new % 3, 'v$n')") x 3,
		"UPDATE tree SET v = 'w$n', secret = 'secret $n' WHERE id % 40 = $some",
		"UPDATE tree SET k = (k + 1) % 3 WHERE id % 40 = $some",
		"UPDATE tree SET id = $new $first tree)",
		"DELETE FROM tree WHERE id % 200 = $some",
		"INSERT INTO told VALUES ($new, $n % 4, '" . any(qw(a b)) . "$n')",
		"UPDATE told SET id = $new + 100000 $first told)");
}

sub write_rows
{
	my ($count) = @_;
	my $script = '';

	for (1 .. $count)
	{
		$script .= 'BEGIN;'
		  . join(';', map { random_statement() } 0 .. rand 4)
		  . any((';COMMIT;') x 9, ';ROLLBACK;') . "\n";
	}
	sql($script);
	return;
}

# --- through the shipper into a copy ---
$kafka->create_topic($_, 1) for @topics;
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => $options[1]);
$shipper->init;
sql("SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')")
  for qw(sql walsender);
srand(60);
$shipper->start;
write_rows($steps);
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'all is sent');

my ($status, $output) = run_tool(
	'strict_consumer', '--brokers',
	$kafka->brokers, '--database',
	$node->connstr('copy'), '--until-end',
	@topics);
is($status, 0, 'the strict consumer takes every record') or diag($output);
like($output, qr/found no row 0$/m, 'and finds the row of each');

sub rows_of
{
	my ($db, $query) = @_;
	return $node->safe_psql($db, "SELECT t::text FROM ($query) t ORDER BY 1");
}
for my $table (sort keys %published)
{
	my $expected = rows_of('postgres', $published{$table});
	is(rows_of('copy', "SELECT * FROM $table"), $expected, "$table is equal");
	cmp_ok(scalar(split /\n/, $expected), '>', 3, "$table has rows");
}
($status, $output) = run_tool('checker', '--brokers', $kafka->brokers, @topics);
is($status, 0, 'order, gaps, repeats') or diag($output);

my %ops;
for my $json (map { $_->{json} } $kafka->records(@topics))
{
	my ($op) = keys %{ $json->{op} };
	$ops{"$json->{table_name} $op" . ($json->{key_change} ? ' moved' : '')}++;
}
note(join ', ', map { "$_ $ops{$_}" } sort keys %ops);
is( join(', ', sort keys %ops),
	join(', ', sort 'told Insert', map { ("$_ Insert", "$_ Insert moved",
		"$_ Update", "$_ Delete", "$_ Delete moved") } qw(even longkey seen tree)),
	'each kind of record occurred');
is(scalar(grep { /"table_name":"told".*"key"/ } map { $_->{value} } $kafka->records('public.told')),
	0, 'a list without the key: no key');

# --- the same bytes as text lines, the same changes as pgoutput ---
my $end = sql('SELECT pg_current_wal_insert_lsn()');
my $file = launch_dir() . '/lines';
sql("SELECT pg_logical_emit_message(true, '', '')");
is( reap(
		spawn(
			launch_dir() . '/receiver.log', 'pg_recvlogical',
			'-d', $node->connstr('postgres'),
			'-S', 'walsender',
			'--start', '--endpos', $end,
			'-f', $file,
			'-o', join('=', @options))),
	0,
	'pg_recvlogical reads to the end');
is( slurp($file),
	sql("SELECT data FROM pg_logical_slot_peek_changes('sql', NULL, NULL, '"
		  . join("', '", @options) . "')") . "\n",
	'SQL gives the same lines');
unlike(slurp($file), qr/secret/, 'an unlisted column is nowhere');
cmp_ok(
	same_as_pgoutput(
		'as pgoutput', $node, 'postgres', 'sql', $options[1], '--walsender'),
	'>', $steps,
	'enough was compared');

# --- a filter that fails, and lists that disagree, say where and what to do ---
sub refused
{
	my ($what, $publications, $pattern) = @_;
	my $log = launch_dir() . '/refused.log';

	spit($log, '');
	my $receiver = spawn(
		$log, 'pg_recvlogical',
		'-d', $node->connstr('postgres'),
		'-S', 'walsender',
		'--start', '-n',
		'-f', '/dev/null',
		'-o', "publication_names=$publications",
		'-o', 'missing_publication=skip');
	isnt(reap($receiver), 0, "$what: refused");
	like(slurp($log), $pattern, "$what: named");
	return;
}

sql(<<'EOF');
CREATE TABLE failing (id int PRIMARY KEY, v int);
CREATE PUBLICATION failing FOR TABLE failing WHERE (100 / id > 1);
CREATE PUBLICATION narrow FOR TABLE failing (id);
BEGIN;
INSERT INTO failing VALUES (1, 1);
INSERT INTO failing VALUES (0, 1);
COMMIT;
EOF
my $lsn = sql('SELECT pg_current_wal_lsn()');
my $before = slot_field($node, 'walsender', 'confirmed_flush_lsn');
refused('a filter that fails', 'failing',
	qr/division by zero\nCONTEXT:  row filter of publication "failing"\n.*record of table "failing", lsn \d+ \(\S+\), seq_id 1/);
refused('lists that disagree', 'failing,narrow',
	qr/different column lists for table "public\.failing".*\nDETAIL:  .*"failing" and "narrow".*\nHINT:  .*request only one.*\nCONTEXT:  .*table "failing", lsn/);
is(slot_field($node, 'walsender', 'confirmed_flush_lsn'),
	$before, 'the slot stays');
sql("SELECT pg_replication_slot_advance('walsender', '$lsn')");
sql('INSERT INTO failing VALUES (2, 2)');
like(
	sql("SELECT data FROM pg_logical_slot_peek_changes('walsender', NULL, NULL, 'publication_names', 'failing')"),
	qr/"Insert":\["2","2"\]/,
	'advanced past it, the slot goes on');

# --- a publication that is younger than the slot ---
my $late = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	slot => 'late',
	publication => 'late');
$kafka->create_topic('public.failing', 1);
sql(<<'EOF');
SELECT pg_create_logical_replication_slot('late', 'wal2kafka');
INSERT INTO failing VALUES (10, 10);
CREATE PUBLICATION late FOR TABLE failing;
INSERT INTO failing VALUES (11, 11);
EOF
$late->start;
is($late->wait_exit, 3,
	'a publication younger than the slot: a person has to decide');
like(
	$late->log,
	qr/publication "late" does not exist at this point.*table "failing", lsn.*\n.*missing_publication = skip/,
	'with the remedy');
$late->{options} = { missing_publication => 'skip' };
$late->{publication} = 'late,later';
$late->configure($late->config_text);
$late->start;
wait_for_slot($node, 'late');
is($late->stop, 0, 'missing_publication = skip goes on');
is_deeply(
	[ map { $_->{json}{op} } $kafka->records('public.failing') ],
	[ { Insert => [ '11', '11' ] } ],
	'with what was published when it was written');
like(
	$late->log,
	qr/warning publication "later" does not exist/,
	'one that is not there yet is named');

# --- init makes the publication first, whatever is written meanwhile ---
my $busy = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	slot => 'busy',
	publication => 'busy',
	postgres => { publication_tables => 'public.busy' });
sql('CREATE TABLE busy (id int PRIMARY KEY); CREATE TABLE done ()');
$kafka->create_topic('public.busy', 1);
my $writer = spawn(
	launch_dir() . '/writer.log', 'psql',
	'-X', '-d', $node->connstr('postgres'),
	'-c', <<'EOF');
DO $$ BEGIN
	FOR i IN 1 .. 1000000 LOOP
		INSERT INTO busy VALUES (i);
		COMMIT;
		EXIT WHEN EXISTS (SELECT FROM done);
	END LOOP;
END $$
EOF

sub wait_for_rows
{
	my ($least) = @_;
	wait_until("there are $least rows",
		sub { sql("SELECT count(*) >= $least FROM busy") eq 't' });
	return;
}
wait_for_rows(100);
$busy->init;
wait_for_rows(100 + sql('SELECT count(*) FROM busy'));
sql('INSERT INTO done DEFAULT VALUES');
is(reap($writer), 0, 'the writer ends');
$busy->start;
wait_for_slot($node, 'busy');
is($busy->stop, 0, 'the publication is older than all that the slot sees');
my @busy = map { $_->{json}{op}{Insert}[0] } $kafka->records('public.busy');
is( "$busy[0] $busy[-1]",
	join(' ', $busy[-1] - $#busy, sql('SELECT max(id) FROM busy')),
	'every row from there on has arrived');

done_testing();
