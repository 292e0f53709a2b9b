# The slot under a shipper: dropped, made anew, moved on by hand, invalidated,
# ahead of its server.  No gap is silent: the shipper leaves with status 3, says
# up to where everything is delivered, and makes no slot by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Test::More;

my $node   = new_server('source', conf => "checkpoint_timeout = 1h\n");
my $slot   = 'wal2kafka';
my $folder = launch_dir() . '/sink';
my $rows   = 0;
my ($shipper, $from);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub version { return sql(q(SELECT current_setting('server_version_num')::int / 10000)); }

sub write_row { $rows++; sql("INSERT INTO t VALUES ($rows)"); return; }

sub delivered
{
	return slurp("$folder/public.t.jsonl") =~ /"Insert":\["(\d+)"\]/g;
}

# A slot, and a shipper that has delivered a row from it.
sub begin
{
	sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
	$shipper->init;
	return resume();
}

sub resume
{
	$from = $shipper->log_size;
	$shipper->start;
	write_row();
	wait_for_slot($node, $slot);
	return;
}

# Does something to the slot between two connections of the shipper.
sub between_connections
{
	my ($what) = @_;
	sql(<<"EOF");
DO \$\$
BEGIN
	PERFORM pg_terminate_backend(active_pid, 10000)
		FROM pg_replication_slots WHERE slot_name = '$slot';
	$what;
END \$\$
EOF
	return;
}

# It ended with status 3 and said this.
sub leaves
{
	my ($what, @patterns) = @_;
	is($shipper->wait_exit, 3, "$what: the shipper leaves it to a person");
	my $log = substr $shipper->log, $from;
	like($log, $_, "$what: and says so") for @patterns;
	is((delivered())[-1], $rows, "$what: what was read is delivered");
	return;
}

# That everything is delivered up to an LSN, and that is behind the last row.
sub says_how_far
{
	my ($what, $least) = @_;
	my ($lsn) = substr($shipper->log, $from) =~ /Everything up to ([0-9A-F\/]+) /;
	ok(defined $lsn, "$what: up to where everything is delivered is said") or return;
	is(sql("SELECT '$lsn'::pg_lsn BETWEEN '$least'::pg_lsn AND pg_current_wal_lsn()"),
		't', "$what: and is behind the last row");
	return;
}

sub here { return sql('SELECT pg_current_wal_lsn()'); }

sub slots { return sql('SELECT count(*) FROM pg_replication_slots'); }

sql('CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t');
$shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	slot        => $slot,
	publication => 'p',
	kafka       => undef,
	options     => { sink => "file:$folder", state => 'none' });

# --- dropped ---
my $lsn = here();
begin();
between_connections("PERFORM pg_drop_replication_slot('$slot')");
leaves('dropped', qr/slot "$slot" does not exist/, qr/wal2kafka init/);
says_how_far('dropped', $lsn);
$from = $shipper->log_size;
$shipper->start;
leaves('still missing', qr/slot "$slot" does not exist/, qr/"lsn" of the last records/);
is(slots(), 0, 'and no slot was made');

# --- made anew, with rows in between ---
$lsn = here();
begin();
between_connections(<<"EOF");
PERFORM pg_drop_replication_slot('$slot');
	PERFORM pg_create_logical_replication_slot('$slot', 'wal2kafka')
EOF
leaves('made anew', qr/stands at .* somebody moved it, or made it anew/,
	qr/bring the tables over again/);
says_how_far('made anew', $lsn);

# --- moved on ---
$lsn = here();
begin();
between_connections(<<"EOF");
INSERT INTO t VALUES (-1);
	COMMIT;
	PERFORM pg_replication_slot_advance('$slot', pg_current_wal_flush_lsn())
EOF
leaves('moved', qr/stands at .* somebody moved it/);
says_how_far('moved', $lsn);

# --- invalidated while the shipper stands still ---
sub remove_wal
{
	sql('INSERT INTO filler VALUES (1); SELECT pg_switch_wal()') for 1 .. 3;
	sql('CHECKPOINT');
	return;
}

sql(q(CREATE TABLE filler (i int)));
sql(q(ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'));
$node->reload;
$lsn = here();
begin();
kill 'STOP', $shipper->pid;
remove_wal();
is(slot_field($node, $slot, 'wal_status'), 'lost', 'the slot is lost');
kill 'CONT', $shipper->pid;
leaves('lost', qr/slot "$slot" is lost: its WAL was removed/, qr/max_slot_wal_keep_size/);
says_how_far('lost', $lsn);
$from = $shipper->log_size;
$shipper->start;
leaves('still lost', qr/slot "$slot" is lost/);
is(slots(), 1, 'and the slot is as it was');
sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
$node->reload;

SKIP:
{
	skip 'slots do not time out before 18', 5 if version() < 18;
	begin();
	is($shipper->stop, 0, 'stopped');
	sql(q(ALTER SYSTEM SET idle_replication_slot_timeout = '1s'));
	$node->reload;
	wait_until('the slot has timed out',
		sub { sql('CHECKPOINT'); slot_field($node, $slot, 'invalidation_reason') eq 'idle_timeout' });
	$from = $shipper->log_size;
	$shipper->start;
	leaves('timed out', qr/is lost: nobody read it/, qr/idle_replication_slot_timeout/);
	sql('ALTER SYSTEM RESET idle_replication_slot_timeout');
	$node->reload;
}

# --- a server restored from an older copy than its slots ---
begin();
is($shipper->stop, 0, 'stopped');
my $data = $node->data_dir;
$node->stop('fast');
system('cp', '-a', $data, "$data.copy") == 0 or die 'no copy';
$node->start;
sql(q(SELECT pg_logical_emit_message(true, '', repeat('x', 100000))));
sql("SELECT pg_replication_slot_advance('$slot', pg_current_wal_flush_lsn()); CHECKPOINT");
$node->stop('fast');
system("rm -rf '$data.copy/pg_replslot' && mv '$data/pg_replslot' '$data.copy' && "
	  . "rm -rf '$data' && mv '$data.copy' '$data'") == 0
  or die 'not put back';
$node->start;
my $confirmed = slot_field($node, $slot, 'confirmed_flush_lsn');
$from = $shipper->log_size;
$shipper->start;
leaves('ahead', qr/stands at .*, beyond the end of the server's log/,
	qr/restored from an older copy/);
is(slot_field($node, $slot, 'confirmed_flush_lsn'), $confirmed, 'and the slot stays where it was');

$node->stop;
done_testing();
