# A slot that is made together with a copy of what is there, while everything is
# written to: each row comes once, so that a plain INSERT will do.  Killed in the
# middle, the rest comes while streaming.
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
my $rows = 8000;

sub begin
{
	my ($name, %options) = @_;
	my $load = Wal2Kafka::SnapshotLoad->new(
		node => $node,
		kafka => $kafka,
		database => $name,
		copy => "copy_$name",
		prefix => $name,
		rows => $rows,
		early => 1);

	$load->publish;
	$load->write(7, 400);
	return Wal2Kafka::SnapshotRun->new(
		load => $load,
		slot => $name,
		options => { snapshot_chunk_rows => 500, %options });
}

sub finish
{
	my ($run, @options) = @_;

	$run->load->stop_writing;
	my $wrong = eval { $run->judge(@options) } // $@;
	ok($wrong eq '', 'the copy is equal, and every record right')
	  or diag($wrong);
	note($run->{applied} // '', $run->{checked} // '');
	is($run->shipper->stop, 0, 'stopped');
	return;
}

# --- to its end ---
my $run = begin('whole');
my ($status, $output) = $run->shipper->command('init', '--snapshot');
is($status, 0, 'the slot is made, and what is there is copied');
my @copied = $run->copied;
my %rows = map { ($_->{topic} . ($_->{value} =~ /"op":(.+)\},"schema":/s)[0] => 1) } @copied;
is(scalar(keys %rows), scalar(@copied), 'no row of it twice');
$run->shipper->start;
$run->wait_for('changes arrive', sub { $kafka->count($run->load->topics) > @copied + 1000 });
finish($run, '--plain-insert');
is($run->{copied}, scalar(@copied), 'and none came later');

# --- killed ---
$run = begin('killed', snapshot_rate => 4000);
$run->shipper->start('--init', '--snapshot');
$run->shipper->wait_for_log(qr/streaming slot/);
$run->wait_for('much is on record', sub { $run->on_record > 2 * $rows });
is($run->shipper->kill9, 137, 'killed in the middle');
my ($recorded, $there) = ($run->on_record, scalar $run->copied);
cmp_ok($there, '<', @copied, 'in the middle');
$run->lift_rate;
$run->shipper->start;
$run->wait_done;
finish($run);
# those that move and those that are new may come too
cmp_ok($run->{copied} - $there, '<', 1.1 * @copied - $recorded,
	'what was on record was not read again');

done_testing();
