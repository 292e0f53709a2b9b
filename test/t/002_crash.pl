# The shipper is killed in the middle of a backlog, the server crashes under it,
# it is killed while rows are written: the strict consumer rebuilds every table
# in a second database, under FULL and DEFAULT identity, from topics of one and
# of six partitions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Workload;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $load = Wal2Kafka::Workload->new($node, $kafka);
my @topics = $load->topics;
my @tables = $load->tables;
my $slot = 'wal2kafka';

# The mock keeps only 5 MB of a partition and cannot be frozen: there the crash
# comes when it comes.
my $mock = $kafka->is_mock;
my $transactions = $mock ? 100 : 400;    # of each writer

my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	options => { max_in_flight => '1MB' });
$shipper->init;
$load->watch($slot);

# Until the shipper has said how far it is, after it could go no further: one
# that confirms too much has done so then.
sub wait_for_status
{
	my $now = $node->safe_psql('postgres', 'SELECT now()');

	$node->poll_query_until(
		'postgres',
		"SELECT reply_time > '$now'::timestamptz + '0.2 s'
			FROM pg_stat_replication") or die 'the shipper says nothing';
	return;
}

# Kafka falls silent when some of the backlog is there: whatever dies then,
# dies in the middle.
sub in_the_middle
{
	my ($crash) = @_;
	my $wanted = $kafka->count(@topics) + ($mock ? 20 : 500);
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

	$shipper->start if !$shipper->pid;
	$kafka->wait_for_count($wanted, @topics);
	if (!$mock)
	{
		$kafka->freeze;
		wait_for_status();
	}
	$crash->();
	is(slot_field($node, $slot, "confirmed_flush_lsn < '$end'"),
		't', 'in the middle of a backlog')
	  if !$mock;
	$kafka->thaw if !$mock;
	return;
}

# --- kill -9 of the shipper, twice ---
ok($load->write_rows(1, $transactions), 'a backlog is written');
for my $n (1 .. ($mock ? 0 : 20))
{
	$node->safe_psql(
		'postgres', "INSERT INTO $tables[ $n % 4 ]
		SELECT $n * 10000 + g, 0, repeat('wide', 200) FROM generate_series(1, 1000) g"
	);
}
ok($load->write_rows(2, $transactions), 'with wide rows in it');
in_the_middle(sub { is($shipper->kill9, 137, 'the shipper is killed'); })
  for 1 .. 2;
$load->consume;

# --- a crash of the server under it, and rows written meanwhile ---
in_the_middle(sub { $node->stop('immediate'); $node->start; });
my $writers = $load->start_writers(3, $transactions);
$kafka->wait_for_count($kafka->count(@topics) + ($mock ? 50 : 200), @topics);
$shipper->kill9;
$shipper->start;
$writers->finish;
wait_for_slot($node, $slot);
pass('the shipper has caught up');
$load->consume;
$load->judge;
is($shipper->stop, 0, 'stopped');

done_testing();
