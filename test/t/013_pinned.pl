# A topic gets partitions while a record of it is unacknowledged and the
# producer is made anew: what is sent again goes where it went before, not by
# the new count behind records that are newer.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

# A slow partition is one whose batch does not fill: linger.ms is what it
# waits.  A topic with a small limit makes the shipper rebuild its producer.
my $kafka = Wal2Kafka::Kafka->new;
plan skip_all => 'the mock tells no limits of topics' if $kafka->is_mock;
my $node = new_server('source');

# Where keys are with two partitions and with three, as the broker's own
# clients place them.
sub places
{
	my ($count) = @_;
	$kafka->create_topic("places$count", $count);
	$kafka->produce("places$count", map { [ -1, $_, '{}' ] } 1000 .. 1100);
	return map { $_->{key} => $_->{partition} } $kafka->records("places$count");
}
my %two   = places(2);
my %three = places(3);
my @keys  = sort keys %two;
my ($slow) = grep { $two{$_} == 0 && $three{$_} == 1 } @keys;
my ($fast) = grep { $two{$_} == 1 && $three{$_} == 1 } @keys;
my ($warm) = grep { $two{$_} == 0 && $_ ne $slow } @keys;
my ($too)  = grep { $two{$_} == 1 && $_ ne $fast } @keys;

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE TABLE small (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE t, small;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t',     2);
$kafka->create_topic('public.small', 1, 'max.message.bytes' => 900);
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	broker      => { 'linger.ms' => 12000, 'batch.size' => 1000 });
$shipper->init;
$shipper->start;

# both partitions are known to have taken one, then may have more at once
$node->safe_psql('postgres',
	"INSERT INTO t VALUES ($_, 0, repeat('w', 3000))")
  for $warm, $too;
wait_for_slot($node, 'wal2kafka');
$node->safe_psql('postgres', "INSERT INTO t VALUES ($slow, 0, 'slow')");
$node->safe_psql('postgres',
	"INSERT INTO t VALUES ($fast, 0, repeat('f', 3000))");
$kafka->wait_for_count(3, 'public.t');
is(scalar(grep { $_->{key} eq $slow } $kafka->records('public.t')),
	0, 'the older record waits, the newer one is there');

$kafka->add_partitions('public.t', 3);
my $from = $shipper->log_size;
$node->safe_psql('postgres', 'INSERT INTO small VALUES (1)');
$shipper->wait_for_log(qr/making smaller batches/, $from);
wait_for_slot($node, 'wal2kafka');

my ($record) = grep { $_->{key} eq $slow } $kafka->records('public.t');
is($record->{partition}, 0, 'what is sent again goes where it was to go');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger',
	write_ledger($node, 'postgres', q(SELECT tab, act, what, xid FROM ledger)),
	'public.t');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);
is($shipper->stop, 0, 'status 0');

done_testing();
