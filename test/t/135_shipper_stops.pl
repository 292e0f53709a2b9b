# The shipper is asked to stop: busy, in the middle of a big transaction, while
# Kafka is away, while the server stops too, and twice.  It delivers what it has
# read, if Kafka lets it, and confirms it; nothing is lost whatever it gives up.
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
my $node  = new_server('source');
my $load  = Wal2Kafka::Workload->new($node, $kafka);
my $slot  = 'wal2kafka';
my $seed  = 1;
my $from  = 0;
my $shipper = Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, publication => 'p');

sub log_now { return substr $shipper->log, $from; }

sub begin
{
	my (%options) = @_;
	$shipper->{options} = { max_in_flight => '1MB', log_level => 'debug', %options };
	$shipper->configure($shipper->config_text);
	$from = $shipper->log_size;
	$shipper->start;
	return;
}

# Signals, and waits until it is heard.
sub ask_to_stop
{
	kill 'TERM', $shipper->pid;
	$shipper->wait_for_log(qr/stopping: \d+ records/, $from);
	return;
}

# Kafka answers nothing; the mock broker cannot be frozen.
sub away { return $kafka->is_mock ? $kafka->stop  : $kafka->freeze; }
sub back { return $kafka->is_mock ? $kafka->start : $kafka->thaw; }

# Until it has read a part of a big transaction, and Kafka takes none of it.
sub fill_ledger
{
	my ($n) = @_;
	$shipper->wait_for_log(qr/streaming slot/, $from);
	$load->write_rows($seed++, 5);
	wait_for_slot($node, $slot);
	away();
	my $now = $shipper->log_size;
	$node->safe_psql('postgres', <<"EOF");
INSERT INTO full_6 SELECT $n * 100000 + g, 0, repeat('wide', 30), NULL, NULL
FROM generate_series(1, 4000) g
EOF
	$shipper->wait_for_log(qr/frame: \d+ bytes, [1-9]\d* records/, $now);
	return;
}

$shipper->init;

# --- busy ---
{
	local @ENV{qw(LD_DEBUG LD_DEBUG_OUTPUT)} = ('files', launch_dir() . '/ld');
	begin();
}
my $loader = launch_dir() . '/ld.' . $shipper->pid;
my $writers = $load->start_writers($seed++, 400);
$kafka->wait_for_count(200, $load->topics);
ask_to_stop();
is($shipper->wait_exit, 0, 'busy: stopped');
unlike(log_now(), qr/gave up/, 'busy: what was read is delivered');
like(slurp($loader), qr/calling init: .*librdkafka/, 'the loader tells of libraries');
unlike(slurp($loader), qr/calling fini/, 'none is torn down beside threads that may live');
$writers->finish;

# --- in the middle of a transaction, with a Kafka that comes back ---
begin();
fill_ledger(1);
ask_to_stop();
back();
is($shipper->wait_exit, 0, 'in the middle of a transaction: stopped');
unlike(log_now(), qr/gave up/, 'in the middle of a transaction: what was read is delivered');
like(log_now(), qr/left off inside the transaction/, 'and that it is in the middle is said');

# --- with a Kafka that does not ---
begin(shutdown_timeout => 1);
fill_ledger(2);
ask_to_stop();
is($shipper->wait_exit, 0, 'Kafka is away: stopped');
like(log_now(), qr/gave up on \d+ records after 1 s/, 'and what that means is said');
back();

# --- twice ---
begin(shutdown_timeout => 600);
fill_ledger(3);
ask_to_stop();
kill 'TERM', $shipper->pid;
is($shipper->wait_exit, 0, 'asked twice: stopped at once');
back();

# --- together with the server ---
begin(shutdown_timeout => 600, release_after => 2);
fill_ledger(4);
ask_to_stop();
$node->stop('fast');
pass('server and shipper are asked to stop: the server does not wait for Kafka');
is($shipper->has_ended, '', 'the shipper does');
$node->start;
back();
is($shipper->wait_exit, 0, 'until it has delivered');
begin();
wait_for_slot($node, $slot);
is($shipper->stop, 0, 'stopped');
$load->consume;
$load->judge;
done_testing();
