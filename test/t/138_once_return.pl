# Exactly once: a shipper that is frozen while nothing is written, and finds
# when it is thawed that another had the slot, went on, and left.  Its
# transactional id and the position that it read are old by then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::ExactlyOnce;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my $kafka = Wal2Kafka::Kafka->new;
my $node  = new_server('source', conf => "wal_sender_timeout = 3s\n");
my $slot  = 'wal2kafka';
my $topic = 'public.t';
my $rows  = 0;

$node->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t;
EOSQL
add_ledger($node, 'postgres', 't');
$kafka->create_topic($topic, 1);

sub write_row
{
	$rows++;
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($rows)");
	wait_for_slot($node, $slot);
	return;
}

my ($first, $second) = map {
	once_shipper(
		node        => $node,
		kafka       => $kafka,
		publication => 'p',
		options     => { standby_check_interval => 1 })
} 1 .. 2;
$first->init;
$first->start;
write_row();

freeze_process($first->pid);
$second->start;
$second->wait_for_log(qr/streaming slot/);
write_row();
is($second->stop, 0, 'the other one goes on, and stops');

my $from = $first->log_size;
kill 'CONT', $first->pid;
wait_until('the first one goes on or ends',
	sub { $first->has_ended || substr($first->log, $from) =~ /streaming slot/ });
ok(!$first->has_ended, 'the first one goes on');
write_row();
is_once($node, $kafka, $topic);
is($first->stop, 0, 'stopped');

# --- moved on by hand, it is refused all the same ---
$from = $first->log_size;
$first->start;
$first->wait_for_log(qr/streaming slot/, $from);
write_row();
freeze_process($first->pid);
$node->safe_psql('postgres', <<"EOSQL");
SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '$slot';
EOSQL
wait_until('the slot is free', sub { slot_field($node, $slot, 'active') eq 'f' });
$node->safe_psql('postgres', <<"EOSQL");
INSERT INTO t VALUES (0);
SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn());
EOSQL
kill 'CONT', $first->pid;
is($first->wait_exit, 3, 'a slot that was moved by hand: left to a person');
like($first->log, qr/somebody moved it, or made it anew/, 'which is named');

done_testing();
