# A slot and a publication that somebody else made, a role that may do nothing
# but LOGIN and REPLICATION, no extension, routes in the config.
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
my $node = new_server('source', allow => 0);

$node->safe_psql('postgres', <<'EOF');
CREATE ROLE shipper LOGIN REPLICATION;
CREATE DATABASE app;
EOF
$node->safe_psql('app', <<'EOF');
CREATE TABLE users (id int PRIMARY KEY, name text, secret text);
CREATE TABLE "Order Items" (id int PRIMARY KEY, "user" int);
REVOKE ALL ON users FROM PUBLIC;
CREATE PUBLICATION cdc FOR TABLE users, "Order Items"
	WITH (publish = 'insert,delete,update');
EOF
my $known = Wal2Kafka::Cluster::knows_allow_list();
my $allow = $known ? 'SET output_plugin_libraries = wal2kafka;' : '';
$node->safe_psql('app',
	"$allow SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')")
  for qw(first second);

sub shipper
{
	my ($slot, %routes) = @_;
	return Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $kafka,
		conninfo => $node->connstr('app') . ' user=shipper',
		slot => $slot,
		publication => 'cdc',
		routes => \%routes);
}

my $first = shipper('first', 'public.users' => { topic => 'users.0' });
$kafka->create_topic($_, 1) for qw(users.0 users.1 public.Order-20Items);

SKIP:
{
	skip 'this server has no list of allowed plugins', 2 if !$known;
	$first->start;
	is($first->wait_exit, 3, 'a plugin that is not allowed needs a person');
	like(
		$first->log,
		qr/ALTER ROLE "?shipper"? IN DATABASE "?app"? SET output_plugin_libraries = wal2kafka/,
		'the log has the line to type');
	$node->safe_psql('postgres',
		'ALTER ROLE shipper IN DATABASE app SET output_plugin_libraries = wal2kafka'
	);
}

# nor do the role's own settings reach it
$node->safe_psql('postgres', "ALTER ROLE shipper SET $_")
  for 'statement_timeout = 1', 'lock_timeout = 1', 'idle_session_timeout = 1',
  'idle_in_transaction_session_timeout = 1', 'search_path = pg_temp',
  'default_transaction_read_only = on', 'row_security = off',
  q(DateStyle = 'SQL, DMY'), 'client_encoding = LATIN1';

$first->start;
$node->safe_psql('app', <<'EOF');
INSERT INTO users VALUES (1, 'ann', 'x');
INSERT INTO "Order Items" VALUES (5, 1);
DELETE FROM users;
EOF
$kafka->wait_for_count(2, 'users.0');
$kafka->wait_for_count(1, 'public.Order-20Items');
is_deeply(
	[ map { [ $_->{key}, $_->{json}{op} ] } $kafka->records('users.0') ],
	[ [ 1, { Insert => [ 1, 'ann', 'x' ] } ], [ 1, { Delete => [1] } ] ],
	'a route of the config, without any right on the table');

my $second = shipper(
	'second',
	'users' => { topic => 'users.1' },
	'"Order Items"' => { topic => 'users.1' });
$second->start;
$kafka->wait_for_count(3, 'users.1');
my ($status, $output) =
  run_tool('checker', '--brokers', $kafka->brokers, 'users.1');
is($status, 0, 'another slot of the database has routes of its own')
  or diag($output);
is_deeply(
	[ sort map { $_->{value} } $kafka->records('users.1') ],
	[
		sort map { $_->{value} }
		  $kafka->records('users.0', 'public.Order-20Items')
	],
	'and the same records');

is($first->stop, 0, 'first stops');
is($second->stop, 0, 'second stops');
is($node->safe_psql('app', 'SELECT count(*) FROM pg_extension'),
	1, 'no extension was made');

done_testing();
