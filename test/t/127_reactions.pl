# What Kafka may answer, once for each reaction that there is, by the mock: what
# time mends is tried again, what it does not ends with status 3 and a hint, and
# then goes on when it is started again.  The whole table is in the unit test
# kafka_reaction_test.
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
my $node  = new_server('source');
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
END
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 1);
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	kafka       => $kafka,
	publication => 'p',
	http        => Wal2Kafka::Shipper->can_http,
	options     => { state => 'none' });
$shipper->init;
my $rows = 0;

sub write_rows
{
	my $first = $rows + 1;
	$rows += 20;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0 FROM generate_series($first, $rows) g");
	return;
}

# A new process, to which records were acknowledged: delays begin anew.
sub fresh
{
	$shipper->stop if $shipper->pid;
	$shipper->start;
	write_rows();
	wait_for_slot($node, 'wal2kafka');
	return;
}


# name, code, how often it is answered
for my $case (
	[ KAFKA_STORAGE_ERROR        => 56, 2 ],
	[ UNKNOWN                    => -1, 1 ],
	[ TOPIC_AUTHORIZATION_FAILED => 29, 1 ],
	[ INVALID_RECORD             => 87, 1 ])
{
	my ($name, $code, $times) = @$case;
	fresh();
	$kafka->fail_produce($times, $code);
	write_rows();
	wait_for_slot($node, 'wal2kafka');
	ok(!$shipper->has_ended, "$name: lived through");
	$shipper->wait_ready if $shipper->{http};
}

for my $case (
	[ INVALID_TIMESTAMP => 32, 1, qr/message\.timestamp\.type/ ],
	[ INVALID_RECORD    => 87, 2, qr/cleanup\.policy=delete/ ])
{
	my ($name, $code, $times, $hint) = @$case;
	fresh();
	my $from = $shipper->log_size;
	$kafka->fail_produce($times, $code);
	write_rows();
	is($shipper->wait_exit, 3, "$name, $times times: status 3");
	like(
		substr($shipper->log, $from),
		qr/delivery to topic "public\.t" partition 0 failed: .*hint.*$hint/s,
		"$name: topic and remedy are named");
}
fresh();
is($shipper->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);

done_testing();
