# From an INSERT to a consumer: the record, its key, its partition; rolled back
# and unpublished rows do not appear.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source', conf => 'track_commit_timestamp = on');
my $topic = 'public.orders';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric(10,2));
CREATE TABLE private (id int PRIMARY KEY);
CREATE TABLE lines (id int, n int, PRIMARY KEY (id, n));
CREATE PUBLICATION shop FOR TABLE orders, lines;
EOF
$kafka->create_topic($topic, 3);
$kafka->create_topic('public.lines', 3);

my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	slot => 'shop',
	publication => 'shop');
$shipper->init;
my ($status, $output) = $shipper->command('init');
is($status, 0, 'init finds everything right the second time');
$shipper->start;

# nothing else is written: the record must come without anything pushing it
$node->safe_psql('postgres',
	q{INSERT INTO orders VALUES (1, E'A "quoted"\nname', 9.5)});
$kafka->wait_for_count(1, $topic);
wait_for_slot($node, 'shop');
pass('an insert on an idle server arrives, and is confirmed');

my ($record) = $kafka->records($topic);
my $json = $record->{json};
my $xact = $node->safe_psql('postgres', <<'EOF');
SELECT to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC',
	'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM orders
EOF
is($record->{key}, '1', 'the key is the primary key');
is($json->{table_name}, 'orders', 'table_name');
is_deeply($json->{col_names}, [qw(id customer total)], 'col_names');
is_deeply($json->{op}, { Insert => [ '1', "A \"quoted\"\nname", '9.50' ] },
	'op');
is($json->{seq_id}, 0, 'seq_id');
like(
	$record->{value},
	qr/^\{"table_name":"orders","col_names":\[.*?\],"lsn":\d+,"seq_id":0,"op":/,
	'the five fields come first, numbers are numbers');
is($json->{schema}, 'public', 'schema');
is_deeply($json->{key}, [0], 'key');
is($json->{commit_ts}, $xact, 'commit_ts is when it was committed');

$node->safe_psql('postgres', <<'EOF');
BEGIN;
INSERT INTO orders VALUES (2, 'b', 2);
INSERT INTO private VALUES (1);
SAVEPOINT s;
INSERT INTO orders VALUES (3, 'c', 3);
ROLLBACK TO s;
INSERT INTO lines VALUES (2, 1);
UPDATE orders SET total = 4 WHERE id = 2;
COMMIT;
BEGIN;
INSERT INTO orders VALUES (4, 'd', 4);
ROLLBACK;
DELETE FROM orders WHERE id = 2;
EOF
wait_for_slot($node, 'shop');
my @records = sort {
		 $a->{json}{lsn} <=> $b->{json}{lsn}
	  || $a->{json}{seq_id} <=> $b->{json}{seq_id}
} $kafka->records($topic, 'public.lines');
is_deeply(
	[
		map {
			join ' ', $_->{json}{table_name}, keys %{ $_->{json}{op} },
			  $_->{json}{seq_id}
		} @records[ 1 .. $#records ]
	],
	[
		'orders Insert 0',
		'lines Insert 1',
		'orders Update 2',
		'orders Delete 0'
	],
	'seq_id counts over all tables; what was rolled back has none');
is_deeply(
	$records[3]{json}{op},
	{ Update => [ [ '2', undef, undef ], [ '2', 'b', '4.00' ] ] },
	'an update tells the key of the old row');
is_deeply(
	[ @{ $records[4]{json} }{qw(col_names op)} ],
	[ ['id'], { Delete => ['2'] } ],
	'a delete tells the key alone');
is($records[2]{key}, '["2","1"]', 'a key of two columns is an array');
is( $records[1]{json}{lsn},
	$records[3]{json}{lsn},
	'one lsn for a transaction');

# the partition is the one that a Java client would choose
SKIP:
{
	skip 'the mock has no such partitioner', 1 if $kafka->is_mock;
	$node->safe_psql('postgres',
		'INSERT INTO orders SELECT g, NULL, NULL FROM generate_series(10, 59) g'
	);
	wait_for_slot($node, 'shop');
	my %partition =
	  map { $_->{key} => $_->{partition} } $kafka->records($topic);
	$kafka->create_topic('reference', 3);
	$kafka->produce('reference', map { [ -1, $_, '{}' ] } keys %partition);
	my %expected =
	  map { $_->{key} => $_->{partition} } $kafka->records('reference');
	is_deeply(\%partition, \%expected, 'partitions are those of murmur2');
}

is($shipper->stop, 0, 'stopped by SIGTERM: status 0');
my @args = ('--brokers', $kafka->brokers, $topic, 'public.lines');
($status, $output) = run_tool('checker', @args);
is($status, 0, 'order, gaps, repeats') or diag($output);
ok(!exists { $kafka->topics }->{'public.private'},
	'no topic came into being by itself');

done_testing();
