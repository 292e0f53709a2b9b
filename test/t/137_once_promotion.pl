# Exactly once, and a new program at a promoted standby.  The position in Kafka
# lies behind the place where the standby left the old primary's log, by WAL
# that held no record: what is committed between the two must not be skipped,
# nor the standby refused because its log is shorter.
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
my $slot  = 'wal2kafka';
my $topic = 'public.t';
my $rows  = 0;

my $first = new_server('first', conf => "autovacuum = off\nwal_keep_size = 256MB\n");
my ($second, $third) = map { PostgreSQL::Test::Cluster->new($_) } qw(second third);

$first->safe_psql('postgres', <<'EOSQL');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE TABLE unshipped (v text);
CREATE PUBLICATION p FOR TABLE t;
EOSQL
add_ledger($first, 'postgres', 't');
$kafka->create_topic($topic, 1);

my $shipper = once_shipper(node => $first, kafka => $kafka, publication => 'p');

# Before 17 a copy with its slots is the way to have them on a standby.
sub copy_to
{
	my ($copy, $node) = @_;
	$node->stop;
	$node->backup_fs_cold($copy->name);
	$node->start;
	$copy->init_from_backup($node, $copy->name, has_streaming => 1, has_restoring => 0);
	$copy->start;
	return;
}

sub write_row
{
	my ($node) = @_;
	$rows++;
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($rows)");
	return;
}

sub write_unshipped
{
	my ($node, $count) = @_;
	$node->safe_psql('postgres',
		"INSERT INTO unshipped SELECT repeat('x', 1000) FROM generate_series(1, $count)");
	return;
}

# The standby has all records, and not what the slot was confirmed past.
sub leave_behind
{
	my ($node, $standby) = @_;
	$shipper->start;
	write_row($node);
	wait_for_slot($node, $slot);
	$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
	$standby->stop;
	write_unshipped($node, 1000);
	wait_for_slot($node, $slot);
	is($shipper->stop, 0, 'stopped');
	$node->stop('immediate');
	$standby->start;
	$standby->promote;
	$shipper->{node} = $standby;
	$shipper->configure($shipper->config_text);
	return;
}

$shipper->init;
copy_to($second, $first);

# --- its log has grown past the position ---
leave_behind($first, $second);
write_row($second);
write_unshipped($second, 3000);
$shipper->start;
wait_for_slot($second, $slot);
is_once($second, $kafka, $topic);
is($shipper->stop, 0, 'stopped');

# --- it is shorter than that ---
copy_to($third, $second);
leave_behind($second, $third);
$shipper->start;
write_row($third);
wait_for_slot($third, $slot);
is_once($third, $kafka, $topic);
is($shipper->stop, 0, 'stopped');

$third->stop('immediate');
done_testing();
