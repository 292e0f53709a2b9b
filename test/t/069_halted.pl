# A change at which the plugin raises an error: what was committed before it is
# delivered all the same, though it was held in the same frame.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Test::More;

my $node = new_server('source');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'EOF');
CREATE TABLE good (id int PRIMARY KEY);
CREATE TABLE bad (id int PRIMARY KEY, v text);
CREATE PUBLICATION p FOR TABLE good, bad;
CREATE PUBLICATION q FOR TABLE bad (id);
EOF

my $folder  = launch_dir() . '/sink';
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	slot        => 'halted',
	publication => 'p,q',
	kafka       => undef,
	options     => { sink => "file:$folder", flush => 'batch' });
$shipper->init;

sql("INSERT INTO good VALUES ($_)") for 1 .. 3;
my $before = sql('SELECT pg_current_wal_lsn()');
sql('INSERT INTO bad VALUES (1)');
sql('INSERT INTO good VALUES (4)');

$shipper->start;
is($shipper->wait_exit, 3, 'it needs a person');
like($shipper->log, qr/different column lists/, 'who is told why');
like($shipper->log, qr/table "bad", lsn/, 'and where');

my @values = split /\n/, slurp("$folder/public.good.jsonl");
is(scalar(@values), 3, 'what lies before is delivered, and nothing behind');
is(slot_field($node, 'halted', "confirmed_flush_lsn >= '$before'"), 't', 'and confirmed');

# who starts it again and again does not get it again and again
$shipper->start;
is($shipper->wait_exit, 3, 'another start needs a person too');
@values = split /\n/, slurp("$folder/public.good.jsonl");
is(scalar(@values), 3, 'and sends nothing twice');

$node->stop;
done_testing();
