# The topic of the state record: what somebody may have put there, a topic that
# is not fit for it, rights that are missing at the start or taken away later.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Secure;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Test::More;

plan skip_all => 'the mock broker compacts nothing'
  if Wal2Kafka::Kafka::why_mock();

my $why_open =
	system('command -v openssl >/dev/null') ? 'no openssl'
  : !gethostbyname('localhost')             ? 'localhost has no address'
  :                                           '';
my $kafka = $why_open ? Wal2Kafka::Kafka->new : secure_kafka('word', 3600000);
my $admin = $kafka->admin;
my $node  = new_server('source', conf => "autovacuum = off\n");
my $slot  = 'wal2kafka';
my $rows  = 0;

$node->safe_psql('postgres',
	'CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t');
$kafka->create_topic('public.t',       1);
$kafka->create_topic('bank1.public.t', 1);

sub rights
{
	return map { [ 'shipper', $_, 'topic', $state_topic ] } @_;
}
sub allow  { $admin->allow(@$_)  for rights(@_); return; }
sub forbid { $admin->forbid(@$_) for rights(@_); return; }

sub insert
{
	my ($count) = @_;
	my $first = $rows + 1;
	$rows += $count;
	return $node->safe_psql('postgres', <<"EOF");
INSERT INTO t SELECT generate_series($first, $rows);
SELECT pg_current_wal_lsn();
EOF
}

my %common = (node => $node, slot => $slot, publication => 'p');
my $plain  = Wal2Kafka::Shipper->new(%common, kafka => $kafka);
$plain->init;

# --- rights ---
sub test_rights
{
	my $shipper = Wal2Kafka::Shipper->new(
		%common,
		http   => Wal2Kafka::Shipper->can_http,
		broker => {
			'bootstrap.servers'     => $kafka->brokers('SECURE'),
			'broker.address.family' => 'v4',
			'security.protocol'     => 'SASL_SSL',
			'ssl.ca.location'       => launch_dir() . '/broker.crt',
			'sasl.mechanism'        => 'PLAIN',
			'sasl.username'         => 'shipper',
			'sasl.password'         => 'word'
		});
	$admin->allow('shipper', $_, 'topic', 'public.t') for 'write', 'describe';
	refused(
		$shipper, 'no rights',
		qr/topic "$state_topic" may not be used/,
		qr/READ, WRITE and DESCRIBE/);
	allow(qw(read write describe));
	refused(
		$shipper,
		'may not create it',
		qr/could not create topic "$state_topic"/,
		qr/kafka-topics\.sh .* --topic \Q$state_topic\E --partitions 1 --config cleanup\.policy=compact/
	);
	allow('create');
	goes_on($shipper, 'may create it');
	insert(1);
	wait_for_slot($node, $slot);
	is($shipper->stop, 0, 'stopped');
	forbid('read');
	refused(
		$shipper,
		'may not read it',
		qr/topic "$state_topic" may not be read/);
	allow('read');
	forbid('write');
	insert(1);
	refused(
		$shipper,
		'may not write it',
		qr/could not write the state record/, qr/WRITE/);
	is($kafka->count('public.t'),
		1, 'and nothing was sent that it does not know of');
	allow('write');
	goes_on($shipper, 'has all rights again');
	wait_for_slot($node, $slot);

	# taken away while it runs
	my $from = $shipper->log_size;
	forbid('write');
	my $lsn = insert(5);
	$shipper->wait_for_log(
		qr/could not write the state record .* the slot is not confirmed until it can be/,
		$from);
	insert(5);
	$kafka->wait_for_count(12, 'public.t');
	pass('records go on');
	is(slot_field($node, $slot, "confirmed_flush_lsn < '$lsn'"),
		't', 'and the slot stays');
	tells_of_it($shipper) if $shipper->{http};
	allow('write');
	wait_for_slot($node, $slot);
	pass('put back, the slot follows');
	is($shipper->stop, 0, 'stopped');
	return;
}

# Records are delivered, so it is ready; that the slot stays shows elsewhere.
sub tells_of_it
{
	my ($shipper) = @_;
	$shipper->wait_metric('state_write_failures_total', sub { $_ > 0 });
	my $now = $shipper->metrics;
	is($now->{ready}, 1, 'it is ready all the same');
	is($now->{records_outstanding}, 0, 'nothing waits for Kafka');
	is( $now->{confirmed_lsn},
		slot_field($node, $slot, "confirmed_flush_lsn - '0/0'::pg_lsn"),
		'what is confirmed is what the slot says');
	return;
}

SKIP:
{
	skip $why_open, 22 if $why_open;
	test_rights();
}

# --- the topic is deleted under it ---
goes_on($plain, 'with all rights');
insert(1);
wait_for_slot($node, $slot);
$kafka->delete_topic($state_topic);
insert(1);
wait_for_slot($node, $slot);
is($plain->stop, 0, 'stopped');
my $record = state_record($kafka, $slot);
ok($record->{clean}, 'a topic that was deleted is made again');
my %topics = $kafka->topics;
is($topics{$state_topic}, 1, 'with one partition');

# --- what anybody may put there ---
$kafka->produce(
	$state_topic,
	[ 0, 'another',   'not ours' ],
	[ 0, 'wal2kafkb', '{}' ]);
goes_on($plain, 'what has another key');
insert(1);
wait_for_slot($node, $slot);
is($plain->stop, 0, 'stopped');
for my $garbage (
	'garbage', '{}',
	'[' x 10000,
	'"' . 'x' x 100000 . '"',
	'{"format":2}')
{
	my $short = substr $garbage, 0, 12;
	$kafka->produce($state_topic, [ 0, $slot, $garbage ]);
	refused(
		$plain,
		"garbage $short",
		qr/holds for slot "$slot" at offset \d+ is no state record: /,
		qr/wal2kafka drop --state/);
}
is(($plain->command('drop', '--state'))[0], 0, 'a person drops it');
goes_on($plain, 'and then it');
insert(1);
wait_for_slot($node, $slot);
is($plain->stop, 0, 'stopped');
$kafka->produce($state_topic, [ 0, $slot, undef ]);
my $from = $plain->log_size;
goes_on($plain, 'a tombstone');
like(substr($plain->log, $from), qr/there is no state record/,
	'is no record');
insert(1);
wait_for_slot($node, $slot);
is($plain->stop, 0, 'stopped');

# a request of a producer that is gone, stored late
$record = state_record($kafka, $slot);
my $late = JSON::PP->new->encode({ %$record, confirmed => '0/1' });
$kafka->produce($state_topic, [ 0, $slot, $late ]);
goes_on($plain, 'an older promise that comes late');
is($plain->stop, 0, 'stopped');

# transactions of a shipper that was exactly once: aborted, and left open
sub transact
{
	my ($end, @lines) = @_;
	my $input = join '', map { join("\t", 0, $slot, $_) . "\n" } @lines;
	run_tool('transact', $kafka->brokers, 'once', $end, $state_topic,
		\$input);
	return;
}

my $broken = JSON::PP->new->encode({ %$record, confirmed => 'FFFF/0' });
transact('abort', $broken);
goes_on($plain, 'an aborted promise');
is($plain->stop, 0, 'stopped');
transact('leave', $broken);
$from = $plain->log_size;
$plain->start;
$plain->wait_for_log(
	qr/could not read the state record .* a transaction is open there/,
	$from);
unlike(substr($plain->log, $from), qr/streaming/, 'an open one is awaited');
transact('commit');
$plain->wait_for_log(qr/streaming slot/, $from);
is($plain->stop, 0, 'its end is enough');

# more of others than is looked at first
$kafka->produce($state_topic, map { [ 0, "key$_", 'x' ] } 1 .. 2500);
$from = $plain->log_size;
goes_on($plain, 'behind 2500 records of others');
like(
	substr($plain->log, $from),
	qr/state record in .*stopped cleanly/,
	'the record is found');
is($plain->stop, 0, 'stopped');

# --- a table whose owner routes it there ---
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE u (id text PRIMARY KEY);
ALTER PUBLICATION p ADD TABLE u;
LOAD 'wal2kafka';
SECURITY LABEL FOR wal2kafka ON TABLE u IS 'topic=wal2kafka.state';
EOF
like(
	($plain->command('check'))[1],
	qr/PROBLEM .*table public\.u: its topic "$state_topic" takes nothing but/,
	'a table routed there: check names it');
insert(1);
$node->safe_psql('postgres', "INSERT INTO u VALUES ('$slot')");
refused(
	$plain,
	'a table routed there',
	qr/record of table public\.u at LSN \S+, seq_id 0 is for topic "$state_topic"/,
	qr/wal2kafka\.set_route\(\).* \[route public\.u\]/);
is($kafka->count('public.t'), $rows, 'what lies before is delivered');
is(scalar(grep { ($_->{value} // '') =~ /Insert/ }
		$kafka->messages($state_topic)),
	0, 'and the state record has the topic for itself');
$kafka->create_topic('public.u', 1);
$plain->{routes} = { 'public.u' => { topic => 'public.u' } };
$plain->configure($plain->config_text);
is(($plain->command('drop', '--state'))[0], 0, 'a person drops the record');
goes_on($plain, 'with a route of the config');
wait_for_slot($node, $slot);
is($kafka->count('public.u'), 1, 'and its records');
is($plain->stop, 0, 'stopped');

# --- topics that are not fit, and other topics ---
$kafka->create_topic('wide', 2, 'cleanup.policy' => 'compact');
$kafka->create_topic('short', 1);
for my $unfit (
	[ 'wide',  qr/has 2 partitions/ ],
	[ 'short', qr/cleanup\.policy=delete/ ])
{
	my ($name, $pattern) = @$unfit;
	my $other = Wal2Kafka::Shipper->new(
		%common,
		kafka   => $kafka,
		options => { state => $name });
	refused($other, "topic $name", $pattern);
	like(
		($other->command('check'))[1],
		qr/PROBLEM .*topic "$name" /,
		'check says so, too');
}
my $other = Wal2Kafka::Shipper->new(
	%common,
	kafka    => $kafka,
	postgres => { topic_prefix => 'bank1' });
goes_on($other, 'with a prefix');
insert(1);
wait_for_slot($node, $slot);
is($other->stop, 0, 'stopped');
is({ $kafka->topics }->{"bank1.$state_topic"}, 1,
	'it has a topic of its own');
refused(
	$plain,
	'the first one, which the slot has left behind',
	qr/somebody moved it/);

done_testing();
