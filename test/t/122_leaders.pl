# Three brokers that come and go under load: leaders are moved, killed, stopped
# and frozen, too few replicas are left, none is.  Nothing is lost, the order
# holds, and the shipper lives through all of it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Workload;
use Test::More;

plan skip_all => 'the mock has one broker' if Wal2Kafka::Kafka::why_mock();

my $kafka = Wal2Kafka::Kafka->new(
	brokers => 3,
	topic   => { 'min.insync.replicas' => 2 });
my $admin    = $kafka->admin;
my $node     = new_server('source');
my $workload = Wal2Kafka::Workload->new($node, $kafka);
my $shipper  = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	# a frozen broker is given up after this long
	broker  => { 'request.timeout.ms' => 2000, 'socket.timeout.ms' => 4000 },
	options => { release_after        => 2 });
my $topic = 'public.full_1';
$shipper->init;
$shipper->start;
$workload->keep_writing(122, $ENV{BROKERS_RATE} || 100);

# Everything written so far arrives.
sub goes_on
{
	my ($what) = @_;
	wait_for_slot($node, 'wal2kafka');
	pass("$what: delivery goes on");
	return;
}

# All brokers run again, and hold everything.
sub recover
{
	my (@ids) = @_;
	$kafka->start(@ids);
	$kafka->wait_for_replicas($workload->topics);
	return;
}

sub move_leaders
{
	my ($rounds) = @_;
	for my $round (1 .. $rounds)
	{
		$admin->move_leader("public.full_6", $_, 1 + ($round + $_) % 3)
		  for 0 .. 5;
		$admin->move_leader($_, 0, 1 + $round % 3) for $topic, 'public.def_1';
	}
	return;
}

wait_for_slot($node, 'wal2kafka');
move_leaders(5);
goes_on('leaders moved 40 times');

my $leader = $admin->leader($topic);
$kafka->kill9($leader);
goes_on('kill -9 of a leader');
recover($leader);

my ($other) = grep { $_ != $admin->leader($topic) } 1 .. 3;
$kafka->stop($other);
goes_on('orderly stop of a broker that does not lead');
recover($other);

$leader = $admin->leader($topic);
$kafka->freeze($leader);
goes_on('a frozen leader');
$kafka->thaw($leader);
$kafka->wait_for_replicas($workload->topics);

my $controller = $admin->controller;
$kafka->kill9($controller);
goes_on('kill -9 of the controller');
recover($controller);

# a replica less than there must be
my ($away) = grep { $_ != $admin->leader($topic) } 1 .. 3;
$kafka->stop($away);
goes_on('two of three brokers');
$admin->configure_topic($topic, 'min.insync.replicas' => 3);
my $lsn = $node->safe_psql('postgres', <<'END');
INSERT INTO full_1 VALUES (-1, 0, 'too few replicas', NULL, NULL);
SELECT pg_current_wal_lsn();
END
$kafka->wait_for_count(50 + $kafka->count('public.def_6'), 'public.def_6');
is(slot_field($node, 'wal2kafka', "confirmed_flush_lsn < '$lsn'"),
	't', 'too few replicas: nothing is confirmed');
recover($away);
goes_on('enough replicas again');
$admin->configure_topic($topic, 'min.insync.replicas' => 2);

$kafka->kill9(1 .. 3);
my $from = $shipper->log_size;
$shipper->wait_for_log(qr/nothing was delivered for 2 s/, $from);
recover(1 .. 3);
goes_on('all brokers were away');

$workload->stop_writers;
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'the shipper lived through it all');
$workload->consume;
$workload->judge;

done_testing();
