#!/usr/bin/perl
# Figures of a snapshot, beside COPY of the same table.
#
#	perl test/snapshot_figures.pl [ROWS]
#
# CONNECTIONS (2), CHUNK (10000).  A real server, shipper and broker on this
# machine.  First the table is copied to nowhere by COPY, as it is and as JSON;
# then by a snapshot into Kafka with nothing else going on; then by another while
# single rows are written to a second table, whose latency from its INSERT to a
# consumer is told without the snapshot and with it.  Ratios within a run mean
# something, times on a shared machine do not.
use strict;
use warnings;
use IO::Handle;

# the server's modules send standard output into a log file
our $out;
BEGIN { open $out, '>&', \*STDOUT; $out->autoflush; }

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More ();
use Time::HiRes qw(time);

Test::More->builder->output('/dev/null');

my $rows  = $ARGV[0] || 1_000_000;
my $kafka = Wal2Kafka::Kafka->new;
my $node  = new_extension_server('source', conf => <<'EOF');
shared_buffers = 256MB
max_wal_size = 8GB
autovacuum = off
EOF

$node->safe_psql('postgres', <<"EOF");
CREATE EXTENSION wal2kafka;
CREATE TABLE narrow (id int PRIMARY KEY, name text, created_on timestamptz);
CREATE TABLE probe (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE narrow, probe;
INSERT INTO narrow SELECT g, 'name ' || g, now() FROM generate_series(1, $rows) g;
VACUUM ANALYZE narrow;
EOF
$kafka->create_topic('public.narrow', 6);
$kafka->create_topic('public.probe',  1);

# CPU seconds of processes with all their threads, so far.
sub cpu
{
	my $ns = 0;
	for my $file (map { glob "/proc/$_/task/*/schedstat" } @_)
	{
		open my $fh, '<', $file or next;
		$ns += (split ' ', <$fh> // '0')[0];
	}
	return $ns / 1e9;
}

sub report
{
	my ($what, $seconds, $server, $client) = @_;
	printf $out "%-22s %9.0f rows/s  server %5.2f us/row%s\n",
	  $what, $rows / $seconds, $server / $rows * 1e6,
	  defined $client ? sprintf '  shipper %5.2f us/row', $client / $rows * 1e6 : '';
	return;
}

# One statement to nowhere: the server's CPU as it counts it by itself.
sub copy_out
{
	my ($what, $query) = @_;
	my $session = $node->background_psql('postgres');
	my $pid     = $session->query('SELECT pg_backend_pid()');
	my $before  = cpu($pid);
	my $start   = time;

	$session->query("\\copy $query to /dev/null");
	report($what, time - $start, cpu($pid) - $before);
	$session->quit;
	return;
}

# Of the snapshot's connections: those that ended count as they were last seen.
my %seen;

sub readers_cpu
{
	my $pids = $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity
		WHERE application_name = 'wal2kafka snapshot'});
	$seen{$_} = cpu($_) || $seen{$_} for split /\n/, $pids;
	my $sum = 0;
	$sum += $_ for values %seen;
	return $sum;
}

my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	options     => {
		control              => launch_dir() . '/control.sock',
		snapshot_connections => $ENV{CONNECTIONS} || 2,
		snapshot_chunk_rows  => $ENV{CHUNK}       || 10_000,
	});

sub status
{
	my ($status, $text) = $shipper->command('snapshot', '--status', '--json');
	return $status == 0 ? decode_json($text =~ s/^[^{]*//r) : {};
}

# Samples until it is done: progress has to grow, and to end at the rows.
sub snapshot
{
	my ($what) = @_;
	my ($last, $back, $samples) = (0, 0, 0);
	my $client = cpu($shipper->pid);
	my $server = 0;
	my $start  = time;

	%seen = ();
	my ($status, $text) = $shipper->command('snapshot', 'narrow', '--no-wait');
	die "snapshot: status $status: $text" if $status;
	wait_until(
		'the snapshot is done',
		sub {
			$server = readers_cpu();
			my $now = status();
			my $got = $now->{rows} // $now->{snapshot}{rows} // 0;
			$back++ if $got < $last;
			$last = $got;
			$samples++;
			return ($now->{state} // $now->{snapshot}{state} // '') eq 'done';
		},
		1200);
	report($what, time - $start, $server, cpu($shipper->pid) - $client);
	print $out "                       progress: $samples samples, $back went back, at the end $last of $rows\n";
	return;
}

sub latency
{
	my ($what, $changes) = @_;
	$node->safe_psql('postgres', 'TRUNCATE probe');
	print $out "$what latency, ", run_tool('latency', $node->connstr('postgres'),
		$kafka->brokers, 'probe', 'public.probe', $changes);
	return;
}

copy_out('COPY narrow',       'narrow') for 1 .. 2;
copy_out('COPY row_to_json', '(SELECT row_to_json(narrow) FROM narrow)');
$shipper->init;
$shipper->start;
wait_until('the shipper answers', sub { ($shipper->command('snapshot', '--status'))[0] == 0 });
snapshot('snapshot');
my ($rss) = slurp('/proc/' . $shipper->pid . '/status') =~ /VmHWM:\s*(.*)/;
print $out "                       peak RSS $rss, in Kafka ", $kafka->count('public.narrow'), "\n";
latency('without', 500);
my ($status, $text) = $shipper->command('snapshot', 'narrow', '--no-wait');
die "snapshot: status $status: $text" if $status;
latency('within', 500);
print $out '                       ', (status()->{state} // 'running'),
  " when it was measured\n";
$shipper->stop;
