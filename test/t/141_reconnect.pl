# The connection breaks in the middle of a large transaction, without a word and
# by a server that crashes: the same process reads it all again and sends what
# it has not sent, no less.  A slot that vanished is not made anew.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Proxy;
use Wal2Kafka::Shipper;
use Wal2Kafka::Witness;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my $topic = 'public.t';
my $rows = 8000;
$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOS
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 6);

# A megabyte on its way, which waits to become a batch: 2 MB/s at most.
my $proxy = Wal2Kafka::Proxy->new($node);
my $shipper = Wal2Kafka::Shipper->new(
	conninfo => $proxy->conninfo('postgres'),
	kafka => $kafka,
	publication => 'p',
	broker => { 'linger.ms' => 500 },
	options => { max_in_flight => '1MB' });
$shipper->init;
my $witness = Wal2Kafka::Witness->new($node, $kafka, $slot, $topic);

my $id = 0;

# Whether the slot is where everything is delivered, in the end.
sub comes_back
{
	my ($what) = @_;
	ok(eval { wait_for_slot($node, $slot); 1; }, "after $what it goes on");
	return;
}

sub in_the_middle
{
	my ($what, $break) = @_;
	my $from = $shipper->log_size;
	my $count = $kafka->count($topic);

	$shipper->start if !$shipper->pid;
	my $end = $node->safe_psql('postgres', <<"EOS");
INSERT INTO t SELECT $id + g, 0, repeat('x', 1000) FROM generate_series(1, $rows) g;
SELECT pg_current_wal_lsn();
EOS
	$id += $rows;
	# one that has confirmed all of it by then has lost most of it
	wait_until(
		'some of it has arrived',
		sub {
			return $kafka->count($topic) >= $count + 1000
			  || slot_field($node, $slot, "confirmed_flush_lsn >= '$end'") eq
			  't';
		});
	$break->();
	cmp_ok($kafka->count($topic), '<', $count + $rows,
		"$what in the middle of a transaction");
	comes_back($what);
	like(
		substr($shipper->log, $from),
		qr/trying again/,
		"$what was noticed");
	return;
}

in_the_middle('a connection that is cut', sub { $proxy->cut; });
in_the_middle(
	'a crash of the server',
	sub { $node->stop('immediate'); $node->start; });
my $status = $shipper->stop;
is($status, 0, 'the same process all along');
like($shipper->log, qr/not sent again [1-9]\d\d/,
	'what was acknowledged is not sent again');
$witness->stop;

($status, my $output) = run_tool(
	'checker', '--brokers', $kafka->brokers, '--murmur2',
	'--ledger', write_ledger($node, 'postgres'),
	$witness->options, $topic);
is($status, 0, 'nothing lost, order holds');
diag($output);

# --- the slot is gone, and no state record says how far it was ---
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
$node->safe_psql('postgres', 'INSERT INTO t VALUES (0)');
$shipper->{options}{state} = 'none';
$shipper->configure($shipper->config_text);
my $from = $shipper->log_size;
$shipper->start;
wait_until('the shipper ends or streams',
	sub { $shipper->has_ended || substr($shipper->log, $from) =~ /streaming/; }
);
is($shipper->has_ended ? $shipper->wait_exit : 'running',
	3, 'a slot that vanished is not made anew');

done_testing();
