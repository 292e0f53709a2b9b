# A shipper that confirms a keepalive's end of the log loses a record that the
# plugin still holds back.  The real one does not, and the tests can tell.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Proxy;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
$node->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v bigint)');
add_ledger($node, 'postgres', 't');

# Lets a shipper meet a keepalive while a record is held back, then cuts the
# line; returns what the checker finds.
sub try
{
	my ($name, $program) = @_;
	my $proxy = Wal2Kafka::Proxy->new($node);
	my $shipper = Wal2Kafka::Shipper->new(
		kafka => $kafka,
		conninfo => $proxy->conninfo('postgres'),
		slot => $name,
		postgres => { publication => $name },
		program => $program,
		routes => { 'public.t' => { topic => $name } });

	$node->safe_psql('postgres',
		"TRUNCATE t, ledger; CREATE PUBLICATION $name FOR TABLE t");
	$kafka->create_topic($name, 1);
	$shipper->init;
	$shipper->start;
	$node->safe_psql('postgres', 'INSERT INTO t VALUES (1)');
	$kafka->wait_for_count(1, $name);
	wait_for_slot($node, $name);

	$proxy->hold;
	$node->safe_psql('postgres', 'INSERT INTO t VALUES (2)');
	$proxy->wait_held;
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	my $confirmed = $proxy->keepalive($end);
	my $lied =
	  $node->safe_psql('postgres', "SELECT '$confirmed'::pg_lsn >= '$end'");
	wait_until(
		'the server has taken the confirmation',
		sub {
			slot_field($node, $name, "confirmed_flush_lsn >= '$end'") eq 't';
		}) if $lied eq 't';
	$proxy->cut;

	$node->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
	wait_for_slot($node, $name);
	is($shipper->stop, 0, "$name: stopped");
	my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
		'--ledger', write_ledger($node, 'postgres'), $name);
	note($output);
	return ($lied, $status, $output);
}

my ($lied, $status, $output) = try('real');
is($lied, 'f', 'the shipper does not confirm a keepalive');
is($status, 0, 'and loses nothing') or diag($output);

my $mutant =
  `@{[ top_dir() ]}/test/bin/build-mutant CONFIRM_KEEPALIVE @{[ launch_dir() ]}/mutant`;
chomp $mutant;
ok(-x $mutant, 'the mutant is built');
($lied, $status, $output) = try('mutant', $mutant);
is($lied, 't', 'the mutant confirms a keepalive');
is($status, 1, 'the checker finds it out');
like($output, qr/^lost: table t, W /m, 'a lost record is named');

done_testing();
