# Connections cut after so many bytes, wherever in a frame or a request that
# is: what arrived in part is not taken for whole, and nothing is lost.
#
# CUTS cuts the first so many bytes of each; test/long/cuts.pl has 1000.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "the mock broker cannot stand behind a proxy: $why" if $why;

my $cuts = $ENV{CUTS};
my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $to_kafka = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $to_server = Wal2Kafka::FaultProxy->postgres($node);
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);
my $shipper = Wal2Kafka::Shipper->new(
	kafka => $to_kafka,
	conninfo => $to_server->conninfo('postgres'),
	postgres => { publication => 'p' },
	broker => { 'reconnect.backoff.max.ms' => 200 });
$shipper->init;
$shipper->start;

my $rows = 0;

# Frames of some hundred bytes, one a transaction, and requests likewise.
sub write_rows
{
	my $first = $rows + 1;
	$rows += 20;
	$node->safe_psql('postgres', join ';',
		map { "INSERT INTO t VALUES ($_, 0, 'x')" } $first .. $rows);
	return;
}

# Where an envelope, a header, an entry of a frame begins; requests and answers.
my @frames = $cuts ? (1 .. $cuts) : (1, 6, 31, 150);
my @requests = $cuts ? (1 .. $cuts) : (1, 5, 13, 200);
my @answers = $cuts ? (1 .. $cuts) : (1, 4, 5, 9, 40);

sub cut
{
	my ($proxy, $way, @places) = @_;

	for my $place (@places)
	{
		my $fired = $proxy->fired;
		$proxy->cut($way => $place);
		# an idle link is silent
		while ($proxy->fired == $fired)
		{
			write_rows();
			wait_for_slot($node, $slot);
		}
		$proxy->pass;
	}
	wait_for_slot($node, $slot);
	return;
}

write_rows();
wait_for_slot($node, $slot);
cut($to_server, down => @frames);
pass(@frames . ' cuts of frames');
cut($to_kafka, up => @requests);
pass(@requests . ' cuts of requests to Kafka');
cut($to_kafka, down => @answers);
pass(@answers . ' cuts of its answers');

is($shipper->stop, 0, 'stopped');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, order kept') or diag($output);
note($output);

done_testing();
