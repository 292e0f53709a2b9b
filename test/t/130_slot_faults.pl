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

my $node = new_server('source', conf => "checkpoint_timeout = 1h\n");
my $rows = 0;
my %shipper;
my %from;    # where the log of each begins to matter

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub version { return sql(q(SELECT current_setting('server_version_num')::int / 10000)); }

sub here { return sql('SELECT pg_current_wal_lsn()'); }

sub folder { my ($slot) = @_; return launch_dir() . "/$slot"; }

sub delivered
{
	my ($slot) = @_;
	return slurp(folder($slot) . '/public.t.jsonl') =~ /"Insert":\["(-?\d+)"\]/g;
}

# A slot with a shipper of its own; no state record, which would notice too.
sub new_shipper
{
	my ($slot) = @_;
	$shipper{$slot} = Wal2Kafka::Shipper->new(
		node        => $node,
		slot        => $slot,
		publication => 'p',
		kafka       => undef,
		http        => Wal2Kafka::Shipper->can_http,
		options     => { sink => 'file:' . folder($slot), state => 'none' });
	$shipper{$slot}->init;
	return begin($slot);
}

sub begin
{
	my ($slot) = @_;
	$from{$slot} = $shipper{$slot}->log_size;
	$shipper{$slot}->start;
	return;
}

# A row that all of these have delivered.
sub ship_row
{
	my (@slots) = @_;
	$rows++;
	sql("INSERT INTO t VALUES ($rows)");
	wait_for_slot($node, $_) for @slots;
	return;
}

# Does something to a slot between two connections of its shipper.
sub between_connections
{
	my ($slot, $what) = @_;
	sql(<<"EOF");
DO \$\$
BEGIN
	PERFORM pg_terminate_backend(active_pid, 10000)
		FROM pg_replication_slots WHERE slot_name = '$slot';
	$what;
END \$\$
EOF
	tells($slot);
	return;
}

# What the pages say in the 10 s until it asks for the slot again.
sub tells
{
	my ($slot) = @_;
	my $it = $shipper{$slot};
	return if !$it->{http};
	$it->wait_not_ready(qr/^not ready: not streaming from the server$/);
	is($it->metric_sum('connection_failures_total'), 1, "$slot: not ready, and why is counted");
	is($it->metric('records_acknowledged_total'),
		scalar(my @all = delivered($slot)), "$slot: as are the records in the file");
	return;
}

# The shipper of the slot ended with status 3 and said this.
sub leaves
{
	my ($slot, $what, @patterns) = @_;
	is(eval { $shipper{$slot}->wait_exit } // 'still running',
		3, "$what: the shipper leaves it to a person");
	my $log = substr $shipper{$slot}->log, $from{$slot};
	like($log, $_, "$what: and says so") for @patterns;
	return;
}

# That everything is delivered up to an LSN, and that is behind the last row.
sub says_how_far
{
	my ($slot, $least) = @_;
	my ($lsn) = substr($shipper{$slot}->log, $from{$slot}) =~ /Everything up to ([0-9A-F\/]+) /;
	cmp_ok((delivered($slot))[0], '>', 0, "$slot: what was read is delivered");
	ok(defined $lsn, "$slot: up to where everything is delivered is said") or return;
	is(sql("SELECT '$lsn'::pg_lsn BETWEEN '$least'::pg_lsn AND pg_current_wal_lsn()"),
		't', "$slot: and is behind the row");
	return;
}

sql('CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE filler (i int); CREATE PUBLICATION p FOR TABLE t');

# --- dropped, made anew, moved on, lost: all at once, for each takes 10 s ---
my $lsn = here();
new_shipper('lost');
ship_row('lost');

# invalidated while its shipper stands still
freeze_process($shipper{lost}->pid);
sql(q(ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'));
$node->reload;
sql('INSERT INTO filler VALUES (1); SELECT pg_switch_wal()') for 1 .. 3;
sql('CHECKPOINT');
is(slot_field($node, 'lost', 'wal_status'), 'lost', 'the slot is lost');
sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
$node->reload;
kill 'CONT', $shipper{lost}->pid;
tells('lost');

my @slots = qw(dropped anew moved);
new_shipper($_) for @slots;
ship_row(@slots);
between_connections('dropped', q(PERFORM pg_drop_replication_slot('dropped')));
between_connections('anew', <<'EOF');
PERFORM pg_drop_replication_slot('anew');
	PERFORM pg_create_logical_replication_slot('anew', 'wal2kafka')
EOF
between_connections('moved', <<'EOF');
INSERT INTO t VALUES (-1);
	COMMIT;
	PERFORM pg_replication_slot_advance('moved', pg_current_wal_flush_lsn())
EOF

leaves('dropped', 'dropped', qr/slot "dropped" does not exist/, qr/wal2kafka init/);
leaves('anew', 'made anew', qr/stands at .* somebody moved it, or made it anew/,
	qr/bring the tables over again/);
leaves('moved', 'moved', qr/stands at .* somebody moved it/);
leaves('lost',  'lost',  qr/slot "lost" is lost: its WAL was removed/, qr/max_slot_wal_keep_size/);
says_how_far($_, $lsn) for 'lost', @slots;

# --- another start changes nothing ---
my $count = sql('SELECT count(*) FROM pg_replication_slots');
begin($_) for 'dropped', 'lost';
leaves('dropped', 'still missing', qr/slot "dropped" does not exist/, qr/"lsn" of the last records/);
leaves('lost', 'still lost', qr/slot "lost" is lost/);
is(sql('SELECT count(*) FROM pg_replication_slots'), $count, 'and no slot was made');

SKIP:
{
	skip 'slots do not time out before 18', 4 if version() < 18;
	new_shipper('idle');
	ship_row('idle');
	is($shipper{idle}->stop, 0, 'stopped');
	sql(q(ALTER SYSTEM SET idle_replication_slot_timeout = '1s'));
	$node->reload;
	wait_until('the slot has timed out',
		sub { sql('CHECKPOINT'); slot_field($node, 'idle', 'invalidation_reason') eq 'idle_timeout' });
	begin('idle');
	leaves('idle', 'timed out', qr/is lost: nobody read it/, qr/idle_replication_slot_timeout/);
	sql('ALTER SYSTEM RESET idle_replication_slot_timeout');
	$node->reload;
}

# --- a server restored from an older copy than its slots ---
new_shipper('ahead');
ship_row('ahead');
is($shipper{ahead}->stop, 0, 'stopped');
my $data = $node->data_dir;
$node->stop('fast');
system('cp', '-a', $data, "$data.copy") == 0 or die 'no copy';
$node->start;
sql(q(SELECT pg_logical_emit_message(true, '', repeat('x', 100000))));
sql(q(SELECT pg_replication_slot_advance('ahead', pg_current_wal_flush_lsn()); CHECKPOINT));
$node->stop('fast');
system("rm -rf '$data.copy/pg_replslot' && mv '$data/pg_replslot' '$data.copy' && "
	  . "rm -rf '$data' && mv '$data.copy' '$data'") == 0
  or die 'not put back';
$node->start;
my $confirmed = slot_field($node, 'ahead', 'confirmed_flush_lsn');
begin('ahead');
leaves('ahead', 'ahead', qr/stands at .*, beyond the end of the server's log/,
	qr/restored from an older copy/);
is(slot_field($node, 'ahead', 'confirmed_flush_lsn'), $confirmed, 'and the slot stays where it was');

$node->stop;
done_testing();
