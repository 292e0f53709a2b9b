# A snapshot goes on where the state record says, however the shipper ended, and
# the record says no more than Kafka has; paused it stays paused; done it is done.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use List::Util qw(max min uniq);
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotRun;
use Wal2Kafka::State;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "needs a real broker: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_extension_server('source', conf => "autovacuum = off\n");
my $rows = 30_000;

$node->safe_psql('postgres', 'CREATE EXTENSION wal2kafka');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A table of its own, a slot, a shipper that copies slowly.
sub begin
{
	my ($name, %options) = @_;

	sql("CREATE TABLE $name (id int PRIMARY KEY, v text);
		INSERT INTO $name SELECT g, repeat('x', 100) FROM generate_series(1, $rows) g;
		ANALYZE $name;
		CREATE PUBLICATION $name FOR TABLE $name");
	$kafka->create_topic("public.$name", 1);
	my $run = Wal2Kafka::SnapshotRun->new(
		kafka => $kafka,
		node => $node,
		publication => $name,
		slot => $name,
		options => {
			snapshot_chunk_rows => 500,
			snapshot_rate => 500,
			%options
		});
	$run->shipper->init;
	$run->shipper->start;
	return $run;
}

# What was copied: [lsn, id] of each record.
sub copied
{
	my ($name) = @_;
	return map {
		my ($lsn) = $_->{value} =~ /"lsn":(\d+)/;
		my ($id) = $_->{value} =~ /"Insert":\["(\d+)"/;
		$_->{value} =~ /"snapshot":true/ ? [ $lsn, $id ] : ()
	} $kafka->messages("public.$name");
}

# The last key that is on record for a table; 0: none.
sub recorded
{
	my ($name) = @_;
	my $record = state_record($kafka, $name) // {};
	my ($table) = @{ ($record->{snapshot} // {})->{tables} // [] };
	return (($table // {})->{after} // [0])->[0];
}

sub all_there
{
	my ($name, $text) = @_;
	my @ids = uniq(map { $_->[1] } copied($name));
	is(scalar(@ids), $rows, "$text: every row has arrived");
	return;
}

# --- ended in the middle, in each way ---
my $run = begin('t');
$run->want('t');
for my $way ('killed', 'stopped')
{
	my $before = recorded('t');
	$run->wait_for('some of it is on record',
		sub { return recorded('t') > $before; });
	my $end = $way eq 'killed' ? $run->shipper->kill9 : $run->shipper->stop;
	is($end, $way eq 'killed' ? 137 : 0, "$way in the middle");
	my $after = recorded('t');
	my $lsn = lsn_number(sql('SELECT pg_current_wal_insert_lsn()'));
	cmp_ok($after, '<', $rows, "$way: not done yet");

	$run->shipper->start;
	$run->wait_for('it goes on', sub { return recorded('t') > $after; });
	is(min(map { $_->[1] } grep { $_->[0] >= $lsn } copied('t')),
		$after + 1, "$way: it goes on behind what is on record");
}

# --- paused, and from here on as fast as can be ---
$run->insist('pause');
$run->shipper->kill9;
$run->lift_rate;
$run->shipper->start;
my $state = $run->insist('status')->{snapshot}{state};
is($state, 'paused', 'paused, and killed: it stays so');
$run->insist('resume');
$run->wait_done;
all_there('t', 'resumed');
cmp_ok(scalar(copied('t')), '<', $rows * 1.3, 'few of them twice');

# --- done ---
my $count = $kafka->count('public.t');
is($run->shipper->stop, 0, 'stopped');
$run->shipper->start;
sql("INSERT INTO t VALUES (0, 'new')");
wait_for_slot($node, 't');
is($kafka->count('public.t'), $count + 1, 'what is done is not begun again');

# --- and again, because somebody wants it ---
$run->want('t');
$run->wait_done;
is(scalar(copied('t')), $count + $rows + 1, 'wanted again: all rows once more');
is($run->shipper->stop, 0, 'stopped');

# --- the record never says more than Kafka has ---
# What the shipper had sent when Kafka fell silent is taken afterwards: of rows a
# little, and what it would say of them.
$run = begin('f', snapshot_rate => 7000);
$run->want('f');
$run->wait_for('some of it is on record', sub { return recorded('f') > 2000; });
$kafka->freeze;
$run->shipper->wait_for_log(qr/nothing was delivered for/);
is($run->shipper->kill9, 137, 'killed while Kafka is silent');
$kafka->thaw;
$run->shipper->start;
$run->wait_done;
all_there('f', 'killed while Kafka was silent');
is($run->shipper->stop, 0, 'stopped');

# --- much is sent again, and not on record: copied rows come behind it ---
$run = begin('m', snapshot_rate => 5000);
$run->want('m');
$run->wait_for('some of it is on record', sub { return recorded('m') > 2000; });
$run->insist('pause');
my $there = $kafka->count('public.m');
sql("UPDATE m SET v = 'changed' WHERE id <= 10000") for 1 .. 12;
$kafka->wait_for_count($there + 120_000, 'public.m');
is($run->shipper->kill9, 137, 'killed while the slot is behind');
$run->shipper->start;
$run->insist('resume');
$run->wait_done;
all_there('m', 'while changes are sent again');
is($run->shipper->stop, 0, 'stopped');

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers, map { "public.$_" } qw(t f m));
is($status, 0, 'all of them in order');
diag($output);

done_testing();
