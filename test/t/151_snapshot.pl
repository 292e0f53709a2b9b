# Tables that are full already are copied while the stream runs and everything in
# them changes: the strict consumer, with its drop rule, has what the tables have.
# Then once more while shipper, server and broker die.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotLoad;
use Wal2Kafka::SnapshotRun;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "needs a real broker: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_extension_server('source', conf => "autovacuum = off\n");

sub begin
{
	my ($name, %o) = @_;
	my $load = Wal2Kafka::SnapshotLoad->new(
		node => $node,
		kafka => $kafka,
		database => $name,
		copy => "copy_$name",
		prefix => $name,
		partitions => $o{partitions},
		forgetful => $o{forgetful},
		rows => $o{rows});
	my $run = Wal2Kafka::SnapshotRun->new(
		load => $load,
		slot => $name,
		broker => { 'reconnect.backoff.max.ms' => 500 },
		options => $o{options});

	$load->publish;
	$run->shipper->init;
	$load->watch($name);
	$run->shipper->start;
	$load->write($o{partitions}, $o{rate});
	return $run;
}

sub finish
{
	my ($run) = @_;

	$run->load->stop_writing;
	my $wrong = eval { $run->judge } // $@;
	ok($wrong eq '', 'the copy is equal, and every record right')
	  or diag($wrong);
	note($run->{applied} // '', $run->{checked} // '');
	is($run->shipper->stop, 0, 'stopped');
	return;
}

# --- nothing else happens ---
my $rows = 8000;
my $run = begin('one',
	partitions => 1,
	rows => $rows,
	rate => 600,
	options => { snapshot_chunk_rows => 200 });
$run->want;
my $status = $run->wait_done;
cmp_ok($status->{rows}, '>', 5 * $rows * 0.8, 'the status counts rows');
is_deeply(
	[ sort map { $_->{name} } @{ $status->{tables} } ],
	[ sort map { "public.$_" } $run->load->leaves ],
	'of every table and partition');
is(join(' ', grep { $_ ne 'done' } map { $_->{state} } @{ $status->{tables} }),
	'', 'which are all done');
finish($run);
cmp_ok($run->{copied}, '<', 5 * $rows * 1.2 + 2000, 'no row was copied twice');

# --- everything dies ---
$run = begin('three',
	partitions => 3,
	rows => $rows,
	rate => 300,
	forgetful => 1,
	options => {
		snapshot_chunk_rows => 300,
		snapshot_connections => 3,
		snapshot_rate => 8000
	});
$run->want;
my $again;
my @deaths = (
	[
		'the shipper is killed',
		sub {
			$run->wait_for('much is on record', sub { $run->on_record > $rows; });
			$run->shipper->kill9;
			$again = $run->copied - $run->on_record;
			$run->shipper->start;
		}
	],
	[ 'the server crashes', sub { $run->crash_server; } ],
	[ 'the broker is killed', sub { $run->crash_broker; } ]);
for my $death (@deaths)
{
	my ($name, $strike) = @$death;
	ok($run->wait_for_rows($rows / 2), "$name while tables are copied");
	$strike->();
}
$run->wait_done;
finish($run);
cmp_ok($run->{copied} - $again, '<', 5 * $rows * 1.15,
	'and what was on record was not read again');

done_testing();
