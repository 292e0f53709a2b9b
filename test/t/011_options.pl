# What the config can ask for: other sinks with the same bytes, topics made on
# the way, a prefix, truncates in every partition, bare records, key changes
# as one update.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use IPC::Run ();
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE "Order Items" (id int PRIMARY KEY, name text);
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE PUBLICATION p FOR TABLE "Order Items", users;
EOF

sub shipper
{
	my ($slot, %o) = @_;
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $kafka,
		slot => $slot,
		publication => 'p',
		%o);
	$shipper->init;
	return $shipper;
}

my $plain = shipper('plain', options => { truncate => 'emit' });
my $files = shipper(
	'files',
	kafka => undef,
	options =>
	  { sink => 'file:' . launch_dir() . '/sink', truncate => 'emit' });
my $stdout = shipper(
	'to_stdout',
	kafka => undef,
	options => { sink => 'stdout' });
my $other = shipper(
	'other',
	postgres => { topic_prefix => 'bank' },
	options => {
		topics => 'create',
		topic_partitions => 2,
		topic_replication_factor => 1,
		fields => 'none',
		key_change => 'update'
	});

$kafka->create_topic('public.users', 3);
$kafka->create_topic('public.Order-20Items', 3);
$node->safe_psql('postgres', <<'EOF');
INSERT INTO users SELECT g, 'u' FROM generate_series(1, 30) g;
INSERT INTO "Order Items" VALUES (1, E'\u00e9"\\ \n');
UPDATE users SET id = 100 WHERE id = 1;
TRUNCATE users;
INSERT INTO users VALUES (7, NULL);
EOF

# --- Kafka, with truncates ---
$plain->start;
wait_for_slot($node, 'plain');
my @records = $kafka->records('public.users');
my @truncates = grep { exists $_->{json}{op}{Truncate} } @records;
is(scalar(@truncates), 3, 'a truncate is in every partition');
is(scalar(keys %{ { map { $_->{partition} => 1 } @truncates } }),
	3, 'once in each');
is($truncates[0]{key}, '{"truncate":"public.users"}', 'its key');
is_deeply(
	$truncates[0]{json}{truncate},
	{
		cascade => JSON::PP::false(),
		restart_identity => JSON::PP::false()
	},
	'its options');
my @moved = sort { $a->{json}{seq_id} <=> $b->{json}{seq_id} }
  grep { $_->{json}{key_change} } @records;
is_deeply(
	[ map { [ $_->{key}, keys %{ $_->{json}{op} } ] } @moved ],
	[ [ 1, 'Delete' ], [ 100, 'Insert' ] ],
	'a key change is a delete and an insert');
my ($status, $output) = run_tool('checker', '--brokers', $kafka->brokers,
	'public.users', 'public.Order-20Items');
is($status, 0, 'order, gaps and bytes hold') or diag($output);

# --- a folder ---
$files->start;
wait_for_slot($node, 'files');
is($files->stop, 0, 'the file sink stops');
my %in_kafka = map { $_->{value} => 1 } @records;
my %in_file = map { $_ => 1 } split /\n/,
  slurp(launch_dir() . '/sink/public.users.jsonl');
utf8::decode($_) for my @values = keys %in_file;
is_deeply(
	[ sort @values ],
	[ sort keys %in_kafka ],
	'a folder gets the same bytes');
$files->start;
$node->safe_psql('postgres', 'DELETE FROM users');
wait_for_slot($node, 'files');
like(
	slurp(launch_dir() . '/sink/public.users.jsonl'),
	qr/\n.*"Delete":\["7"\].*\n\z/,
	'and is appended to');
is($files->stop, 0, 'the file sink stops again');

# --- standard output ---
$stdout->start;
wait_for_slot($node, 'to_stdout');
is($stdout->stop, 0, 'the stdout sink stops');
my @lines = grep { /^\{"table_name"/ } split /\n/, $stdout->log;
is(scalar(@lines), 35, 'one line a record, the truncate skipped');

# --- other names and shapes ---
$other->start;
wait_for_slot($node, 'other');
my %topics = $kafka->topics;
SKIP:
{
	skip 'the mock makes topics as it likes', 1 if $kafka->is_mock;
	is_deeply(
		[ @topics{qw(bank.public.users bank.public.Order-20Items)} ],
		[ 2, 2 ],
		'topics are made when asked for, with a prefix');
}
my ($update) =
  grep { $_->{json}{op}{Update} } $kafka->records('bank.public.users');
is_deeply(
	[ sort keys %{ $update->{json} } ],
	[qw(col_names lsn op seq_id table_name)],
	'fields=none leaves the five');
is($update->{key}, '100', 'key_change=update goes by the new key');
is_deeply($update->{json}{op}{Update}[0], [ '1', undef ],
	'and tells the old');
is($_->stop, 0, 'stopped') for $plain, $other;

# --- records larger than everything that may be in flight ---
SKIP:
{
	skip 'the mock keeps 5 MB', 2 if $kafka->is_mock;
	$kafka->create_topic('large', 1, 'max.message.bytes' => 10_000_000);
	my $large = shipper(
		'large',
		broker => { 'message.max.bytes' => 10_000_000 },
		options => { max_in_flight => '1MB' },
		routes => { 'public.users' => { topic => 'large' } });
	$node->safe_psql('postgres', <<'EOF');
INSERT INTO users SELECT g, repeat('x', 3000000) FROM generate_series(201, 205) g;
INSERT INTO users VALUES (206, 'small');
EOF
	$large->start;
	wait_for_slot($node, 'large');
	my $read = run_tool('kafka_tool', $kafka->brokers, 'read', 'large');
	is_deeply(
		[ $read =~ /^\{[^{]*"key":"(\d+)"/mg ],
		[ 201 .. 206 ],
		'records larger than max_in_flight arrive in order');
	is($large->stop, 0, 'stopped');
}

done_testing();
