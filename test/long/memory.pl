# What memory the shipper and its walsender take: for millions of rows, for one
# transaction of millions, and before a Kafka that takes a tenth of what there
# is.  The shipper has a limit; the walsender must not have more of its own
# than one that sends the same log by pgoutput.
#
# MEMORY_ROWS (10,000,000), MEMORY_LARGE (2,000,000, in one transaction),
# MEMORY_SECONDS (120, of the slow Kafka)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../../bench/lib";
use Bench::Cpu;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "the mock broker keeps too little: $why" if $why;

my $rows = $ENV{MEMORY_ROWS}       || 10_000_000;
my $large = $ENV{MEMORY_LARGE}     || 2_000_000;
my $seconds = $ENV{MEMORY_SECONDS} || 120;

# and three times the largest record, which is next to nothing here
my $limit_kb = 64 * 1024;

# by which two runs of one plugin differ
my $noise_kb = 4 * 1024;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source', conf => <<'EOF');
logical_decoding_work_mem = 64MB
shared_buffers = 128MB
max_wal_size = 16GB
autovacuum = off
EOF

# Fills a table; the slot of its name stands before all of it.
sub write_backlog
{
	my ($table, $count, $a_transaction, $padding) = @_;

	$node->safe_psql('postgres', <<"EOF");
CREATE TABLE $table (id int PRIMARY KEY, name text, made timestamptz);
CREATE PUBLICATION $table FOR TABLE $table;
EOF
	$node->safe_psql('postgres',
		"SELECT pg_create_logical_replication_slot('$table', 'wal2kafka')");
	$node->safe_psql('postgres', <<"EOF");
DO \$\$ BEGIN
	FOR i IN 0 .. ($count - 1) / $a_transaction LOOP
		INSERT INTO $table
			SELECT g, 'name ' || g || repeat('x', $padding), now()
			FROM generate_series(i * $a_transaction,
				least((i + 1) * $a_transaction, $count) - 1) g;
		COMMIT;
	END LOOP;
END \$\$;
EOF
	return;
}

# Another slot at the same place; returns where the log ends.
sub copy_slot
{
	my ($table, $slot, $plugin) = @_;
	$node->safe_psql('postgres',
		"SELECT pg_copy_logical_replication_slot('$table', '$slot', false, '$plugin')"
	);
	return $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
}

sub drop_slot
{
	my ($slot) = @_;
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
	return;
}

# Until the condition holds; returns the most, in kB, that the walsender of the
# slot had of its own meanwhile.
sub watch
{
	my ($slot, $condition) = @_;
	my $sender = wait_until("slot $slot is read",
		sub { slot_field($node, $slot, 'active_pid') });
	my $most = 0;

	wait_until(
		'the backlog is read',
		sub {
			my $now = anon_kb($sender);
			$most = $now if $now > $most;
			return $condition->();
		},
		1200);
	return $most;
}

sub pgoutput
{
	my ($table) = @_;
	my $end = copy_slot($table, 'theirs', 'pgoutput');
	my $pid = spawn(
		'/dev/null', 'pg_recvlogical',
		'-d', $node->connstr('postgres'),
		'-S', 'theirs',
		'--start', '--no-loop',
		'--endpos', $end,
		'-o', 'proto_version=1',
		'-o', "publication_names=$table",
		'-f', '/dev/null');
	my $most =
	  watch('theirs', sub { waitpid($pid, POSIX::WNOHANG()) == $pid });

	drop_slot('theirs');
	return $most;
}

# Ships all of a table into the topic of that name; at first Kafka takes so
# many bytes a second, if they are given.  Returns the shipper's peak, its
# walsender's, and seconds.
sub ship
{
	my ($table, $bytes) = @_;
	my $slot = "ours_$table";
	my $end = copy_slot($table, $slot, 'wal2kafka');
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $proxy,
		slot => $slot,
		publication => $table,
		routes => { "public.$table" => { topic => $table } });
	my $start = time();

	$kafka->create_topic($table, 6);
	$proxy->throttle('up', int $bytes) if $bytes;
	$shipper->start;
	my $sender = watch(
		$slot,
		sub {
			if ($bytes && time() > $start + $seconds)
			{
				$bytes = 0;
				speed_up($shipper, $table);
			}
			return slot_field($node, $slot, "confirmed_flush_lsn >= '$end'")
			  eq 't';
		});
	my $took = time() - $start;
	my $peak = peak_rss_kb($shipper->pid);

	$shipper->stop;
	drop_slot($slot);
	return ($peak, $sender, $took);
}

sub speed_up
{
	my ($shipper, $topic) = @_;
	diag(
		sprintf '%d records in %d s of a slow Kafka, %.1f s of CPU',
		$kafka->count($topic),
		$seconds, cpu($shipper->pid));
	$proxy->pass;
	return;
}

sub in_limits
{
	my ($what, $peak, $sender, $theirs) = @_;

	cmp_ok($peak, '<=', $limit_kb, "$what: kB of the shipper");
	cmp_ok($sender, '<=', $theirs + $noise_kb, "$what: kB of the walsender");
	diag(   "$what: shipper $peak kB, walsender $sender kB, "
		  . "with pgoutput $theirs kB");
	return;
}

# Ships a backlog as fast as it goes; returns records a second.
sub at_full_speed
{
	my ($what, $table, $count) = @_;
	my ($peak, $sender, $took) = ship($table);
	my $theirs = pgoutput($table);

	is($kafka->count($table), $count, "$what: all are in Kafka");
	in_limits($what, $peak, $sender, $theirs);
	return $count / $took;
}

# --- as fast as it goes ---

write_backlog('narrow', $rows, 1000, 0);
my $rate = at_full_speed("$rows rows", 'narrow', $rows);
drop_slot('narrow');

write_backlog('large', $large, $large, 0);
at_full_speed("a transaction of $large", 'large', $large);
drop_slot('large');

# --- before a slow Kafka ---

# A tenth of the bytes; narrow records have some 100 of them.
sub before_slow_kafka
{
	my ($table, $padding) = @_;
	my $bytes = $rate / 10 * 100;
	my $count = int(2 * $bytes * $seconds / ($padding + 100));
	my $what = "a slow Kafka, $padding bytes";

	# more than can be sent meanwhile
	write_backlog($table, $count, 1000, $padding);
	my ($peak, $sender, $took) = ship($table, $bytes);
	my $theirs = pgoutput($table);

	cmp_ok($took, '>', $seconds, "$what: it was slow to the end");
	is($kafka->count($table), $count, "$what: all are in Kafka");
	in_limits($what, $peak, $sender, $theirs);
	drop_slot($table);
	return;
}

# What is in flight is bounded twice, by number and by bytes: rows that make
# the most of a former number, and of this one.
before_slow_kafka('small', 300);
before_slow_kafka('middle', 2000);

done_testing();
