# What goes wrong while it runs, or in what the server and Kafka hold: a message
# that names the thing and what to do, the promised status, nothing lost.  What
# the config may have wrong is in 030 to 033.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v bigint, pad text);
CREATE TABLE wide (id int PRIMARY KEY, pad text);
CREATE PUBLICATION p FOR TABLE t;
CREATE PUBLICATION q FOR TABLE wide;
SELECT pg_create_logical_replication_slot('plain', 'wal2kafka');
SELECT pg_create_logical_replication_slot('theirs', 'pgoutput');
EOF
add_ledger($node, 'postgres', 't');

sub shipper
{
	my ($slot, $publication, %o) = @_;
	return Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $kafka,
		slot => $slot,
		publication => $publication,
		%o);
}

# --- what the plugin refuses ---
sub plugin_refuses
{
	my ($options, $pattern, $what) = @_;
	my ($status, $out, $err) = $node->psql(
		'postgres',
		"START_REPLICATION SLOT plain LOGICAL 0/0 ($options)",
		replication => 'database');
	like($err, $pattern, $what);
	return;
}

plugin_refuses(q{"bogus" '1'}, qr/"bogus"/, 'an unknown option is named');
plugin_refuses(
	q{"proto_version" '99'},
	qr/proto_version.*99|99.*proto_version/s,
	'a wrong proto_version is named');
plugin_refuses(
	q{"proto_version" '1', "proto_version" '1'},
	qr/proto_version/,
	'a repeated option');
plugin_refuses(
	q{"truncate" 'maybe'},
	qr/truncate.*maybe|maybe.*truncate/s,
	'a bad value');
plugin_refuses(qq{"$_" 'on'}, qr/$_/, "pgoutput's $_ is refused by name")
  for qw(streaming binary two_phase);

# --- slots ---
my $alien = shipper('theirs', 'p');
$alien->start;
is($alien->wait_exit, 3, 'a slot of another plugin: status 3');
like($alien->log, qr/"theirs".*pgoutput/s, 'slot and plugin are named');

# --- topics ---
my $main = shipper('main', 'p');
$main->init;
$node->safe_psql('postgres', q{INSERT INTO t VALUES (1)});
SKIP:
{
	skip 'the mock creates topics by itself', 4 if $kafka->is_mock;
	$main->start;
	is($main->wait_exit, 3, 'no such topic: status 3');
	like($main->log, qr/"public\.t"/, 'the topic is named');
	like(
		$main->log,
		qr/kafka-topics.*--create.*public\.t/s,
		'with the command that makes it');
	ok( !exists { $kafka->topics }->{'public.t'},
		'the broker was not made to create it');
}
$kafka->create_topic('public.t', 2);
$main->start;
$kafka->wait_for_count(1, 'public.t');
pass('once it exists, the row arrives');

# --- the connection is cut; another wants the slot ---
my $from = $main->log_size;
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'main'}
);
$node->safe_psql('postgres', q{INSERT INTO t VALUES (2)});
wait_for_slot($node, 'main');
like(substr($main->log, $from),
	qr/57P01|terminat/, 'a terminated walsender is reported');
is($kafka->count('public.t'), 2, 'and the next row arrives');

my $second = shipper('main', 'p');
$second->start;
$second->wait_for_log(qr/standing by: .* slot "main"/);
$main->kill9;
$node->safe_psql('postgres', q{INSERT INTO t VALUES (3)});
$kafka->wait_for_count(3, 'public.t');
pass('a second shipper waits for the slot, then takes over');

# --- partitions are added under it ---
SKIP:
{
	skip 'the mock cannot', 2 if $kafka->is_mock;
	$kafka->add_partitions('public.t', 5);
	for my $round (1 .. 20)
	{
		$node->safe_psql(
			'postgres',
			"INSERT INTO t SELECT 1000 * $round + g FROM generate_series(1, 100) g;
			 UPDATE t SET pad = 'x' WHERE id >= 1000 * $round"
		);
	}
	wait_for_slot($node, 'main');
	pass('partitions may be added at any time');
	$second->stop;
	$second->start;
	$node->safe_psql('postgres', 'UPDATE t SET pad = NULL');
	wait_for_slot($node, 'main');
	my %used = map { $_->{partition} => 1 } $kafka->records('public.t');
	is(scalar(keys %used), 5, 'and are used after a restart at the latest');
}

my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'--growing', '--ledger', write_ledger($node, 'postgres'), 'public.t');
is($status, 0, 'nothing was lost in all this') or diag($output);
note($output);

# --- what is taken away while it runs ---
$from = $second->log_size;
$node->safe_psql('postgres', 'DROP PUBLICATION p; INSERT INTO t VALUES (4)');
$second->stop;
$second->start;
is($second->wait_exit, 3, 'the publication is gone: status 3');
like(
	substr($second->log, $from),
	qr/publication "p" does not exist/,
	'it is named');

my $third = shipper('third', 'q');
$third->init;
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('third')});
$third->start;
is($third->wait_exit, 3, 'the slot is gone: status 3');
like($third->log, qr/"third" does not exist/, 'it is named');
is(slot_field($node, 'third', 'count(*)'), 0,
	'and not made again in silence');

# --- a record that the topic does not take ---
SKIP:
{
	skip 'the mock takes any size', 5 if $kafka->is_mock;
	$kafka->create_topic('public.wide', 1, 'max.message.bytes' => 20000);
	$third->init;
	$third->start;
	$node->safe_psql(
		'postgres', q{
		INSERT INTO wide VALUES (1, 'small');
		INSERT INTO wide SELECT 2, string_agg(md5(g::text), '') FROM generate_series(1, 2000) g;
		INSERT INTO wide VALUES (3, 'small')}
	);
	$from = $third->log_size;
	is($third->wait_exit, 3, 'a record over max.message.bytes: status 3');
	like(
		$third->log,
		qr/record of table public\.wide at LSN \S+, seq_id 0 has \d+ bytes.*\n.*hint.*max\.message\.bytes/,
		'table, place, size and remedy are named');
	is($kafka->count('public.wide'),
		1, 'what is before it has arrived, nothing behind it');
	is(slot_field($node, 'third', 'count(*)'), 1, 'the slot is kept');
	run_tool('kafka_tool', $kafka->brokers, 'delete', 'public.wide');
	$kafka->create_topic('public.wide', 1);
	$third->start;
	wait_for_slot($node, 'third');
	cmp_ok($kafka->count('public.wide'),
		'>=', 2, 'with a larger limit it goes on');
	$third->stop;
}

# --- a topic that is deleted under it ---
SKIP:
{
	skip 'the mock cannot', 5 if $kafka->is_mock;
	my $fourth = shipper('fourth', 'q');
	$fourth->init;
	$fourth->start;
	$node->safe_psql('postgres', q{INSERT INTO wide VALUES (10, 'before')});
	wait_for_slot($node, 'fourth');
	$kafka->delete_topic('public.wide');
	my $lsn = $node->safe_psql('postgres', <<'EOF');
INSERT INTO wide VALUES (11, 'after');
SELECT pg_current_wal_lsn();
EOF
	is($fourth->wait_exit, 3, 'the topic was deleted: status 3');
	like($fourth->log, qr/"public\.wide"/, 'it is named');
	is(slot_field($node, 'fourth', "confirmed_flush_lsn < '$lsn'"),
		't', 'and what it has not got is not confirmed');
	$kafka->create_topic('public.wide', 1);
	$fourth->start;
	wait_for_slot($node, 'fourth');
	is_deeply([ map { $_->{key} } $kafka->records('public.wide') ],
		[11], 'made again, it gets what comes after');
	is($fourth->stop, 0, 'stopped');
}

done_testing();
