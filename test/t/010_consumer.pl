# The consumer that doc/consumer.md describes: it follows, it may be killed at
# any time, and each change still takes effect once.  The table has no key, so
# that a change applied twice would show.
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
my $node = new_server('source');
my @topics = qw(public.events public.owners);

$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql($_, <<'EOF') for 'postgres', 'copy';
CREATE TABLE events (kind char(4), at timestamptz, size float8, ok bool);
CREATE TABLE owners (id int PRIMARY KEY, name text);
EOF
$node->safe_psql('postgres', <<'EOF');
ALTER TABLE events REPLICA IDENTITY FULL;
CREATE PUBLICATION p FOR TABLE events, owners;
EOF
$kafka->create_topic($topics[0], 2);
$kafka->create_topic($topics[1], 3);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p');
$shipper->init;
$shipper->start;

my $log = launch_dir() . '/consumer.log';

sub start_consumer
{
	return spawn($log, top_dir() . '/build/strict_consumer',
		'--brokers', $kafka->brokers, '--database', $node->connstr('copy'),
		@topics);
}

sub copied
{
	return $node->safe_psql('copy', 'SELECT count(*) FROM events');
}

# --- it follows ---
my $consumer = start_consumer();
$node->safe_psql('postgres',
	q{INSERT INTO owners VALUES (1, 'ann'); UPDATE owners SET name = 'bea'});
wait_until('a change is copied',
	sub { $node->safe_psql('copy', 'TABLE owners') eq '1|bea' });
pass('a change is copied while the consumer runs');
kill 'TERM', $consumer;
is(reap($consumer), 0, 'SIGTERM: status 0');

# --- it is killed ---
$node->safe_psql('postgres', <<'EOF') for 1 .. 10;
INSERT INTO events SELECT 'a', now(), g / 3.0::float8, g % 2 = 0
	FROM generate_series(1, 1000) g;
INSERT INTO events VALUES ('same', NULL, 'NaN', NULL), ('same', NULL, 'NaN', NULL);
EOF
for my $n (1 .. 4)
{
	my $before = copied();
	$consumer = start_consumer();
	wait_until('some are copied', sub { copied() > $before });
	kill 'KILL', $consumer;
	is(reap($consumer), 137, "killed after " . copied() . " rows");
	last if copied() > 9000;
}

# --- while single rows of many that are equal change ---
$node->safe_psql('postgres', <<'EOF');
DELETE FROM events WHERE ctid = (SELECT max(ctid) FROM events WHERE kind = 'same');
UPDATE events SET ok = true WHERE ctid = (SELECT min(ctid) FROM events WHERE kind = 'same');
UPDATE events SET size = '-0' WHERE size BETWEEN 1 AND 2;
EOF
wait_for_slot($node, 'wal2kafka');
my ($status, $output) =
  run_tool('strict_consumer', '--brokers', $kafka->brokers,
	'--database', $node->connstr('copy'),
	'--until-end', @topics);
is($status, 0, 'read to the end') or diag($output);
like($output, qr/found no row 0$/m, 'each old row was found');
is( checksum($node, 'copy', $_),
	checksum($node, 'postgres', $_),
	"table $_ is equal") for qw(events owners);
is($shipper->stop, 0, 'stopped');

done_testing();
