# A shipper asks the server how far its log goes, then Kafka for the state record,
# and Kafka takes its time: meanwhile another one has shipped further and is
# gone.  That the record is ahead of what the server said then means nothing.
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

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $slot = 'wal2kafka';

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
add_ledger($node, 'postgres', 't');
$kafka->create_topic('public.t', 2);
my ($slow, $quick) = map {
	Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $_,
		http => Wal2Kafka::Shipper->can_http,
		publication => 'p')
} $proxy, $kafka;
$slow->init;

my $rows = 0;

sub rows_arrive
{
	my ($what) = @_;
	my ($first, $last) = ($rows + 1, $rows += 100);

	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 0, 'row' FROM generate_series($first, $last) g"
	);
	wait_for_slot($node, $slot);
	pass("$what: rows arrive");
	return;
}

$slow->start;
rows_arrive('the slow one alone');
is($slow->stop, 0, 'and leaves its record');

# it has asked the server, and waits for Kafka
$proxy->hold('down');
$slow->start;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'walsender' AND state = 'idle'})
  or die 'the slow one does not connect';

if ($slow->{http})
{
	$slow->wait_not_ready(
		qr/^not ready: not streaming from the server; Kafka does not answer/);
	ok($slow->live, 'it is not ready, and lives');
}

$quick->start;
rows_arrive('the quick one');
is($quick->kill9, 137, 'and is gone');

my $from = $slow->log_size;
$proxy->pass;
$slow->wait_for_log(qr/streaming slot|state record.*ends|restored/, $from);
unlike(substr($slow->log, $from), qr/older copy/, 'the server is the same');
rows_arrive('the slow one again');
if ($slow->{http})
{
	$slow->wait_ready;
	is($slow->metric('records_acknowledged_total'),
		100, 'ready, and what is its own is acknowledged');
}
is($slow->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, order kept') or diag($output);

done_testing();
