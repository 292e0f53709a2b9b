# A peer takes a backlog into Kafka: how fast, and at whose cost.
package Bench::IntoKafka;

use strict;
use warnings;

use Bench::Cpu;
use Bench::Peer;
use Carp;
use Exporter 'import';
use Time::HiRes qw(time);
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

our @EXPORT = qw(backlog_server drain);

# Seconds without another record after which a run is given up.
my $PATIENCE = 60;

# Rows that a peer may hold back until it is stopped: kcat reads by blocks.
my $HELD_BACK = 100;

# A server with so many rows behind the slot "base", and an empty table "probe".
sub backlog_server
{
	my ($rows) = @_;
	my @plugins = map { $_->{plugin} } Bench::Peer::known();
	my $node = new_server('source', plugins => \@plugins, conf => <<'EOF');
listen_addresses = '127.0.0.1'
logical_decoding_work_mem = 256MB
shared_buffers = 256MB
max_wal_size = 16GB
checkpoint_timeout = 1d
autovacuum = off
wal_sender_timeout = 0
track_commit_timestamp = on
EOF
	$node->safe_psql('postgres', <<'EOF');
CREATE TABLE narrow (id int PRIMARY KEY, name text, created_on timestamptz);
CREATE TABLE probe (id int PRIMARY KEY, name text, created_on timestamptz);
CREATE PUBLICATION p FOR TABLE narrow, probe;
SELECT pg_create_logical_replication_slot('base', 'pgoutput');
EOF
	$node->safe_psql('postgres', <<"EOF");
DO \$\$ BEGIN
	FOR i IN 0 .. ($rows - 1) / 1000 LOOP
		INSERT INTO narrow SELECT g, 'name ' || g, now()
			FROM generate_series(i * 1000, least(i * 1000 + 999, $rows - 1)) g;
		COMMIT;
	END LOOP;
END \$\$;
EOF
	return $node;
}

# Returns a row of figures for the whole run and for each half of it: rate per
# second, CPU in microseconds a row.  They count from when the slot is read, so
# nobody's start does; but what a JVM has yet to compile then is in the first
# half.  Dies if the topic does not end up with every row, once and in order.
#
# Takes peer, node, kafka, rows and a name for the slot, a copy of "base".
sub drain
{
	my (%o) = @_;
	my ($peer, $kafka) = @o{qw(peer kafka)};
	my $topic = "$o{slot}.public.narrow";

	steal();
	$kafka->create_topic($topic, 6);
	$peer->start(
		%o,
		like => 'base',
		table => 'public.narrow',
		topic => $topic,
		goal => 'throughput');
	my @samples =
	  watch(%o, topic => $topic, sender => $peer->wait_for_sender);
	my $rss = $peer->peak_rss_mb;
	my $steal = steal();

	$peer->stop;
	my ($status, $tally) =
	  run_tool('topic_tally', $kafka->brokers, $topic, $o{rows});
	$kafka->delete_topic($topic);
	croak 'no figures for ' . $peer->name . ": $tally" if $status;

	my ($bytes) = $tally =~ /bytes=(\d+)/;
	my ($begin, $middle, $end) = @samples;
	my @parts = (
		figures('all', $begin, $end),
		figures('first half', $begin, $middle),
		figures('second half', $middle, $end));
	$_->{bytes} = $bytes / $o{rows} for @parts;
	@{ $parts[0] }{qw(rss_mb steal)} = ($rss, $steal);
	return @parts;
}

# Samples of the begin, the middle and the end.
sub watch
{
	my (%o) = @_;
	my @samples = (sample(%o, count => 0));
	my ($middle, $end);
	my $moved = time;
	my $last = 0;

	open my $counts, '-|', top_dir() . '/build/topic_watch',
	  $o{kafka}->brokers, $o{topic}, $o{rows}
	  or croak "topic_watch: $!";
	while (defined(my $count = readline $counts))
	{
		$o{peer}->check;
		if ($count > $last)
		{
			($moved, $last) = (time, $count + 0);
			$middle ||= sample(%o, count => $last) if $last >= $o{rows} / 2;
			$end = sample(%o, count => $last)
			  if $last >= $o{rows} - $HELD_BACK;
		}
		last if $end && time() > $moved + 1;
		croak $o{peer}->name . " stopped at $last rows: " . $o{peer}->log
		  if time() > $moved + $PATIENCE;
	}
	close $counts;
	croak "nobody counts $o{topic}" if !$end;
	croak 'its slot was let go' if $o{peer}->sender ne $o{sender};
	return (@samples, $middle, $end);
}

sub sample
{
	my (%o) = @_;
	return {
		time => time,
		count => $o{count},
		sender => cpu($o{sender}),
		broker => cpu($o{kafka}->pid),
		%{ $o{peer}->cpu_split }
	};
}

# What came between two samples.
sub figures
{
	my ($part, $from, $to) = @_;
	my $rows = $to->{count} - $from->{count};
	my %row = (
		part => $part,
		rows => $rows,
		seconds => $to->{time} - $from->{time});

	return \%row if !$rows;
	$row{rate} = $rows / $row{seconds};
	$row{$_} = ($to->{$_} - $from->{$_}) / $rows * 1e6
	  for qw(sender application library broker);
	$row{all_in} = $row{sender} + $row{application} + $row{library};
	return \%row;
}

1;
