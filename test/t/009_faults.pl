# Kafka answers with errors: whatever it says, the records arrive, in order and
# without a gap, or the shipper stops and says why.  Always on the mock broker,
# since a real one has no reason to say these things.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = do { local $ENV{TEST_BROKER} = 'mock'; Wal2Kafka::Kafka->new };
my $node = new_server('source');
my $slot = 'wal2kafka';
my $topic = 'public.t';
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 2);
# The mock heeds no sequence numbers: of two requests at once it would store the
# second, and the first behind it when that is tried again.
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	broker => { 'max.in.flight.requests.per.connection' => 1 },
	publication => 'p',
	http => Wal2Kafka::Shipper->can_http);
$shipper->init;

my $rows = 0;

sub write_rows
{
	my ($count) = @_;
	my $first = $rows + 1;
	$rows += $count;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, 'row' FROM generate_series($first, $rows) g"
	);
	return;
}

# transient: NOT_LEADER also as the first answer that a producer gets, when an
# acknowledgement may be made up (a partition without state takes any number)
$kafka->fail_produce(3, 6);
$shipper->start;
write_rows(200);
wait_for_slot($node, $slot);
pass('NOT_LEADER_OR_FOLLOWER to the first requests is lived through');

my %transient = (
	'NOT_LEADER_OR_FOLLOWER' => 6,
	'REQUEST_TIMED_OUT' => 7,
	'NOT_ENOUGH_REPLICAS' => 19,
	'NOT_ENOUGH_REPLICAS_AFTER_APPEND' => 20,
	'a connection that breaks' => -195);
for my $name (sort keys %transient)
{
	$kafka->fail_produce(2, $transient{$name});
	write_rows(200);
	wait_for_slot($node, $slot);
	pass("$name is lived through");
}

if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{records_acknowledged_total}, $rows, 'all are acknowledged, once');
	is($now->{records_failed_total}, 0, 'and no failure is made up');
	is($shipper->metric_sum('producer_restarts_total'),
		0, 'nor a new producer');
}

# what retries do not mend at once; and librdkafka's names for those that reach us
my %stubborn = (
	'OUT_OF_ORDER_SEQUENCE_NUMBER' => [ 45, 'OUT_OF_ORDER_SEQUENCE_NUMBER' ],
	'UNKNOWN_PRODUCER_ID' => [59],
	'TOPIC_AUTHORIZATION_FAILED' => [ 29, 'TOPIC_AUTHORIZATION_FAILED' ],
	'UNKNOWN_TOPIC_OR_PARTITION' => [3],
	'INVALID_RECORD' => [ 87, 'INVALID_RECORD' ],
	'MESSAGE_TOO_LARGE' => [ 10, 'MSG_SIZE_TOO_LARGE' ]);

# Ready again; one failure of that kind and a new producer because of it, or
# none of both.
sub is_counted
{
	my ($name, $kind, $before) = @_;
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	my $count = sub { return ($now->{ $_[0] } // 0) - ($before->{ $_[0] } // 0); };
	my $failed = $count->('records_failed_total');

	is($count->('producer_restarts_total{reason="delivery_failed"}'),
		$kind ? 1 : 0, "$name: new producers are counted");
	ok($kind ? $failed > 0 : $failed == 0, "$name: $failed failures, too");
	cmp_ok($count->(qq(kafka_errors_total{kind="$kind"})),
		'>', 0, "$name: by kind")
	  if $kind;
	is( $count->('records_produced_total'),
		$count->('records_acknowledged_total') + $failed,
		"$name: what was sent is acknowledged, or failed");
	is($now->{'table_records_total{schema="public",table="t"}'},
		$rows, "$name: of the table each is counted once");
	return;
}

for my $name (sort keys %stubborn)
{
	my ($code, $kind) = @{ $stubborn{$name} };
	my $from = $shipper->log_size;
	my $before = $shipper->{http} ? $shipper->metrics : {};
	$kafka->fail_produce(1, $code);
	write_rows(50);
	wait_until(
		"the shipper has dealt with $name",
		sub {
			return $shipper->has_ended
			  || slot_field($node, $slot,
				'confirmed_flush_lsn >= pg_current_wal_lsn()') eq 't';
		});
	if ($shipper->has_ended)
	{
		my $status = $shipper->wait_exit;
		ok($status == 2 || $status == 3,
			"$name: stopped with status $status");
		like(substr($shipper->log, $from), qr/ error /, 'and said why');
		$shipper->start;
		wait_for_slot($node, $slot);
		next;
	}
	pass("$name: nothing stands still");
	is_counted($name, $kind, $before) if $shipper->{http};
}
is($shipper->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), $topic);
is($status, 0, 'nothing lost, nothing out of order') or diag($output);
note($output);

done_testing();
