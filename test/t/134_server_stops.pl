# The server is stopped (pg_ctl stop -m fast) under load.  With Kafka healthy
# all of it is delivered first; with Kafka frozen or down the server does not
# wait for it, nor for a supervisor that starts the shipper again and again; and
# nothing is lost.  How long each stop took is told by the server's log.
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
use POSIX      ();
use Time::Local qw(timegm);

my $kafka = Wal2Kafka::Kafka->new;
my $node  = new_server('source', conf => "log_line_prefix = '%m [%p] '\nlog_timezone = UTC\n");
my $load  = Wal2Kafka::Workload->new($node, $kafka);
my $slot  = 'wal2kafka';
my $mock  = $kafka->is_mock;
my $release = 2;
my $seed    = 1;
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	broker      => { 'reconnect.backoff.max.ms' => 500 },
	http        => Wal2Kafka::Shipper->can_http,
	options     => { release_after => $release, standby_check_interval => 1 });
$shipper->init;
$shipper->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Under load, whose clients lose their server.
sub stop_under_load
{
	my ($what, $settle) = @_;
	my $here    = $kafka->count($load->topics);
	my $writers = $load->start_writers($seed++, 10000);
	$kafka->wait_for_count($here + 200, $load->topics);
	$settle->() if $settle;
	stop_server($what);
	eval { $writers->finish };
	return;
}

# Whether it took no longer than it may: release_after and 5 s, and as much
# again for a machine that has more to do.
sub stop_server
{
	my ($what) = @_;
	my $from = -s $node->logfile;
	$node->stop('fast');
	my %at;
	for (split /\n/, substr slurp($node->logfile), $from)
	{
		my ($y, $mon, $d, $h, $min, $s, $text) =
		  /^(\d+)-(\d+)-(\d+) (\d+):(\d+):([\d.]+) UTC \[\d+\] LOG: +(.*)/ or next;
		$at{$text} = timegm(int $s, $min, $h, $d, $mon - 1, $y) + $s - int $s;
	}
	my $took = $at{'database system is shut down'} - $at{'received fast shutdown request'};
	diag(sprintf '%s: the server stopped in %.1f s', $what, $took);
	cmp_ok($took, '<', 2 * ($release + 5), "$what: the server stops");
	return;
}

sub caught_up
{
	my ($what) = @_;
	wait_for_slot($node, $slot);
	pass("$what: everything arrives");
	return;
}

# It is ready again, over one more connection.
sub next_stream
{
	my ($what, $before) = @_;
	return if !$shipper->{http};
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_outstanding}, 0, "$what: nothing waits");
	is($now->{streams_started_total}, $before + 1, "$what: one more stream is counted");
	return;
}

# --- Kafka is healthy: what was committed is delivered before the end ---
stop_under_load('Kafka is healthy');
is($shipper->kill9, 137, 'the shipper is killed while there is no server');
$node->start;
$load->consume;
$load->judge;

# --- Kafka is frozen, the ledger full of what it does not take ---
$shipper->start;
SKIP:
{
	skip 'a mock broker cannot be frozen', 2 if $mock;
	caught_up('in between');
	my $before = $shipper->{http} ? $shipper->metric('streams_started_total') : 0;
	stop_under_load('Kafka is frozen', sub { $kafka->freeze });
	if ($shipper->{http})
	{
		$shipper->wait_not_ready(qr/not streaming from the server; Kafka does not answer/);
		cmp_ok($shipper->metric('records_outstanding'), '>', 0, 'Kafka is frozen: not ready, records wait');
	}
	$node->start;
	$kafka->thaw;
	caught_up('Kafka was frozen');
	next_stream('Kafka was frozen', $before);
}

# --- Kafka is down, and a supervisor starts the shipper anew every second ---
$kafka->kill9;
$load->write_rows($seed++, 100);
$shipper->kill9;

# with a state record it would wait for Kafka before it reads the slot
my $hasty = Wal2Kafka::Shipper->new(%$shipper, options => { state => 'none' });
my $supervisor = fork // die "fork: $!";
if ($supervisor == 0)
{
	while (getppid() != 1)
	{
		$hasty->start;
		select undef, undef, undef, 1;
		$hasty->kill9;
	}
	POSIX::_exit(0);
}
wait_until('the shipper was started', sub { slot_field($node, $slot, 'active') eq 't' });
stop_server('Kafka is down, the shipper restarted every second');
kill 'KILL', $supervisor;
waitpid $supervisor, 0;
$node->start;
wait_until('no shipper is left', sub { slot_field($node, $slot, 'active') eq 'f' });
$kafka->start;
$shipper->start;
caught_up('Kafka was down');

# --- a server that is told how long to wait, by a shipper that never lets go ---
SKIP:
{
	skip 'wal_sender_shutdown_timeout is there from 19 on', 3
	  if !sql(q(SELECT count(*) FROM pg_settings WHERE name = 'wal_sender_shutdown_timeout'));
	skip 'a mock broker cannot be frozen', 3 if $mock;
	is($shipper->stop, 0, 'stopped');
	$shipper->{options}{release_after} = 600;
	$shipper->configure($shipper->config_text);
	sql(q(ALTER SYSTEM SET wal_sender_shutdown_timeout = '1s'));
	$node->reload;
	$shipper->start;
	stop_under_load('wal_sender_shutdown_timeout', sub { $kafka->freeze });
	$shipper->wait_not_ready(qr/not streaming from the server/) if $shipper->{http};
	$node->start;
	$kafka->thaw;
	caught_up('the server did not wait');
}

is($shipper->stop, 0, 'stopped');
$load->consume;
$load->judge;
done_testing();
