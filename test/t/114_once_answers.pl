# Exactly once, and the answers to transactional requests are lost: of each kind
# once, with the request carried out or not; a commit whose outcome stays
# unknown; a request to commit that arrives when the next transaction is open.
#
# ROUNDS (1) is how often each answer is lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new(
	proxied => 1,
	settings => {
		'transaction.abort.timed.out.transaction.cleanup.interval.ms' => 500
	});
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $slot = 'wal2kafka';
my $topic = 'public.t';

$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOSQL
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 1);

my $shipper = once_shipper(
	node => $node,
	kafka => $proxy,
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http,
	broker => {
		'transaction.timeout.ms' => 10_000,
		'socket.timeout.ms' => 1000
	});
my $rows = 0;

sub write_rows
{
	my $first = $rows + 1;
	$rows += 100;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g FROM generate_series($first, $rows) g");
	return;
}

sub arrives
{
	my ($what) = @_;
	wait_for_slot($node, $slot);
	pass($what);
	is_once($node, $kafka, $topic);
	$shipper->wait_ready if $shipper->{http};
	return;
}

# How often a commit was in doubt.
sub doubts
{
	return $shipper->metric('producer_restarts_total{reason="transaction"}');
}

$shipper->init;
$shipper->start;
write_rows();
wait_for_slot($node, $slot);

# --- a commit comes late, between the next records and their position ---
$proxy->answer('EndTxn', 'hold-request');
write_rows();
wait_for_slot($node, $slot);
my $before = $kafka->count_uncommitted($topic);
# the first record goes alone, then the others, then the position
$proxy->answer('Produce', 'hold-request', skip => 2, count => 50);
write_rows();
wait_until('the next records are there',
	sub { $kafka->count_uncommitted($topic) >= $before + 100 });
$shipper->kill9;
$proxy->pass;
$shipper->start;
arrives('a commit that comes late');

# --- nobody hears of a commit, until Kafka aborts it ---
my $ends = $kafka->count($topic);
$proxy->answer('EndTxn', 'reset-request', count => 1000);
write_rows();
wait_until('Kafka has aborted', sub { $kafka->count($topic) > $ends });
$proxy->pass;
arrives('a commit that never was');

# --- a commit is carried out, and nobody says so ---
my $from = $shipper->log_size;
my $failed = $shipper->{http} ? $shipper->metric('kafka_transactions_failed_total') : 0;
$proxy->answer('EndTxn', 'drop', count => 50);
write_rows();
$shipper->wait_for_log(qr/could not commit a Kafka transaction/, $from);
if ($shipper->{http})
{
	$shipper->wait_metric('kafka_transactions_failed_total', sub { $_ > $failed });
	$shipper->wait_not_ready(qr/what failed is being sent again/);
	pass('not ready, and counted');
}
$proxy->pass;
arrives('a commit whose outcome is not known');

# --- a connection breaks in place of an answer, or of a request ---
for my $api (qw(AddPartitionsToTxn Produce EndTxn InitProducerId))
{
	for my $fault ('reset', 'reset-request')
	{
		for (1 .. $ENV{ROUNDS} // 1)
		{
			my $fired = $proxy->fired;
			my $doubts = $shipper->{http} ? doubts() : 0;

			# a new producer is what begins with InitProducerId
			$proxy->answer('EndTxn', 'reset') if $api eq 'InitProducerId';
			$proxy->answer($api, $fault);
			write_rows();
			$proxy->wait_fired($fired, $api eq 'InitProducerId' ? 2 : 1);
			wait_for_slot($node, $slot);
			$proxy->pass;
			cmp_ok(doubts(), '>', $doubts, "$api, $fault: is counted")
			  if $shipper->{http} && $api =~ /EndTxn|Init/;
		}
	}
	arrives("$api: lost");
}

is($shipper->stop, 0, 'stopped');

done_testing();
