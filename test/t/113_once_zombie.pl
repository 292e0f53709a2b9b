# A shipper is frozen with a transaction open; another takes the slot over when
# the server has given the first one up, and goes on.  Thawed, the first finds
# its transactional id taken: what it still had on its way counts for nothing,
# and it stands by.
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

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source', conf => "wal_sender_timeout = 3s\n");
my $slot = 'wal2kafka';
my $topic = 'public.t';

$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOSQL
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 1);

my $rows = 0;

sub write_rows
{
	my ($count) = @_;
	my $first = $rows + 1;
	$rows += $count;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g FROM generate_series($first, $rows) g");
	return;
}

my ($first, $second) = map {
	once_shipper(
		node => $node,
		kafka => $kafka,
		publication => 'p',
		http => Wal2Kafka::Shipper->can_http,
		options => { standby_check_interval => 1, log_level => 'debug' })
} 1 .. 2;
$first->init;
$first->start;
write_rows(100);
wait_for_slot($node, $slot);

# --- frozen between its records and their commit ---
$kafka->freeze;
my $from = $first->log_size;
write_rows(100);
$first->wait_for_log(qr/frame: \d+ bytes, [1-9]/, $from);
freeze_process($first->pid);
$kafka->thaw;
$second->start;
$second->wait_for_log(qr/streaming slot/);
write_rows(100);
wait_for_slot($node, $slot);
is_once($node, $kafka, $topic);

# --- thawed ---
$from = $first->log_size;
kill 'CONT', $first->pid;
$first->wait_for_log(qr/standing by: process \d+ of the server reads slot/,
	$from);
like(
	substr($first->log, $from),
	qr/taken the transactional id|fenced/i,
	'the zombie is told that its id was taken');
ok(!$first->has_ended, 'and lives on');
if ($first->{http})
{
	$first->wait_not_ready(qr/another connection reads the slot/);
	is($first->metric('standby'), 1, 'it says that it is a standby');
	cmp_ok($first->metric_sum('producer_restarts_total'),
		'>', 0, 'and that its producer was no good any more');
	is($second->metric_sum('producer_restarts_total'),
		0, 'the other one never had a reason');
}
write_rows(100);
wait_for_slot($node, $slot);
is_once($node, $kafka, $topic);
unlike($second->log, qr/fenced/i, 'the other one is left alone');

# --- it takes over again ---
$from = $first->log_size;
is($second->stop, 0, 'the other one stops');
$first->wait_for_log(qr/streaming slot/, $from);
write_rows(100);
wait_for_slot($node, $slot);
is_once($node, $kafka, $topic);
if ($first->{http})
{
	$first->wait_ready;
	is($first->metric('takeovers_total'), 1, 'ready, the takeover is counted');
}
is($first->stop, 0, 'stopped');

done_testing();
