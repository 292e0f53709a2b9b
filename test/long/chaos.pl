# Everything dies, in no order, while rows are written: shipper, server, broker.
#
#	prove test/long/chaos.pl
#
# CHAOS_SECONDS (120) is how long; CHAOS_SEED replays the order of events, as
# far as timing lets it.  After each round everything must have arrived.
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
use Time::HiRes qw(time);

plan skip_all => 'needs a real broker' if Wal2Kafka::Kafka::why_mock();

my $seed = $ENV{CHAOS_SEED} || time() % 100000;
diag("CHAOS_SEED=" . srand($seed));

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source', conf => "wal_sender_timeout = 5s\n");
my $load = Wal2Kafka::Workload->new($node, $kafka);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	options => { max_in_flight => '1MB', release_after => 2 });
$shipper->init;
$shipper->start;
my $end = time() + ($ENV{CHAOS_SECONDS} || 120);

# the one place where time passes on purpose
sub pause { select(undef, undef, undef, rand($_[0])); return; }

sub restart_shipper
{
	my ($how) = @_;
	$how->();
	pause(0.3);
	$shipper->start;
	return;
}

my @events = (
	[
		'kill the shipper' => sub {
			restart_shipper(sub { $shipper->kill9 });
		}
	],
	[
		'stop the shipper' => sub {
			restart_shipper(sub { is($shipper->stop, 0, 'SIGTERM: status 0') }
			);
		}
	],
	[
		'freeze the shipper' => sub {
			kill 'STOP', $shipper->pid;
			pause(2);
			kill 'CONT', $shipper->pid;
		}
	],
	[
		'end the walsender' => sub {
			$node->safe_psql(
				'postgres', 'SELECT pg_terminate_backend(active_pid)
				FROM pg_replication_slots WHERE active');
		}
	],
	[
		'crash the server' =>
		  sub { $node->stop('immediate'); pause(0.5); $node->start; }
	],
	[
		'stop the server' =>
		  sub { $node->stop('fast'); pause(0.5); $node->start; }
	],
	[ 'checkpoint' => sub { $node->safe_psql('postgres', 'CHECKPOINT') } ],
	[ 'freeze Kafka' => sub { $kafka->freeze; pause(4); $kafka->thaw; } ],
	[ 'kill Kafka' => sub { $kafka->kill9; pause(1); $kafka->start; } ],
	[ 'stop Kafka' => sub { $kafka->stop; pause(1); $kafka->start; } ]);

my $round = 0;
while (time() < $end && Test::More->builder->is_passing)
{
	$round++;
	for (1 .. 8)
	{
		my $writers = $load->start_writers(int(rand(1_000_000)), 500);
		pause(1);
		my ($name, $act) = @{ $events[ rand @events ] };
		note("event: $name");
		$act->();
		$writers->finish;
		next if !$shipper->has_ended;
		my $status = $shipper->wait_exit;
		isnt($status, 3,
			"after \"$name\" the shipper ended with status $status");
		$shipper->start;
	}
	wait_for_slot($node, 'wal2kafka');
	pass("round $round: caught up");
	$load->consume;
	$load->judge;
}
is($shipper->stop, 0, 'stopped');

done_testing();
