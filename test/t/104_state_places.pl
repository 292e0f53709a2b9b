# Where the state record is kept: a file beside files, nowhere beside standard
# output or when nobody wants it.  A place that cannot be written to holds up
# the slot and nothing else; a stop does not wait for it for long.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use POSIX    ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Test::More;

my $slot   = 'wal2kafka';
my $folder = launch_dir() . '/sink';
my $file   = "$folder/$slot.state";
my $node   = new_server('source', conf => "autovacuum = off\n");
my $rows   = 0;
my %common = (node => $node, slot => $slot, publication => 'p');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub insert
{
	$rows++;
	return sql("INSERT INTO t VALUES ($rows); SELECT pg_current_wal_lsn()");
}

sub delivered
{
	return slurp("$folder/public.t.jsonl") =~ /"Insert":\["$rows"\]/;
}

sub ship_row { insert(); wait_for_slot($node, $slot); return; }

sub advance
{
	insert();
	sql("SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())");
	return;
}

sql('CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t');
my $shipper = Wal2Kafka::Shipper->new(
	%common,
	http    => Wal2Kafka::Shipper->can_http,
	options => { sink => "file:$folder" });
$shipper->init;

# --- a file ---
goes_on($shipper, 'the first start');
ship_row();
is($shipper->stop, 0, 'stopped');
my $record = JSON::PP->new->decode(slurp($file));
ok($record->{clean}, 'the record is in a file');
is_deeply([ glob "$folder/*.new" ], [], 'and nothing is left of its making');
like(
	($shipper->command('check'))[1],
	qr/ok .*state record in file .*stopped cleanly/,
	'check shows it');

# --- the file of a topic is removed while it is open ---
goes_on($shipper, 'once more');
ship_row();
unlink "$folder/public.t.jsonl";
ship_row();
ok(-e "$folder/public.t.jsonl" && delivered(),
	'what was not confirmed is in a new file');
is($shipper->stop, 0, 'stopped');

# --- a folder that cannot be written to ---
goes_on($shipper, 'again');
ship_row();
my $from = $shipper->log_size;
chmod 0550, $folder;
my $lsn = insert();
$shipper->wait_for_log(
	qr/could not write the state record .*Permission denied/, $from);
wait_until('records go on', sub { delivered() });
is(slot_field($node, $slot, "confirmed_flush_lsn < '$lsn'"),
	't', 'the slot stays');
SKIP:
{
	skip 'built without HTTP', 4 if !$shipper->{http};
	my $now = $shipper->metrics;
	is($now->{ready}, 1, 'ready: records are delivered');
	is($now->{records_acknowledged_total}, 2, 'both of them');
	cmp_ok($now->{state_write_failures_total},
		'>', 0, 'why the slot stays is counted');
	cmp_ok($now->{confirmed_lsn}, '<', lsn_number($lsn),
		'and what is confirmed is no more than that');
}
is($shipper->kill9, 137, 'killed');
chmod 0750, $folder;
goes_on($shipper, 'killed while it could not be written');
wait_for_slot($node, $slot);
pass('the slot follows');

# --- what anybody may put there ---
is($shipper->stop, 0, 'stopped');
my $good = slurp($file);
for my $garbage ('', '{"format":1', 'x' x 100000)
{
	spit($file, $garbage);
	refused(
		$shipper,
		'garbage of ' . length $garbage,
		qr/state record in file .* cannot be used/);
}
unlink $file;
POSIX::mkfifo($file, 0600) or die "mkfifo: $!";
refused($shipper, 'a pipe', qr/cannot be used/);
unlink $file;
mkdir $file;
refused($shipper, 'a folder', qr/cannot be used/);
rmdir $file;
spit($file, $good);
advance();
refused($shipper, 'a slot that was moved', qr/somebody moved it/);

# --- nowhere ---
for my $options ({ sink => "file:$folder", state => 'none' },
	{ sink => 'stdout' })
{
	my $other = Wal2Kafka::Shipper->new(%common, options => $options);
	goes_on($other, 'no record');
	like(
		$other->log,
		qr/no state record is kept: .* cannot be noticed/,
		'which is said');
	ship_row();
	is($other->stop, 0, 'stopped');
	advance();
}
like(
	(   Wal2Kafka::Shipper->new(%common,
			options => { sink => "file:$folder", state => 'none' })
		  ->command('check'))[1],
	qr/note .*no state record is kept/,
	'check says it, too');
refused($shipper, 'after a time without a record', qr/somebody moved it/);
is(($shipper->command('drop', '--state'))[0], 0, 'which a person can drop');
ok(!-e $file, 'it is gone');
goes_on($shipper, 'and then it');
ship_row();
is($shipper->stop, 0, 'stopped');

# --- Kafka is frozen, and nothing is on its way ---
SKIP:
{
	skip 'the mock broker cannot be frozen', 7
	  if Wal2Kafka::Kafka::why_mock();
	my $kafka = Wal2Kafka::Kafka->new;
	$kafka->create_topic('public.t', 1);
	$shipper = Wal2Kafka::Shipper->new(
		%common,
		kafka   => $kafka,
		broker  => { 'socket.timeout.ms' => 1000 },
		options => { release_after => 2 });
	goes_on($shipper, 'with Kafka');
	ship_row();

	# a client that reports nothing may do so for ever
	$kafka->freeze;
	sql('CREATE TABLE another (i int)');
	$from = $shipper->log_size;
	$shipper->wait_for_log(
		qr/could not write the state record .* no delivery report within 2 s/,
		$from);
	$kafka->thaw;
	ship_row();
	pass('after Kafka has slept, another client writes the record');

	$kafka->freeze;
	sql('CREATE TABLE other (i int)');
	$node->stop('fast');
	pass('the server stops');
	$node->start;
	is($shipper->stop, 0, 'and so does the shipper');
	$kafka->thaw;
	goes_on($shipper, 'after that');
	ship_row();
	$kafka->freeze;
	$from = $shipper->log_size;
	is($shipper->stop, 0, 'it stops, without the last record');
	like(
		substr($shipper->log, $from),
		qr/could not write the state record .* within 2 s/,
		'which is said');
	$kafka->thaw;
	goes_on($shipper, 'and after that');
	is($shipper->stop, 0, 'stopped');
}

done_testing();
