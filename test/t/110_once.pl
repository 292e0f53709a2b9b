# Exactly once: records and position in one Kafka transaction.  A restart goes
# on behind the position; a killed shipper's open transaction is seen by nobody
# who reads what is committed; a server that goes back to its last checkpoint
# makes no repeats.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

if (my $why = why_not_once())
{
	like($why, qr/librdkafka .* must be 2\.5\.0 or later|no real Kafka/,
		"refused: $why");
	done_testing();
	exit;
}

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my @topics = ('public.t', 'public.u');

$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE TABLE u (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t, u;
EOSQL
add_ledger($node, 'postgres', 't', 'u');
$kafka->create_topic('public.t', 1);
$kafka->create_topic('public.u', 3);

my $shipper = once_shipper(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http);
my $rows = 0;

sub write_rows
{
	my ($transactions, $each) = @_;
	my $from = $rows + 1;
	$rows += $transactions * $each;
	$node->safe_psql('postgres', join '', map {
		my $first = $from + $_ * $each;
		my $last = $first + $each - 1;
		"BEGIN; INSERT INTO t SELECT g FROM generate_series($first, $last) g;
		INSERT INTO u SELECT g FROM generate_series($first, $last) g; COMMIT;\n"
	} 0 .. $transactions - 1);
	return;
}

# So many records in some transactions, and none of these failed.
sub transactions_are_counted
{
	my ($records) = @_;
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total},
		$records, "ready, $records records acknowledged");
	is($now->{records_produced_total}, $records, 'each was sent once');
	cmp_ok($now->{kafka_transactions_committed_total},
		'>', 0, 'commits are counted');
	is($now->{kafka_transactions_failed_total}, 0, 'and no failure');
	is( $now->{state_writes_total},
		$now->{kafka_transactions_committed_total},
		'with each of them the position is written');
	return;
}

# --- first start, and a stop with nothing outstanding ---
$shipper->init;
like(
	($shipper->command('check'))[1],
	qr/^note .*WRITE and DESCRIBE on TransactionalId wal2kafka\.$slot$/m,
	'check names the right that it cannot try');
$shipper->start;
write_rows(20, 5);
wait_for_slot($node, $slot);
is_once($node, $kafka, @topics);
my ($commit, $ordinal) = position($kafka, $slot);
my ($last) =
  sort { $b->{lsn} <=> $a->{lsn} || $b->{seq_id} <=> $a->{seq_id} }
  map { $_->{json} } $kafka->records(@topics);
is("$commit/$ordinal", "$last->{lsn}/$last->{seq_id}",
	'the position is that of the last record');
transactions_are_counted(200) if $shipper->{http};
is($shipper->stop, 0, 'stopped');

# --- nothing repeats after a restart, nor after one of the server ---
$shipper->start;
write_rows(5, 3);
wait_for_slot($node, $slot);
is($shipper->kill9, 137, 'killed');
$node->stop('immediate');
$node->start;
$shipper->start;
write_rows(5, 3);
wait_for_slot($node, $slot);
is_once($node, $kafka, @topics);
transactions_are_counted(30) if $shipper->{http};
is($shipper->stop, 0, 'stopped');

# --- a table routed to where the position is ---
$node->safe_psql('postgres', <<'EOSQL');
LOAD 'wal2kafka';
SECURITY LABEL FOR wal2kafka ON TABLE u IS 'topic=wal2kafka.state';
EOSQL
my $from = $shipper->log_size;
$shipper->start;
$node->safe_psql('postgres', 'INSERT INTO t VALUES (0)');
wait_for_slot($node, $slot);
$node->safe_psql('postgres', 'INSERT INTO u VALUES (0)');
is($shipper->wait_exit, 3, 'a table routed to the position: status 3');
like(
	substr($shipper->log, $from),
	qr/record of table public\.u at LSN \S+, seq_id 0 is for topic "wal2kafka\.state"/,
	'which is named');
$shipper->{routes} = { 'public.u' => { topic => 'public.u' } };
$shipper->configure($shipper->config_text);
$shipper->start;
wait_for_slot($node, $slot);
is_once($node, $kafka, @topics);
is($shipper->stop, 0, 'with a route of the config it goes on');

# --- the topic of the position is deleted under it ---
$shipper->{broker} = {
	'topic.metadata.propagation.max.ms'  => 2000,
	'topic.metadata.refresh.interval.ms' => 1000
};
$shipper->configure($shipper->config_text);
$from = $shipper->log_size;
$shipper->start;
write_rows(1, 1);
wait_for_slot($node, $slot);
$kafka->delete_topic('wal2kafka.state');
write_rows(1, 1);
wait_for_slot($node, $slot);
like(
	substr($shipper->log, $from),
	qr/the state record of slot "$slot" is gone .* written anew/,
	'the topic of the position was deleted: it is made again');
is_once($node, $kafka, @topics);
is($shipper->stop, 0, 'stopped');

done_testing();
