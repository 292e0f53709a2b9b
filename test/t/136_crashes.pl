# The server and its processes die under load in every way: immediate stop, the
# postmaster killed, the walsender killed, terminated and cancelled, a storm of
# checkpoints and then a kill.  Positions may go back, nothing else.  And with
# wal_sender_timeout at one second, the least that makes sense.
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

my $kafka = Wal2Kafka::Kafka->new;
my $node  = new_server('source', conf => "wal_sender_timeout = 1s\nrestart_after_crash = on\n");
my $load  = Wal2Kafka::Workload->new($node, $kafka);
my $slot  = 'wal2kafka';
my $seed  = 1;
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http        => Wal2Kafka::Shipper->can_http,
	options     => { max_in_flight => '1MB', release_after => 600 });
$shipper->init;
$shipper->start;
wait_for_slot($node, $slot);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub walsender { return slot_field($node, $slot, 'active_pid'); }

# Under load, whose clients may lose their server.
sub under_load
{
	my ($what, $fault) = @_;
	restart_shipper();
	my $here    = $kafka->count($load->topics);
	my $writers = $load->start_writers($seed++, 150);
	my $pid     = $shipper->pid;

	$kafka->wait_for_count($here + 20, $load->topics);
	$fault->();
	eval { $writers->finish };
	wait_until("$what: the server answers",
		sub { $node->psql('postgres', 'SELECT 1') == 0 });
	wait_for_slot($node, $slot);
	pass("$what: everything arrives");
	tells($what) if $shipper->{http} && $pid == $shipper->pid;
	return;
}

# The shipper that lived through it is ready again, and has counted.
sub tells
{
	my ($what) = @_;
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	my $reason = $what =~ /cancelled/ ? 'unexpected' : 'retry';
	cmp_ok($now->{qq(connection_failures_total{reason="$reason"})}, '>', 0, "$what: ready, counted as $reason");
	cmp_ok($now->{streams_started_total}, '>=', 2, "$what: so is the next stream");
	return;
}

# Ends a process of the server and waits until that is so.
sub kill_process
{
	my ($signal, $pid) = @_;
	kill $signal, $pid;
	wait_until("process $pid has ended", sub { !kill 0, $pid });
	return;
}

# The server as after a power cut; its processes need a moment to be gone.
sub kill_postmaster
{
	$node->kill9;
	wait_until('the server starts again',
		sub { $node->start(fail_ok => 1) || ($node->stop('fast', fail_ok => 1), 0)[1] });
	return;
}

# One that starts anew tries at once: delays grow, and the longest, of 10 s, is
# for a server that has said that it goes down.
sub restart_shipper
{
	$shipper->kill9;
	$shipper->start;
	return;
}

# --- one second of patience, and nothing to tell but that it lives ---
SKIP:
{
	skip 'a mock broker cannot be frozen', 1 if $kafka->is_mock;
	$load->write_rows($seed++, 20);
	wait_for_slot($node, $slot);
	$kafka->freeze;
	$load->write_rows($seed++, 200);
	my ($pid, $now) = (walsender(), sql('SELECT clock_timestamp()'));
	$node->poll_query_until('postgres',
		"SELECT reply_time > '$now'::timestamptz + '2.5 s' FROM pg_stat_replication") or die 'silence';
	is(walsender(), $pid, 'the stream outlives a wal_sender_timeout of one second');
	$shipper->wait_not_ready(qr/^not ready: .*Kafka/) if $shipper->{http};
	$kafka->thaw;
	wait_for_slot($node, $slot);
	$shipper->wait_ready if $shipper->{http};
}

under_load('the walsender is cancelled', sub { sql('SELECT pg_cancel_backend(' . walsender() . ')') });
under_load('the walsender is terminated',
	sub { sql('SELECT pg_terminate_backend(' . walsender() . ')'); restart_shipper() });
under_load('the walsender is killed', sub { kill_process('KILL', walsender()) });
under_load('an immediate stop', sub { $node->stop('immediate'); $node->start; restart_shipper() });
under_load('the postmaster is killed', \&kill_postmaster);
under_load(
	'checkpoints, and a kill',
	sub {
		sql('CHECKPOINT') for 1 .. 10;
		kill_postmaster();
	});
unlike(slurp($node->logfile), qr/requested WAL segment .* has already been removed/, 'no WAL was missed');

is($shipper->stop, 0, 'stopped');
$load->consume;
$load->judge;
done_testing();
