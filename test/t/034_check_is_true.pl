# What "check --tables" shows is what "run" does: each table's records come in
# that topic, under the text of those columns.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use JSON::PP ();
use Test::More;

# reading many topics back from the mock cluster takes minutes
plan skip_all => 'needs a real broker' if Wal2Kafka::Kafka::why_mock();

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');

# Every column of every row is its number in the table, except the partition's.
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE plain (a int, b int PRIMARY KEY);
CREATE TABLE pair (a int, b int, c int, PRIMARY KEY (c, a));
CREATE TABLE "Odd, Name.é" ("a" int, "B c" int PRIMARY KEY);
CREATE TABLE indexed (a int, b int NOT NULL, c int NOT NULL);
CREATE UNIQUE INDEX by_c ON indexed (c, b) INCLUDE (a);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_c;
CREATE TABLE whole (a int, b int PRIMARY KEY);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE whole_keyless (a int, b int);
ALTER TABLE whole_keyless REPLICA IDENTITY FULL;
CREATE TABLE deferred (a int PRIMARY KEY DEFERRABLE, b int);
CREATE TABLE labelled (a int, b int, c int, PRIMARY KEY (a, b));
CREATE TABLE labelled_too (a int, b int, c int, PRIMARY KEY (a, b));
CREATE TABLE configured (a int, b int, c int, PRIMARY KEY (a, b));
CREATE TABLE tree (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (b);
CREATE TABLE tree_x (b int NOT NULL, x int, a int NOT NULL);
ALTER TABLE tree_x DROP COLUMN x;
ALTER TABLE tree ATTACH PARTITION tree_x FOR VALUES IN (2);
CREATE TABLE tree_own PARTITION OF tree FOR VALUES IN (3);
CREATE TABLE grove (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (b);
CREATE TABLE grove_x PARTITION OF grove DEFAULT PARTITION BY LIST (a);
CREATE TABLE grove_x_y PARTITION OF grove_x DEFAULT;
CREATE TABLE listed (a int, b int, c int, PRIMARY KEY (c, a));
CREATE TABLE listed_keyless (a int, b int, c int, PRIMARY KEY (c, a));
CREATE TABLE listed_label (a int, b int, c int PRIMARY KEY);
ALTER TABLE listed_label REPLICA IDENTITY FULL;
CREATE SCHEMA "S-2";
CREATE TABLE "S-2".plain (a int, b int PRIMARY KEY);
LOAD 'wal2kafka';
SECURITY LABEL FOR wal2kafka ON TABLE labelled IS 'topic=by.label';
SECURITY LABEL FOR wal2kafka ON COLUMN labelled.a IS 'key=2';
SECURITY LABEL FOR wal2kafka ON COLUMN labelled.b IS 'key=1';
SECURITY LABEL FOR wal2kafka ON TABLE labelled_too IS 'topic=label_and_config';
SECURITY LABEL FOR wal2kafka ON TABLE tree IS 'topic=tree';
SECURITY LABEL FOR wal2kafka ON COLUMN tree.b IS 'key=1';
SECURITY LABEL FOR wal2kafka ON COLUMN tree_own.a IS 'key=1';
SECURITY LABEL FOR wal2kafka ON COLUMN listed_label.b IS 'key=1';
EOF

my @inserts = map { "INSERT INTO $_ VALUES (1, 2)" }
  qw(plain "S-2".plain whole whole_keyless deferred tree grove);
push @inserts, 'INSERT INTO "Odd, Name.é" VALUES (1, 2)',
  'INSERT INTO tree VALUES (1, 3)';
push @inserts,
  map { "INSERT INTO $_ VALUES (1, 2, 3)" }
  qw(pair indexed labelled labelled_too configured listed listed_keyless
	listed_label);

# of one comparison and the next
my (%created, %read);

sub empty
{
	$node->safe_psql(
		'postgres',
		'TRUNCATE ' . join ', ',
		map { /INTO (.*) VALUES/ } @inserts);
	return;
}

# table => [topic, key columns], as check shows them
sub shown
{
	my ($shipper) = @_;
	my ($status, $output) = $shipper->command('check', '--tables');
	my %shown;

	while ($output =~ /^(.+) -> (\S+) \(.*?\), (.*) \(.*\)$/mg)
	{
		my ($table, $topic, $key) = ($1, $2, $3);
		next if $table eq 'TABLE';
		$shown{$table} =
		  [ $topic, $key eq 'no key' ? [] : [ split /,/, $key ] ];
	}
	return %shown;
}

# The Kafka key that these columns make in a record.
sub key_of
{
	my ($record, @columns) = @_;
	my $json = $record->{json};
	my %row;

	@row{ @{ $json->{col_names} } } = @{ $json->{op}{Insert} };
	my @values = map { $row{s/^"|"$//gr} } @columns;
	return @values > 1 ? JSON::PP->new->encode(\@values) : $values[0];
}

sub compare
{
	my ($what, %o) = @_;
	my $shipper = Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, %o);
	my %shown = shown($shipper);
	my %topics = map { $_->[0] => 1 } values %shown;
	my %seen;

	cmp_ok(scalar(keys %shown), '>', 1, "$what: tables are shown");
	$kafka->create_topic($_, 1) for grep { !$created{$_}++ } sort keys %topics;
	$node->safe_psql('postgres', join ';', @inserts);
	$shipper->start;
	wait_for_slot($node, $shipper->{slot});
	is($shipper->stop, 0, "$what: all is sent");

	for my $record ($kafka->records(sort keys %topics))
	{
		next if $read{"$record->{topic} $record->{offset}"}++;
		my $json = $record->{json};
		my $table = $node->safe_psql(
			'postgres',
			qq{SELECT format('%I.%I', \$q\$$json->{schema}\$q\$,
				\$q\$$json->{table_name}\$q\$)});
		my ($topic, $key) = @{ $shown{$table} || [ '?', [] ] };
		$seen{$table} = 1;
		is($record->{topic}, $topic, "$what: topic of $table");
		is($record->{key}, key_of($record, @$key), "$what: key of $table");
	}
	is_deeply(
		[ sort keys %seen ],
		[ sort keys %shown ],
		"$what: every table that is shown was sent");
	return;
}

$node->safe_psql('postgres', <<'EOF');
CREATE PUBLICATION leaves FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION roots FOR TABLE tree, grove, plain, listed (c, a),
	listed_keyless (b, a), listed_label (a, b)
	WITH (publish = 'insert', publish_via_partition_root);
SELECT pg_create_logical_replication_slot(s, 'wal2kafka')
FROM unnest('{every,leaves,roots}'::text[]) s;
EOF

compare(
	'every table',
	slot => 'every',
	postgres => { topic_prefix => 'p' },
	routes => {
		'configured' => { topic => 'p.by-config', key => 'B' },
		'labelled_too' => { key => 'b,a' },
		'grove' => { topic => 'p.grove' },
		'"S-2".plain' => { topic => 'p.s2' }
	});
empty();
$node->safe_psql(
	'postgres',
	q{SELECT pg_replication_slot_advance(s, pg_current_wal_lsn())
	FROM unnest('{leaves,roots}'::text[]) s});
compare('published leaves', slot => 'leaves', publication => 'leaves');
empty();
$node->safe_psql('postgres',
	q{SELECT pg_replication_slot_advance('roots', pg_current_wal_lsn())});
compare(
	'published roots',
	slot => 'roots',
	publication => 'roots',
	postgres => { topic_prefix => 'r' },
	routes => {
		tree => { topic => 'r.tree' },
		grove => { key => 'b' }
	});

done_testing();
