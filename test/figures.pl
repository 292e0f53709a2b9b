#!/usr/bin/perl
# Figures of one backlog, beside pgoutput on the same WAL, and of latency.
#
#	perl test/figures.pl [ROWS [ROUNDS]]
#
# GUARANTEES='at_least_once exactly_once' measures one beside the other.
#
# A real server, shipper and broker on this machine.  CPU is what the scheduler
# counted for the walsender and for the client, in microseconds a row; pgoutput
# is read by pg_recvlogical, which throws it away.  Ratios within a run mean
# something, times on a shared machine do not.
use strict;
use warnings;
use IO::Handle;

# the server's modules send standard output into a log file
our $out;
BEGIN { open $out, '>&', \*STDOUT; $out->autoflush; }

use FindBin;
use lib "$FindBin::RealBin/lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Time::HiRes qw(time);

my $rows   = $ARGV[0] || 1_000_000;
my $rounds = $ARGV[1] || 3;
my $kafka  = Wal2Kafka::Kafka->new;
my $node   = new_server('source', conf => <<'EOF');
logical_decoding_work_mem = 256MB
shared_buffers = 256MB
max_wal_size = 8GB
autovacuum = off
wal_sender_timeout = 0
EOF

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE narrow (id int PRIMARY KEY, name text, created_on timestamptz);
CREATE TABLE probe (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE narrow, probe;
SELECT pg_create_logical_replication_slot('base', 'wal2kafka');
EOF
# transactions of a thousand rows
$node->safe_psql('postgres', <<"EOF");
DO \$\$ BEGIN
	FOR i IN 0 .. ($rows - 1) / 1000 LOOP
		INSERT INTO narrow SELECT g, 'name ' || g, now()
			FROM generate_series(i * 1000, least(i * 1000 + 999, $rows - 1)) g;
		COMMIT;
	END LOOP;
END \$\$;
EOF
$kafka->create_topic('public.probe', 1);

# CPU seconds of a process with all its threads, so far.
sub cpu
{
	my ($pid) = @_;
	my $ns = 0;
	for my $file (glob "/proc/$pid/task/*/schedstat")
	{
		open my $fh, '<', $file or next;
		$ns += (split ' ', <$fh> // '0')[0];
	}
	return $ns / 1e9;
}

sub walsender
{
	my ($slot) = @_;
	return wait_until("slot $slot is read",
		sub { slot_field($node, $slot, 'active_pid') });
}

sub copy_slot
{
	my ($slot, $plugin) = @_;
	$node->safe_psql('postgres',
		"SELECT pg_copy_logical_replication_slot('base', '$slot', false, '$plugin')");
	return $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
}

# Samples both processes until the condition holds: (seconds, cpu, cpu).
sub watch
{
	my ($start, $sender, $client, $done) = @_;
	my ($a, $b) = (0, 0);
	wait_until(
		'the backlog is drained',
		sub {
			my ($x, $y) = (cpu($sender), cpu($client));
			$a = $x if $x > $a;
			$b = $y if $y > $b;
			return $done->();
		},
		600);
	return (time() - $start, $a, $b);
}

sub report
{
	my ($what, $seconds, $sender, $client, $rss) = @_;
	printf $out "%-13s %9.0f rows/s  walsender %5.2f us/row  client %5.2f us/row%s\n",
	  $what, $rows / $seconds, $sender / $rows * 1e6, $client / $rows * 1e6,
	  $rss ? "  peak RSS $rss" : '';
	return;
}

sub theirs
{
	my $end   = copy_slot('theirs', 'pgoutput');
	my $start = time();
	my $pid   = spawn('/dev/null', 'pg_recvlogical', '-d',
		$node->connstr('postgres'), '-S', 'theirs', '--start',
		'-o', 'proto_version=1', '-o', 'publication_names=p',
		'--endpos', $end, '--no-loop', '-f', '/dev/null');
	my $sender = walsender('theirs');

	report('pgoutput', watch($start, $sender, $pid,
		sub { waitpid($pid, POSIX::WNOHANG()) == $pid }));
	$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('theirs')});
	return;
}

sub ours
{
	my ($guarantee, $round, $last) = @_;
	my $slot    = "${guarantee}_$round";
	my $topic   = "narrow.$slot";
	my $end     = copy_slot($slot, 'wal2kafka');
	my $shipper = Wal2Kafka::Shipper->new(node => $node, kafka => $kafka,
		slot => $slot, publication => 'p',
		options => { processing_guarantee => $guarantee },
		routes => { 'public.narrow' => { topic => $topic } });
	my $start = time();

	$kafka->create_topic($topic, 6);
	$shipper->start;
	my $sender  = walsender($slot);
	my @figures = watch($start, $sender, $shipper->pid,
		sub { slot_field($node, $slot, "confirmed_flush_lsn >= '$end'") eq 't' });
	my ($rss) = slurp('/proc/' . $shipper->pid . '/status') =~ /VmHWM:\s*(.*)/;
	report($guarantee, @figures, $rss);
	print $out '           in Kafka: ', $kafka->count($topic), " of $rows\n";
	$node->safe_psql('postgres', 'TRUNCATE probe');
	print $out '           latency, ', run_tool('latency',
		$node->connstr('postgres'), $kafka->brokers, 'probe', 'public.probe', 500)
	  if $last;
	$shipper->stop;
	$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('} . $slot . q{')});
	return;
}

for my $round (1 .. $rounds)
{
	theirs();
	ours($_, $round, $round == $rounds)
	  for split ' ', $ENV{GUARANTEES} || 'at_least_once';
}
