# Three shippers of one slot: one ships, the others wait, and one of them goes
# on when it is killed, stopped, or frozen, under load.  Nothing is lost and
# order holds, also when the frozen one thaws with a full queue and sends what
# is old news by then.  How long each takeover took is told, not judged.
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
use Time::Local qw(timegm);

my $kafka = Wal2Kafka::Kafka->new;

# a frozen program is noticed by this
my $node   = new_server('source', conf => "wal_sender_timeout = 3s\n");
my $load   = Wal2Kafka::Workload->new($node, $kafka);
my $slot   = 'wal2kafka';
my $mock   = $kafka->is_mock;
my $amount = $mock ? 40 : 150;    # transactions of each of four writers
my $http   = Wal2Kafka::Shipper->can_http;
my %shipper;
my %from;                         # where the log of each begins to matter

for my $name ('a' .. 'c')
{
	$shipper{$name} = Wal2Kafka::Shipper->new(
		node        => $node,
		kafka       => $kafka,
		publication => 'p',
		http        => $http,
		options     => { standby_check_interval => 1, release_after => 600 });
	$from{$name} = 0;
}

sub log_of { my ($name) = @_; return substr $shipper{$name}->log, $from{$name}; }

sub begin
{
	my ($name) = @_;
	$from{$name} = $shipper{$name}->log_size;
	$shipper{$name}->start;
	return;
}

sub waits
{
	my ($name) = @_;
	wait_until("$name stands by", sub { log_of($name) =~ /standing by/ });
	$shipper{$name}->wait_not_ready(
		qr/^not ready: not streaming from the server; another connection reads the slot\s*$/) if $http;
	return;
}

# Unix time of the line that says it, or undef
sub said_at
{
	my ($name, $pattern) = @_;
	my ($y, $mon, $d, $h, $min, $s) =
	  log_of($name) =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z [^\n]*$pattern/m
	  or return;
	return timegm(int $s, $min, $h, $d, $mon - 1, $y) + $s - int $s;
}

# Who of these streams after that moment, and how long that took.
sub successor
{
	my ($what, $since, @names) = @_;
	my $next = wait_until("after $what another takes over",
		sub { (grep { said_at($_, qr/taking over/) && said_at($_, qr/streaming slot/) } @names)[0] });
	$shipper{$next}->wait_ready if $http;
	pass("$what: another takes over" . ($http ? ', and is ready' : ''));
	is($shipper{$next}->metric('takeovers_total'), 1, "$what: and counts it") if $http;
	diag(sprintf '%s: taken over after %.2f s', $what, said_at($next, qr/streaming slot/) - $since);
	return $next;
}

$shipper{a}->init;
begin('a');
wait_until('a streams', sub { log_of('a') =~ /streaming slot/ });
begin($_), waits($_) for 'b', 'c';

# asks again and again, on one connection, and says it once
my @asked = map { my $n = $_; sub {
	$node->safe_psql('postgres', "SELECT $n FROM pg_stat_activity
		WHERE query LIKE '%LEFT JOIN pg_replication_slots%' AND query NOT LIKE '%pg_stat_activity%' ORDER BY pid")
} } 'pid', 'query_start';
my (@pids, $times);
for (1 .. 3)
{
	my %old = map { $_ => 1 } split /\n/, $times // '';
	$times = wait_until('both ask again',
		sub { my $now = $asked[1]->(); my @now = split /\n/, $now; @now == 2 && !(grep { $old{$_} } @now) && $now });
	push @pids, $asked[0]->();
}
is($pids[2], $pids[1], 'those who wait keep a connection each, and ask again and again');
is(() = log_of($_) =~ /standing by/g, 1, "$_ said once that it waits") for 'b', 'c';

# --- killed ---
my $seed = 1;
my $writers = $load->start_writers($seed++, $amount);
$kafka->wait_for_count(50, $load->topics);
my $since = time();
$shipper{a}->kill9;
my $active = successor('kill -9', $since, 'b', 'c');
$writers->finish;
wait_for_slot($node, $slot);
pass('everything arrives');

# --- asked to stop ---
begin('a');
waits('a');
$writers = $load->start_writers($seed++, $amount);
my $here = $kafka->count($load->topics);
$kafka->wait_for_count($here + 20, $load->topics);
my $other = $active eq 'b' ? 'c' : 'b';
$since = time();
is($shipper{$active}->stop, 0, 'the active one is stopped in good order');
my $former = $active;
$active = successor('SIGTERM', $since, 'a', $other);
$writers->finish;

# --- frozen with records on their way, thawed when another is ahead of it ---
SKIP:
{
	skip 'a mock broker cannot be frozen', 2 if $mock;
	wait_for_slot($node, $slot);
	begin($former);
	waits($former);
	my $zombie = $active;
	$from{$_} = $shipper{$_}->log_size for 'a' .. 'c';
	my @others = grep { $_ ne $zombie } 'a' .. 'c';
	$here = $kafka->count($load->topics);
	$kafka->freeze;
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	$load->write_rows($seed++, $amount * 2);
	# how many it reads depends on how long its partitions were idle before
	$node->poll_query_until('postgres', "SELECT sent_lsn > '$end' FROM pg_stat_replication")
	  or die 'not sent';
	$since = time();
	freeze_process($shipper{$zombie}->pid);
	$kafka->thaw;
	$active = successor('SIGSTOP, with a wal_sender_timeout of 3 s', $since, @others);
	wait_for_slot($node, $slot);
	my $before = $kafka->count($load->topics);
	kill 'CONT', $shipper{$zombie}->pid;
	waits($zombie);
	note(   'the thawed one sent '
		  . ($kafka->count($load->topics) - $before)
		  . ' records again, of '
		  . ($before - $here));

	# what it knew of the slot does not count any more
	$load->write_rows($seed++, $amount);
	wait_for_slot($node, $slot);
	$shipper{$_}->kill9 for @others;
	$load->write_rows($seed++, $amount);
	wait_for_slot($node, $slot);
	like(log_of($zombie), qr/taking over/, 'the thawed one goes on when the others are gone');
}

# --- all die, and one comes back ---
$writers = $load->start_writers($seed++, $amount);
$shipper{$_}->kill9 for grep { $shipper{$_}->pid } 'a' .. 'c';
begin('b');
$writers->finish;
wait_for_slot($node, $slot);
unlike(log_of('b'), qr/ error /, 'one alone goes on');
is($shipper{b}->stop, 0, 'stopped');

$load->consume;
$load->judge;
done_testing();
