# What Kafka has not acknowledged is not confirmed, whatever else it has: not
# when later records are acknowledged first, not when the larger part of a
# transaction is, not by a single byte.  Each time the shipper is killed then,
# and the witness and the source's ledger say whether it told the truth.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Witness;
use Test::More;

# A small record waits in the producer, a large one fills its batch and goes.
my %slow = ('linger.ms' => 900000, 'batch.size' => 1000);
my %fast = ('linger.ms' => 5);
my $large = "repeat('x', 3000)";

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source',
	conf => "max_prepared_transactions = 5\nautovacuum = off\n");
my $slot = 'wal2kafka';
my @topics = qw(public.a public.b);
$node->safe_psql('postgres', <<'EOS');
CREATE TABLE a (id int PRIMARY KEY, v bigint, pad text);
CREATE TABLE b (id int PRIMARY KEY, v bigint, pad text);
CREATE PUBLICATION p FOR TABLE a, b;
EOS
add_ledger($node, 'postgres', 'a', 'b');
$kafka->create_topic($_, 1) for @topics;
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	options => { log_level => 'debug', release_after => 600 });
$shipper->init;
my $witness = Wal2Kafka::Witness->new($node, $kafka, $slot, @topics);

my $id = 0;
my $sent = 0;    # to public.b

# The log goes on before each start: one that ends before what was confirmed
# would be refused.
sub start_with
{
	my (%broker) = @_;
	$node->safe_psql('postgres',
		"SELECT pg_logical_emit_message(true, 'nothing', '')");
	$shipper->{broker} = \%broker;
	$shipper->configure($shipper->config_text);
	$shipper->start;
	return;
}

# Slow, with a large record through each partition: the first ones go alone.
sub start_slow
{
	start_with(%slow);
	$id++;
	$node->safe_psql('postgres', "INSERT INTO $_ VALUES ($id, 0, $large)")
	  for 'a', 'b';
	wait_for_slot($node, $slot);
	$sent = $kafka->count('public.b');
	return;
}

# Until the shipper has spoken twice after all it could learn, and the witness
# has looked.
sub wait_for_word
{
	for (1 .. 2)
	{
		my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
		$node->poll_query_until('postgres',
			"SELECT reply_time > '$now' FROM pg_stat_replication")
		  or die 'the shipper says nothing';
	}
	$witness->wait_for_sample;
	return;
}

sub wait_for_large
{
	my ($count) = @_;
	$sent += $count;
	$kafka->wait_for_count($sent, 'public.b');
	return;
}

# What was confirmed is all the next one has to go by.
sub crash
{
	wait_for_word();
	is($shipper->kill9, 137, 'the shipper is killed');
	start_with(%fast);
	wait_for_slot($node, $slot);
	is($shipper->stop, 0, 'the next one sends the rest');
	return;
}

# --- a later record is acknowledged before an earlier one ---
start_slow();
$id++;
$node->safe_psql('postgres', "INSERT INTO a VALUES ($id, 0, 'waits')");
my $before = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
$node->safe_psql('postgres', "INSERT INTO b VALUES ($id, 0, $large)");
wait_for_large(1);
wait_for_word();
is(slot_field($node, $slot, "confirmed_flush_lsn < '$before'"),
	't', 'not confirmed past an earlier record');
crash();

# --- all of a transaction but its last record ---
start_slow();
$id++;
$node->safe_psql('postgres', <<"EOS");
BEGIN;
INSERT INTO b SELECT $id + g * 1000, 0, $large FROM generate_series(1, 200) g;
INSERT INTO a VALUES ($id, 0, 'waits');
COMMIT;
EOS
$before = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
wait_for_large(200);
wait_for_word();
is(slot_field($node, $slot, "confirmed_flush_lsn < '$before'"),
	't', 'not confirmed in the middle of a transaction');
crash();

# --- a transaction that commits where the confirmed one ends ---
my $adjacent = 0;
for my $try (1 .. 5)
{
	start_slow();
	$id++;
	$node->safe_psql('postgres', <<"EOS");
BEGIN;
INSERT INTO a VALUES ($id, 0, 'waits');
PREPARE TRANSACTION 'later';
EOS
	$node->safe_psql('postgres', "INSERT INTO b VALUES ($id, 0, $large)");
	wait_for_slot($node, $slot);
	my $end = slot_field($node, $slot, "confirmed_flush_lsn - '0/0'");
	my $from = $shipper->log_size;
	$node->safe_psql('postgres', "COMMIT PREPARED 'later'");
	my $behind = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	wait_until(
		'the shipper has read it',
		sub {
			return
				 substr($shipper->log, $from) =~ /frame: \d+ bytes, 1 records/
			  || slot_field($node, $slot,
				"confirmed_flush_lsn >= '$behind'") eq 't';
		});
	crash();
	my ($record) =
	  grep { $_->{key} eq $id } $kafka->records('public.a');
	$adjacent = !defined $record || $record->{json}{lsn} <= $end + 1;
	last if $adjacent;
}
ok($adjacent, 'a transaction committed where the confirmed one ends');
$witness->stop;

my ($status, $output) = run_tool(
	'checker', '--brokers', $kafka->brokers, '--murmur2',
	'--ledger', write_ledger($node, 'postgres'),
	$witness->options, @topics);
is($status, 0, 'nothing lost, nothing confirmed too early');
diag($output);

done_testing();
