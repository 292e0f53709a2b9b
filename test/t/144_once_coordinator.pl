# Exactly once through three brokers whose transaction coordinator moves: asked
# to, killed, stopped and frozen while transactions are open.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Workload;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new(
	brokers => 3,
	topic   => { 'min.insync.replicas' => 2 });
my $admin    = $kafka->admin;
my $node     = new_server('source');
my $workload = Wal2Kafka::Workload->new($node, $kafka);
my $shipper  = once_shipper(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http        => Wal2Kafka::Shipper->can_http,
	# a frozen broker is given up after this long
	broker => { 'request.timeout.ms' => 2000, 'socket.timeout.ms' => 4000 });

# the kit's brokers keep all transactions in one partition: its leader is it
my $transactions = '__transaction_state';

$shipper->init;
$shipper->start;
$workload->keep_writing(144, 100);
$kafka->wait_for_count(50, $workload->topics);

# With transactions being opened and committed all the while.
sub goes_on
{
	my ($what) = @_;
	wait_for_slot($node, 'wal2kafka');
	isnt($admin->leader($transactions), -1, "$what: delivery goes on");
	return;
}

for my $round (1 .. 2)
{
	my $old = $admin->leader($transactions);
	$admin->move_leader($transactions, 0, 1 + $old % 3);
	goes_on("it moved from broker $old");
}

my $coordinator = $admin->leader($transactions);
$kafka->kill9($coordinator);
goes_on('it was killed');
isnt($admin->leader($transactions), $coordinator, 'there is another');
$kafka->start($coordinator);
$kafka->wait_for_replicas($workload->topics, $transactions);

$coordinator = $admin->leader($transactions);
$kafka->freeze($coordinator);
goes_on('it is frozen');
$kafka->thaw($coordinator);
$kafka->wait_for_replicas($workload->topics, $transactions);
goes_on('the frozen one is back');

$coordinator = $admin->leader($transactions);
$kafka->stop($coordinator);
goes_on('it was stopped');

$workload->stop_writers;
wait_for_slot($node, 'wal2kafka');
if ($shipper->{http})
{
	$shipper->wait_ready;
	cmp_ok($shipper->metric('kafka_transactions_committed_total'),
		'>', 5, 'transactions were committed');
}
is($shipper->stop, 0, 'one shipper lived through it all');
$workload->consume;
$workload->judge;
is_once($node, $kafka, $workload->topics);

done_testing();
