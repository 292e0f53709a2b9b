# A snapshot with exactly once: how far it is stands in the transaction of the
# rows, so a consumer that reads what is committed gets each once, through kills;
# and what people wish is on record though nothing is sent.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotRun;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_extension_server('source');
my $rows = 30_000;

$node->safe_psql('postgres', <<"EOF");
CREATE EXTENSION wal2kafka;
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, 'x' FROM generate_series(1, $rows) g;
CREATE PUBLICATION p FOR TABLE t;
EOF
$kafka->create_topic('public.t', 3);
my $run = Wal2Kafka::SnapshotRun->new(
	kafka => $kafka,
	node => $node,
	publication => 'p',
	slot => 'once',
	options => {
		processing_guarantee => 'exactly_once',
		snapshot_chunk_rows => 500,
		snapshot_rate => 4000,
	});
$run->shipper->init;
$run->shipper->start;
$run->shipper->wait_for_log(qr{streaming slot});
$run->want('t');

# Before it has read its record it knows of no snapshot.
sub start_again
{
	$run->shipper->start;
	$run->wait_for('it has read its record', sub { $run->state =~ /^[^n]/ });
	return;
}

for my $kill (1 .. 3)
{
	$run->wait_for_rows(2000);
	is($run->shipper->kill9, 137, 'killed');
	start_again();
}

# --- a wish, while nothing is sent ---
ok($run->insist('pause')->{ok}, 'paused');
is($run->shipper->kill9, 137, 'killed while it is paused');
start_again();
is($run->state, 'paused', 'it stays so');
$run->insist('resume');
$run->wait_done;

my %seen;
$seen{ ($_->{value} =~ /"Insert":\["(\d+)"/)[0] }++
  for $kafka->messages('public.t');
is(scalar keys %seen, $rows, 'all rows');
is_deeply([ grep { $seen{$_} > 1 } keys %seen ], [], 'each once');
is($run->shipper->stop, 0, 'stopped');

done_testing();
