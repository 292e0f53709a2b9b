# Three brokers that come and go under load: leaders are moved, killed, stopped
# and frozen, too few replicas are left.  Nothing is lost, the order holds, and
# the shipper lives through all of it.
#
# BROKERS_ROUNDS repeats it, and kills all brokers too; see test/long.
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
	http        => Wal2Kafka::Shipper->can_http,
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

sub kill_a_leader
{
	my $leader = $admin->leader($topic);
	$kafka->kill9($leader);
	goes_on('kill -9 of a leader');
	too_few_replicas();
	recover($leader);
	goes_on('enough replicas again');
	$admin->configure_topic($topic, 'min.insync.replicas' => 2);
	return;
}

# One topic has a replica less than there must be.
sub too_few_replicas
{
	$admin->configure_topic($topic, 'min.insync.replicas' => 3);
	$node->safe_psql('postgres',
		"UPDATE full_1 SET label = 'too few replicas'");
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	$kafka->wait_for_count(50 + $kafka->count('public.def_6'),
		'public.def_6');
	is(slot_field($node, 'wal2kafka', "confirmed_flush_lsn < '$lsn'"),
		't', 'too few replicas: other topics go on, nothing is confirmed');
	return if !$shipper->{http};
	$shipper->wait_not_ready(qr/a partition acknowledges nothing/);
	$shipper->wait_for_log(
		qr/topic "public\.full_1" partition 0 acknowledges nothing.*2 of 3 replicas are in sync/
	);
	pass('readiness and log tell of it');
	return;
}

sub freeze_a_leader
{
	my $leader = $admin->leader($topic);
	$kafka->freeze($leader);
	goes_on('a frozen leader');
	$kafka->thaw($leader);
	$kafka->wait_for_replicas($workload->topics);
	return;
}

sub stop_the_controller
{
	my $controller = $admin->controller;
	$kafka->stop($controller);
	goes_on('orderly stop of the controller');
	recover($controller);
	return;
}

sub kill_all
{
	$kafka->kill9(1 .. 3);
	$shipper->wait_not_ready(qr/Kafka does not answer/) if $shipper->{http};
	recover(1 .. 3);
	goes_on('all brokers were away');
	$shipper->wait_ready if $shipper->{http};
	return;
}

wait_for_slot($node, 'wal2kafka');
for (1 .. $ENV{BROKERS_ROUNDS} || 1)
{
	move_leaders(2);
	goes_on('leaders moved 16 times');
	kill_a_leader();
	freeze_a_leader();
	stop_the_controller();
	kill_all() if $ENV{BROKERS_ROUNDS};
}
if ($shipper->{http})
{
	$shipper->wait_ready;
	pass('all is well: ready');
}

$workload->stop_writers;
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'the shipper lived through it all');
$workload->consume;
$workload->judge;

# --- a leader that was not in sync, as the topic allows: records are lost, and
# that is no part of the promise; shipper and checker must notice ---
$node->safe_psql('postgres', <<'END');
CREATE TABLE lossy (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION lossy FOR TABLE lossy;
END
add_ledger($node, 'postgres', 'lossy');
$kafka->create_topic(
	'public.lossy', 1,
	'min.insync.replicas'            => 1,
	'unclean.leader.election.enable' => 'true');
my $lossy = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	slot        => 'lossy',
	publication => 'lossy');
$lossy->init;
$lossy->start;

sub write_lossy
{
	my ($from, $to) = @_;
	$node->safe_psql('postgres',
		"INSERT INTO lossy SELECT g, 0 FROM generate_series($from, $to) g");
	return;
}

my ($status, $output) = $lossy->command('check');
like(
	$output,
	qr/"public\.lossy" has 3 replicas and min\.insync\.replicas=1.*"public\.lossy" has unclean\.leader\.election\.enable=true/s,
	'check warns of what the topic allows');
write_lossy(1, 100);
wait_for_slot($node, 'lossy');
$admin->reassign('public.lossy', 0, 1, 2);
wait_until('two replicas are left',
	sub { @{ ($admin->partitions('public.lossy'))[0]{isr} } == 2 });
$admin->move_leader('public.lossy', 0, 1);
$kafka->kill9(2);
write_lossy(101, 200);
wait_for_slot($node, 'lossy');
$kafka->kill9(1);
$kafka->start(2);
wait_until(
	'the replica that lacks records leads',
	sub {
		$admin->elect_unclean('public.lossy', 0);
		return $admin->leader('public.lossy') == 2;
	});
write_lossy(201, 250);
is($lossy->wait_exit, 3, 'an unclean leader: the shipper ends with status 3');
like(
	$lossy->log,
	qr/topic "public\.lossy" partition 0 lost what was acknowledged/,
	'and says what happened');
($status, $output) = run_tool(
	'checker',
	'--brokers',
	$kafka->brokers,
	'--ledger',
	write_ledger(
		$node, 'postgres',
		q(SELECT tab, act, what, xid FROM ledger WHERE tab = 'lossy')),
	'public.lossy');
isnt($status, 0, 'the checker sees the loss');
like($output, qr/lost/, 'and calls it so');
note($output);

done_testing();
