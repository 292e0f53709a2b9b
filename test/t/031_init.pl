# init, status and drop: idempotent, changing nothing that exists, and with the
# statement to run where rights are missing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use JSON::PP ();
use Test::More;

my $node = new_server('source', allow => 0, conf => 'lc_messages = C');
my $known = Wal2Kafka::Cluster::knows_allow_list();

$node->safe_psql('postgres', <<'EOF');
CREATE ROLE shipper LOGIN;
CREATE DATABASE app;
CREATE DATABASE other;
EOF
$node->safe_psql('app', <<'EOF');
CREATE TABLE orders (id int PRIMARY KEY, total numeric);
CREATE TABLE "Order Items" (id int PRIMARY KEY);
CREATE TABLE log (line text);
CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part DEFAULT;
CREATE SCHEMA s2;
CREATE TABLE s2.orders (id int PRIMARY KEY);
EOF

sub shipper
{
	my (%o) = @_;
	my $user = delete $o{user} || 'shipper';
	my $db = delete $o{db} || 'app';
	return Wal2Kafka::Shipper->new(
		conninfo => $node->connstr($db) . " user=$user",
		broker => { 'bootstrap.servers' => '127.0.0.1:1' },
		%o);
}

sub superuser { return $node->safe_psql('postgres', 'SELECT current_user'); }

sub command_like
{
	my ($shipper, $command, $status, $pattern, $what) = @_;
	my ($code, $output) = $shipper->command(split ' ', $command);
	is($code, $status, "$what: status $status");
	like($output, $pattern, "$what: says so");
	return $output;
}

# rights
my $plain = shipper();
command_like(
	$plain, 'init', 3,
	qr/ALTER ROLE "shipper" REPLICATION;/,
	'role without REPLICATION');
command_like($plain, 'status', 3,
	qr/slot "wal2kafka" does not exist.*wal2kafka init/s,
	'no slot yet');
$node->safe_psql('postgres', 'ALTER ROLE shipper REPLICATION');
SKIP:
{
	skip 'this server has no list of allowed plugins', 2 if !$known;
	command_like(
		$plain,
		'init',
		3,
		qr/ALTER ROLE "shipper" IN DATABASE "app" SET output_plugin_libraries = wal2kafka;/,
		'plugin not allowed');
	$node->safe_psql('postgres',
		'ALTER ROLE shipper IN DATABASE app SET output_plugin_libraries = wal2kafka'
	);
}

# slot
command_like($plain, 'init', 0,
	qr/slot "wal2kafka" created at .*changes from here on are sent; .*"wal2kafka snapshot"/s,
	'init');
my $before = slot_field($node, 'wal2kafka', 'restart_lsn');
command_like($plain, 'init', 0, qr/slot "wal2kafka" is there already/,
	'init again');
is(slot_field($node, 'wal2kafka', 'restart_lsn'),
	$before, 'nothing was changed');

my $text = command_like($plain, 'status', 0, qr/^confirmed +\S+, .* behind$/m,
	'status');
like($text, qr/^$_ /m, "status names $_")
  for (
	'slot', 'read by', 'restart', 'WAL status',
	'publication', 'server', 'extension', 'program');
my ($code, $json) = $plain->command('status', '--json');
my $status = JSON::PP::decode_json($json);
is_deeply(
	[ @$status{qw(slot exists active fault)} ],
	[ 'wal2kafka', JSON::PP::true, JSON::PP::false, undef ],
	'status --json');
like($status->{lag_bytes}, qr/^\d+$/, 'lag is a number of bytes');

# slots that are not ours
my $allow =
  $known ? 'SET output_plugin_libraries = wal2kafka, pgoutput;' : '';
$node->safe_psql('app', <<"EOF");
$allow
SELECT pg_create_logical_replication_slot('foreign_plugin', 'pgoutput');
SELECT pg_create_logical_replication_slot('prepared', 'wal2kafka', false, true);
SELECT pg_create_physical_replication_slot('physical');
EOF
for my $case (
	[
		foreign_plugin =>
		  qr/is of plugin "pgoutput", not of plugin "wal2kafka"/
	],
	[ physical => qr/is of type "physical"/ ],
	[ prepared => qr/decodes two-phase commits/ ])
{
	my ($slot, $pattern) = @$case;
	my $shipper = shipper(slot => $slot);
	command_like($shipper, $_, 3, $pattern, "$_ of slot $slot")
	  for qw(init status run check);
	next if $slot eq 'prepared';
	command_like(
		$shipper, 'drop --yes', 3,
		qr/not one of wal2kafka.*stays/,
		"drop of slot $slot");
	is(slot_field($node, $slot, 'count(*)'), 1, 'it is still there');
}
my $elsewhere = shipper(db => 'other');
command_like(
	$elsewhere, $_, 3,
	qr/belongs to database "app", not to "other"/,
	"$_ of another database's slot") for qw(init status run check);

# publications
my $pub = shipper(publication => 'cdc');
command_like(
	$pub,
	'init',
	3,
	qr/publication "cdc" does not exist.*CREATE PUBLICATION "cdc" FOR TABLE.*publication_tables/s,
	'a publication is not invented');
my $list = 'public.orders, "Order Items", part';

sub listed
{
	return shipper(
		publication => 'cdc',
		postgres => { publication_tables => $_[0] },
		user => $_[1]);
}
command_like(
	listed('orders'), 'init', 1,
	qr/orders is ambiguous: public.orders, s2.orders/,
	'ambiguous table');
command_like(
	listed('nosuch'), 'init', 1,
	qr/table nosuch does not exist/,
	'no such table');
command_like(
	listed($list),
	'init',
	3,
	qr/permission denied.*CREATE PUBLICATION "cdc" FOR TABLE "public"."orders", "public"."Order Items", "public"."part" WITH/s,
	'a publication without the right');
command_like(
	listed('all', superuser()),
	'init',
	3,
	qr/1 table without a replica identity.*ALTER TABLE public\.log REPLICA IDENTITY FULL/s,
	'init does not make updates fail');
command_like(
	listed($list, superuser()),
	'init', 0,
	qr/publication "cdc" created/,
	'init of a publication');
command_like(listed($list), 'init', 0, qr/publication "cdc" is there already/,
	'init again');
command_like(
	listed("$list, s2.orders"),
	'init',
	3,
	qr/different: it lacks s2\.orders.*ALTER PUBLICATION "cdc" ADD TABLE s2\.orders/s,
	'one too few');
command_like(listed('part'), 'init', 3,
	qr/different: it also has .*public\.orders/,
	'one too many');
command_like(listed('all'), 'init', 3,
	qr/different: it is not FOR ALL TABLES/,
	'not all');
$node->safe_psql('app', q{ALTER PUBLICATION cdc SET (publish = 'insert')});
command_like(listed($list), 'init', 3,
	qr/does not publish every insert, update and delete/,
	'inserts only');
$node->safe_psql('app', 'ALTER TABLE log REPLICA IDENTITY FULL');
command_like(
	shipper(
		publication => 'everything',
		postgres => { publication_tables => 'all' }),
	'init', 3,
	qr/superuser.*CREATE PUBLICATION "everything" FOR ALL TABLES/s,
	'FOR ALL TABLES needs a superuser');
command_like(
	shipper(
		publication => 'everything',
		user => superuser(),
		postgres => { publication_tables => 'all' }),
	'init', 0,
	qr/publication "everything" created/,
	'and works for one');

# drop
my $busy = IPC::Run::start(
	[
		'pg_recvlogical', '-d', $node->connstr('app') . ' user=shipper',
		'-S', 'wal2kafka', '--start', '-f', '/dev/null'
	],
	'2>',
	\my $err);
wait_until('the slot is read',
	sub { slot_field($node, 'wal2kafka', 'active') eq 't' });
my $pid = slot_field($node, 'wal2kafka', 'active_pid');
command_like(
	$plain, 'drop --yes', 3,
	qr/is read by process $pid /,
	'drop of an active slot');
$busy->kill_kill;
wait_until('the slot is free',
	sub { slot_field($node, 'wal2kafka', 'active') eq 'f' });
command_like($plain, 'drop', 1, qr/not dropped without --yes/, 'drop asks');
is(slot_field($node, 'wal2kafka', 'count(*)'), 1, 'the slot is still there');
command_like(
	$pub, 'drop --yes --publication',
	3,
	qr/slot "wal2kafka" dropped.*must be owner.*DROP PUBLICATION "cdc"/s,
	'a publication of others');
command_like(
	shipper(publication => 'cdc', user => superuser()),
	'drop --yes --publication',
	0,
	qr/slot "wal2kafka" does not exist.*publication "cdc" dropped/s,
	'drop again');

# a new slot waits for older transactions, and says for whose
my $holder = spawn(
	launch_dir() . '/holder.log', 'psql',
	'-XAtq', '-d',
	$node->connstr('app') . ' application_name=holder', '-c',
	'DO $$BEGIN PERFORM pg_current_xact_id(), pg_sleep(300); END$$');
my $blocker = q{SELECT pid FROM pg_stat_activity
	WHERE application_name = 'holder' AND backend_xid IS NOT NULL};
wait_until('a transaction is open',
	sub { $node->safe_psql('app', $blocker) });
my $holder_pid = $node->safe_psql('app', $blocker);
my $log = launch_dir() . '/waiting.log';
spit($log, '');
my $init = spawn($log, $plain->{program}, 'init', '-c', $plain->{file});
wait_until(
	'init says what it waits for',
	sub { slurp($log) =~ /waits for the transaction of process $holder_pid/ }
);
pass('init names the process that a new slot waits for');
$node->safe_psql('app', "SELECT pg_terminate_backend($holder_pid)");
is(reap($init), 0, 'and ends when that has gone');
reap($holder);

done_testing();
