# /metrics tells the truth about a workload that is known to the last record,
# in a form that a strict reader takes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Exposition;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use IPC::Run ();
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'built without libmicrohttpd'
  if !Wal2Kafka::Shipper->can_http;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOS');
CREATE TABLE a (id int PRIMARY KEY, v int);
CREATE TABLE b (id int PRIMARY KEY, v text);
CREATE TABLE no_key (id int, v int);
ALTER TABLE no_key REPLICA IDENTITY NOTHING;
EOS
$kafka->create_topic($_, 3) for 'public.a', 'public.b', 'public.no_key', 'all';

my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	http => 1,
	options => { max_record => '20kB', on_error => 'stub',
		message_topics => 'all' });
$shipper->init;
$shipper->start;
$shipper->wait_ready;

sub page_is_right
{
	my ($what) = @_;
	my ($status, $page) = $shipper->page('/metrics');
	my @faults = exposition_faults($page);

	is($status, 200, "$what: a page");
	is("@faults", '', "$what: exactly in Prometheus' format")
	  or diag(join "\n", @faults, $page);
	my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
	return if !$promtool;
	IPC::Run::run([ $promtool, 'check', 'metrics' ],
		'<', \$page, '>&', \my $said);
	is($said, '', "$what: Prometheus' own check has nothing to say");
	return;
}

page_is_right('at the start');
my $before = $shipper->metrics;
is($before->{"records_${_}_total"}, 0, "nothing $_ yet")
  for qw(received produced acknowledged failed);

# --- a workload that is known ---
$node->safe_psql('postgres', <<'EOS');
INSERT INTO a SELECT g, 0 FROM generate_series(1, 1000) g;
UPDATE a SET v = 1 WHERE id <= 100;
DELETE FROM a WHERE id <= 10;
TRUNCATE b;
INSERT INTO b VALUES (1, 'fits'), (2, repeat('x', 30000));
BEGIN; INSERT INTO b VALUES (3, 'never'); ROLLBACK;
INSERT INTO no_key VALUES (1, 1), (2, 2);
UPDATE no_key SET v = 3;
SELECT pg_logical_emit_message(true, 'wal2kafka', 'not written by emit_message');
TRUNCATE b, no_key;
EOS
wait_for_slot($node, $slot);
my $now = $shipper->metrics;
my %known = (
	records_received_total => 1116,
	records_produced_total => 1116,
	records_acknowledged_total => 1116,
	records_repeated_total => 0,
	records_failed_total => 0,
	records_outstanding => 0,
	outstanding_bytes => 0,
	'table_records_total{schema="public",table="a"}' => 1110,
	'table_records_total{schema="public",table="b"}' => 2,
	'table_records_total{schema="public",table="no_key"}' => 4,
	'table_records_total{schema="",table="other"}' => 0,
	truncates_skipped_total => 3,
	stubs_total => 1,
	changes_without_identity_total => 2,
	messages_ignored_total => 1,
	records_dropped_total => 0,
	streams_started_total => 1,
	lag_bytes => 0,
	ready => 1,
	slot_exists => 1,
	'slot_wal_status{status="reserved"}' => 1,
	'slot_wal_status{status="lost"}' => 0);
is($now->{$_}, $known{$_}, "$_ is $known{$_}") for sort keys %known;
is($kafka->count('public.a', 'public.b', 'public.no_key'),
	1116, 'that is what Kafka holds');
is( $now->{confirmed_lsn},
	slot_field($node, $slot, "confirmed_flush_lsn - '0/0'::pg_lsn"),
	'what is confirmed is what the slot says');
is($now->{commit_latency_seconds_count},
	$now->{receive_latency_seconds_count},
	'each message with records was timed once');
cmp_ok($now->{receive_latency_seconds_sum},
	'<=', $now->{commit_latency_seconds_sum}, 'received after committed');
cmp_ok(abs(time() - $now->{last_commit_timestamp_seconds}),
	'<', 60, 'the last commit was lately');
my @fell = grep { /_(total|bucket|count)\b/ && $now->{$_} < $before->{$_} }
  keys %$before;
is("@fell", '', 'no counter fell');

# --- what a replication origin brought has the origin's clock ---
$node->safe_psql('postgres', <<'EOS');
SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1', '2001-02-03 04:05:06+00');
INSERT INTO a VALUES (2001, 0);
COMMIT;
EOS
wait_for_slot($node, $slot);
my $then = $shipper->metrics;
is($then->{records_acknowledged_total}, 1117, 'it arrives');
is( $then->{last_commit_timestamp_seconds},
	$now->{last_commit_timestamp_seconds},
	'its commit time is not taken for one of here');
is( $then->{commit_latency_seconds_count},
	$now->{commit_latency_seconds_count},
	'and no latency is made of it');

# --- what comes again is no new record: cut in the middle of a transaction ---
my ($all, $repeated, $round) = (1117, 0, 0);
while ($repeated == 0 && $round++ < 10)
{
	$node->safe_psql('postgres',
		"INSERT INTO a SELECT g, 0 FROM generate_series($round * 1000000, $round * 1000000 + 99999) g"
	);
	$shipper->wait_metric('records_acknowledged_total', sub { $_ > $all });
	$node->safe_psql('postgres',
		'SELECT pg_cancel_backend(pid) FROM pg_stat_replication');
	$all += 100_000;
	wait_for_slot($node, $slot);
	$repeated = $shipper->metric('records_repeated_total');
}
$now = $shipper->metrics;
cmp_ok($repeated, '>', 0, 'some records came again');
is($now->{records_received_total},
	$all + $repeated, 'they are received, and counted as repeats');
is($now->{records_acknowledged_total}, $all, 'and not sent again');
is($shipper->metric_sum('table_records_total'), $all, 'nor counted again');

# --- after a restart of the server the same process counts on ---
$node->restart;
$shipper->wait_metric('streams_started_total',
	sub { $_ == $now->{streams_started_total} + 1 });
$node->safe_psql('postgres', 'INSERT INTO a VALUES (2002, 0)');
wait_for_slot($node, $slot);
is($shipper->metric('table_records_total{schema="public",table="a"}'),
	$all - 5, 'a table counts on after a reconnect');

page_is_right('at the end');
is($shipper->stop, 0, 'stopped');
my ($totals) = $shipper->log =~ /received (\d+) records/;
is($totals, $all + 1 + $repeated, 'the log tells the same');

done_testing();
