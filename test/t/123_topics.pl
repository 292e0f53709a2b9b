# What people do to topics while they are used: deleted, made anew, compacted,
# smaller records only, everything deleted by age.  The shipper goes on, or ends
# with status 3 and says which topic and what to do; nothing is confirmed that
# Kafka has not got.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

plan skip_all => 'the mock cannot do this to topics'
  if Wal2Kafka::Kafka::why_mock();

my $kafka = Wal2Kafka::Kafka->new(
	settings => {
		'log.initial.task.delay.ms'                => 0,
		'log.retention.check.interval.ms'          => 100,
		'producer.id.expiration.ms'                => 2000,
		'producer.id.expiration.check.interval.ms' => 100
	});
my $admin = $kafka->admin;
my $node  = new_server('source');
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE TABLE keyless (id int, v bigint);
CREATE TABLE old (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t, keyless, old;
END
add_ledger($node, 'postgres', 't');
my ($status, $output, $from, $lsn);

sub shipper
{
	my ($slot, $broker, %options) = @_;
	my $shipper = Wal2Kafka::Shipper->new(
		node        => $node,
		kafka       => $kafka,
		slot        => $slot,
		publication => 'p',
		http        => Wal2Kafka::Shipper->can_http,
		# how soon librdkafka believes that a topic is gone
		broker  => { 'topic.metadata.propagation.max.ms' => 500, %$broker },
		options => \%options);
	$shipper->init;
	return $shipper;
}

# Executes it and returns the end of the log then.
sub execute
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "$sql; SELECT pg_current_wal_lsn()");
}

sub is_confirmed
{
	my ($slot, $end) = @_;
	return slot_field($node, $slot, "confirmed_flush_lsn >= '$end'") eq 't';
}

sub policy
{
	my ($policy) = @_;
	$admin->configure_topic('public.keyless', 'cleanup.policy' => $policy);
	return;
}

# --- compacted: a table without a key ---
$kafka->create_topic("public.$_", 2) for qw(t old keyless);
policy('compact');
my $shipper = shipper('main', {});
($status, $output) = $shipper->command('check');
is($status, 3, 'check: a table without a key, its topic compacted');
like(
	$output,
	qr/table public\.keyless has no key, and its topic "public\.keyless" is compacted/,
	'table and topic are named');
$shipper->start;
execute("INSERT INTO t VALUES (1, 0, 'before')");
my $before = wait_for_slot($node, 'main');
$lsn = execute('INSERT INTO keyless VALUES (1, 0)');
is($shipper->wait_exit, 3, 'run: status 3');
like(
	$shipper->log,
	qr/record of table public\.keyless at LSN \S+, seq_id 0 has no key, and topic "public\.keyless" is compacted/,
	'table and place are named');
like($shipper->log, qr/cleanup\.policy=delete/, 'and the remedy');
ok(is_confirmed('main', $before) && !is_confirmed('main', $lsn),
	'what lies before is confirmed, it is not');
policy('delete');
$shipper->start;
wait_for_slot($node, 'main');
is($kafka->count('public.keyless'), 1, 'with another policy it goes on');

policy('compact');
$from = $shipper->log_size;
execute('INSERT INTO keyless VALUES (2, 0)');
is($shipper->wait_exit, 3, 'compacted from now on: status 3');
like(
	substr($shipper->log, $from),
	qr/delivery .* failed: .*record of table public\.keyless/s,
	'Kafka refuses, and the next producer names table and place');
policy('delete');
$shipper->start;
wait_for_slot($node, 'main');
is($kafka->count('public.keyless'), 2, 'nothing of it is lost');

# --- smaller records only ---
my $was = $shipper->{http} ? $shipper->metrics : {};
$admin->configure_topic('public.t', 'max.message.bytes' => 10000);
$from = $shipper->log_size;
execute(
	"INSERT INTO t SELECT g, 0, repeat('m', 900) FROM generate_series(2, 200) g"
);
wait_for_slot($node, 'main');
like(
	substr($shipper->log, $from),
	qr/making smaller batches/,
	'a smaller max.message.bytes: smaller batches');
if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{'producer_restarts_total{reason="smaller_batches"}'},
		$was->{'producer_restarts_total{reason="smaller_batches"}'} + 1,
		'ready again, and a new producer is counted, with its reason');
	is($now->{'table_records_total{schema="public",table="t"}'},
		199, 'what it sends anew is not counted anew');
}
$lsn = execute("INSERT INTO t VALUES (201, 0, repeat('l', 20000))");
is($shipper->wait_exit, 3, 'a record that is larger: status 3');
like(
	substr($shipper->log, $from),
	qr/record of table public\.t at LSN \S+, seq_id 0 has \d+ bytes, and topic "public\.t" takes/,
	'table and place are named');
ok(!is_confirmed('main', $lsn), 'it is not confirmed');
$admin->configure_topic('public.t', 'max.message.bytes' => undef);
$shipper->start;
wait_for_slot($node, 'main');
($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);

# --- everything deleted by age, the producer forgotten ---
$shipper->stop;
my $idle = shipper('idle', { debug => 'msg' }, log_level => 'debug');
$idle->start;
execute('INSERT INTO old SELECT g, 0 FROM generate_series(1, 50) g');
wait_for_slot($node, 'idle');
$admin->configure_topic('public.old', 'retention.ms' => 1);
wait_until('everything is deleted by age',
	sub { !$kafka->records('public.old') });
$admin->configure_topic('public.old', 'retention.ms' => undef);
wait_until('Kafka has forgotten the producer',
	sub { $admin->producers('public.old', 0) == 0 });
$from = $idle->log_size;
execute('UPDATE old SET v = 1');
wait_for_slot($node, 'idle');
my @batches = substr($idle->log, $from) =~
  /public\.old \[0\]: Produce MessageSet with (\d+) message/g;
is($batches[0], 1, 'the first record to a partition goes alone again');
is(scalar(my @records = $kafka->records('public.old')), 50, 'and all arrive');
is($idle->stop, 0, 'offsets went on: no alarm');

# --- made anew behind its back ---
$shipper->start;
execute('UPDATE t SET v = 1 WHERE id < 100');
wait_for_slot($node, 'main');
$kafka->delete_topic('public.t');
$kafka->create_topic('public.t', 2);
$from = $shipper->log_size;
$lsn  = execute('UPDATE t SET v = 2 WHERE id < 10');
is($shipper->wait_exit, 3, 'a topic made anew: status 3');
like(
	substr($shipper->log, $from),
	qr/topic "public\.t" partition \d lost what was acknowledged/,
	'the loss is named');
ok(!is_confirmed('main', $lsn), 'what comes after is not confirmed');
$shipper->start;
wait_for_slot($node, 'main');
pass('a person has started it: it goes on');

# --- deleted ---
$kafka->delete_topic('public.t');
$lsn = execute('UPDATE t SET v = 3 WHERE id < 10');
if ($shipper->{http})
{
	$shipper->wait_not_ready(qr/a topic is missing/);
	pass('readiness tells of it');
}
is($shipper->wait_exit, 3, 'a topic that is gone: status 3');
like($shipper->log, qr/topic "public\.t" is gone/, 'it is named');
ok(!is_confirmed('main', $lsn), 'what it has not got is not confirmed');

my $creating = shipper('creating', {}, topics => 'create');
$creating->start;
execute('UPDATE t SET v = 4 WHERE id < 10');
wait_for_slot($node, 'creating');
$kafka->delete_topic('public.t');
execute('UPDATE t SET v = 5 WHERE id < 10');
is($creating->wait_exit, 3, 'topics = create: status 3 all the same');
# librdkafka 2.14 may have a broker make it that does so for whoever asks
ok( !exists { $kafka->topics }->{'public.t'}
	  || $creating->log =~
	  /topic "public\.t" partition 0 lost what was acknowledged/,
	'what is gone is not made anew in silence') or diag($creating->log);

done_testing();
