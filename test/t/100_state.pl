# The state record: what one start tells the next.  A slot that somebody else
# moved is noticed, however the shipper ended; what a crash leaves, of shipper
# or server, is not taken for that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
plan(skip_all => 'the mock broker compacts nothing') if $kafka->is_mock;

my $node =
  new_server('source', conf => "autovacuum = off\nwal_writer_delay = 10ms\n");
my $slot = 'wal2kafka';
my $next = 1;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub insert
{
	my ($rows) = @_;
	sql(    "INSERT INTO t SELECT g, 0 FROM generate_series($next, "
		  . ($next + $rows - 1)
		  . ') g');
	$next += $rows;
	return;
}

sub recreate
{
	sql("SELECT pg_drop_replication_slot('$slot')");
	sql("SELECT pg_create_logical_replication_slot('$slot', 'wal2kafka')");
	return;
}

sql('CREATE TABLE t (id int PRIMARY KEY, v bigint); CREATE TABLE other (i int);
	CREATE PUBLICATION p FOR TABLE t');
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 1);
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	options     => { release_after => 2 });
$shipper->init;

# --- what is in it ---
goes_on($shipper, 'the first start');
insert(10);
wait_for_slot($node, $slot);
my $record = state_record($kafka, $slot);
is( sql(
		<<"EOF"), "$record->{system_identifier} true", 'the server, and no less than the slot');
SELECT system_identifier || ' ' || ('$record->{confirmed}'::pg_lsn >= confirmed_flush_lsn)
FROM pg_control_system(), pg_replication_slots WHERE slot_name = '$slot'
EOF
ok( !$record->{stopped} && !$record->{clean},
	'while it runs that is not the last word');
my %topics = $kafka->topics;
is($topics{$state_topic}, 1, 'the topic was made, with one partition');
is($shipper->stop,        0, 'stopped');
$record = state_record($kafka, $slot);
ok($record->{stopped} && $record->{clean}, 'a clean stop is on record');
like($record->{delivered}, qr{^[0-9A-F]+/[0-9A-F]+/9$},
	'with the last record');

# --- the slot never stands further than the record ---
# Kafka is frozen, and the log goes on with what concerns nobody: the slot could
# follow it, but nobody could write that down.
goes_on($shipper, 'after a clean stop');
insert(1);
wait_for_slot($node, $slot);
$kafka->freeze;
sql("INSERT INTO other SELECT generate_series(1, 100)") for 1 .. 3;
my $end = sql('SELECT pg_current_wal_flush_lsn()');
for my $answer (1 .. 3)
{
	my $since = sql('SELECT clock_timestamp()');
	wait_until(
		'the server has an answer about all of it',
		sub {
			sql("SELECT sent_lsn >= '$end' AND reply_time > '$since' FROM pg_stat_replication"
			) eq 't';
		});
}
is(slot_field($node, $slot, "confirmed_flush_lsn < '$end'"),
	't', 'nothing is confirmed that cannot be written down');
is($shipper->kill9, 137, 'killed there');
$kafka->thaw;
goes_on($shipper, 'killed while the record could not be written');

# --- killed at any moment ---
my $refused = 0;
for my $round (1 .. 6)
{
	my $from = $kafka->count($state_topic);
	wait_until(
		'a record of the state or more is written',
		sub {
			insert(500);
			return $kafka->count($state_topic) > $from + $round % 3;
		});
	$shipper->kill9;
	my $log = $shipper->log_size;
	$shipper->start;
	$shipper->wait_for_log(qr/streaming slot|hint /, $log);
	$refused++ if substr($shipper->log, $log) =~ /hint /;
}
is($refused, 0, 'no start after a kill is refused');

# --- the server crashes, and the slot goes back ---
sql('CHECKPOINT');
insert(100);
wait_for_slot($node, $slot);
my $before = slot_field($node, $slot, 'confirmed_flush_lsn');
$shipper->kill9;
$node->stop('immediate');
$node->start;
is(slot_field($node, $slot, "confirmed_flush_lsn < '$before'"),
	't', 'the slot has gone back');
goes_on($shipper, 'a slot that went back');
insert(1);
wait_for_slot($node, $slot);
is($shipper->stop, 0, 'stopped');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing was lost on the way') or diag($output);

# --- moved by somebody else ---
$record = state_record($kafka, $slot);
insert(5);
sql("SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())");
refused(
	$shipper,
	'moved after a clean stop',
	qr{stands at .* confirmed no more than \Q$record->{confirmed}\E \(the last record known is \Q$record->{delivered}\E},
	qr/Everything up to \Q$record->{confirmed}\E is delivered/,
	qr/wal2kafka drop --state/);
refused($shipper, 'once more', qr/somebody moved it/);
($status, $output) = $shipper->command('drop', '--state');
is($status, 0, 'the record is dropped');
like($output, qr/removed the state record/, 'and that is said');
is(state_record($kafka, $slot), undef, 'it is gone');
goes_on($shipper, 'a person has accepted it');
insert(5);
wait_for_slot($node, $slot);

# --- made anew after a crash of the shipper ---
is($shipper->kill9, 137, 'killed');
insert(1);
recreate();
refused(
	$shipper,
	'made anew after a kill',
	qr/somebody moved it, or made it anew/);

# --- made anew by wal2kafka ---
($status, $output) = $shipper->command('drop', '--yes');
is($status, 0, 'dropped');
like($output, qr/removed the state record/, 'with its record');
insert(1);
$shipper->init;
goes_on($shipper, 'dropped and made by us');
insert(1);
wait_for_slot($node, $slot);
is($shipper->stop, 0, 'stopped');
sql("SELECT pg_drop_replication_slot('$slot')");
insert(1);
my $from = $shipper->log_size;
$shipper->start('--init');
is($shipper->wait_exit, 3, 'a slot that vanished is not made by a start');
like(
	substr($shipper->log, $from),
	qr/has vanished: everything up to/,
	'which says why');
$shipper->init;
goes_on($shipper, 'lost, and made anew by us');
is($shipper->stop, 0, 'stopped');

done_testing();
