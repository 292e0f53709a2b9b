# What run refuses before it streams, and with which status.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Test::More;

my $node = new_server('source', conf => "listen_addresses = '127.0.0.1'");
$node->safe_psql('postgres', <<'EOF');
CREATE ROLE secret LOGIN REPLICATION PASSWORD 'right';
CREATE ROLE stranger LOGIN REPLICATION;
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE "a;b" (id int PRIMARY KEY, "x,y" int NOT NULL);
CREATE TABLE twice (id int PRIMARY KEY);
CREATE SCHEMA s2;
CREATE TABLE s2.twice (id int PRIMARY KEY);
SELECT pg_create_logical_replication_slot('wal2kafka', 'wal2kafka');
EOF
my $hba = $node->data_dir . '/pg_hba.conf';
spit($hba,
		"host all secret 127.0.0.1/32 scram-sha-256\n"
	  . "host all stranger 127.0.0.1/32 reject\n"
	  . slurp($hba));
$node->reload;

my $tcp = 'host=127.0.0.1 port=' . $node->port;

# Ends with this status and says this.
sub run_like
{
	my ($status, $pattern, $what, %o) = @_;
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		broker => { 'bootstrap.servers' => '127.0.0.1:1' },
		%o);
	my ($code, $output) = $shipper->command('run');
	is($code, $status, "$what: status $status");
	like($output, $pattern, "$what: named");
	return $output;
}

my $said = run_like(
	3,
	qr/password authentication failed for user "secret".*\n.*hint.*password/,
	'wrong password',
	conninfo => "$tcp dbname=postgres user=secret password=wr0ng");
unlike($said, qr/wr0ng/, 'the password is not logged');
run_like(
	3,
	qr/database "nowhere" does not exist.*\n.*hint.*dbname/,
	'no such database',
	conninfo => $node->connstr('nowhere'));
run_like(
	3, qr/pg_hba.conf rejects connection.*\n.*hint.*pg_hba/,
	'pg_hba.conf', conninfo => "$tcp dbname=postgres user=stranger");
run_like(3, qr/role "nobody at all" does not exist/,
	'no such role', conninfo => "$tcp dbname=postgres user='nobody at all'");
run_like(
	3,
	qr/server does not support SSL, but SSL was required.*\n.*hint.*verify-full/,
	'another machine',
	conninfo => "$tcp host=db.example hostaddr=127.0.0.1 dbname=postgres");

run_like(3, qr/slot "gone" does not exist.*\n.*hint.*wal2kafka init/,
	'no such slot', slot => 'gone');
run_like(
	3,
	qr/publication "gone" does not exist.*\n.*hint.*CREATE PUBLICATION "gone"/,
	'no such publication',
	publication => 'gone');

run_like(
	1,
	qr/\[route public\.nope\]: table public\.nope does not exist/,
	'route for no table',
	routes => { 'public.nope' => { topic => 't' } });
run_like(
	1,
	qr/\[route twice\]: table twice is ambiguous: public\.twice, s2\.twice/,
	'ambiguous route',
	routes => { twice => { topic => 't' } });
run_like(
	1,
	qr/has no column "nom"/,
	'key column missing',
	routes => { users => { key => 'nom' } });
run_like(
	1,
	qr/another route names the same table/,
	'two routes for a table',
	routes =>
	  { users => { topic => 'a' }, 'public.users' => { topic => 'b' } });
run_like(1, qr/\[route pg_class\]: table pg_class does not exist/,
	'system table', routes => { pg_class => { topic => 'a' } });

# names that need quoting go through to the plugin and come back as records
$node->safe_psql('postgres', 'ALTER TABLE "a;b" REPLICA IDENTITY FULL');
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	options => { sink => 'file:' . launch_dir() },
	routes => {
		'"a;b"' => { topic => 'quoted', key => '"x,y", ID' },
		's2.twice' => { topic => 'two' },
		'users' => { key => 'id' }
	});
$node->safe_psql('postgres',
	'INSERT INTO "a;b" VALUES (1, 2); INSERT INTO s2.twice VALUES (1)');
$shipper->start;
wait_for_slot($node, 'wal2kafka');
like(slurp(launch_dir() . '/quoted.jsonl'),
	qr/"table_name":"a;b"/, 'a quoted route');
like(slurp(launch_dir() . '/two.jsonl'),
	qr/"schema":"s2"/, 'a route with a schema');
my ($checked, $report) = $shipper->command('check');
is($checked, 0, 'check beside it finds no problem');
like(
	$report,
	qr/read by a shipper.*plugin wal2kafka is in use/s,
	'and leaves the slot alone');
like(
	($shipper->command('status'))[1],
	qr/^read by +process \d+$/m,
	'status names the process');
is($shipper->stop, 0, 'stops when asked to');

# so do names of publications
$node->safe_psql('postgres', 'CREATE PUBLICATION "My, Pub" FOR TABLE users');
my $published = Wal2Kafka::Shipper->new(
	node => $node,
	publication => 'USERS_TOO, "My, Pub"',
	options => { sink => 'file:' . launch_dir() });
$node->safe_psql('postgres',
	'CREATE PUBLICATION users_too FOR TABLE s2.twice');
$published->start;
$node->safe_psql('postgres',
	'INSERT INTO users VALUES (5); INSERT INTO twice VALUES (5); INSERT INTO s2.twice VALUES (5)'
);
wait_for_slot($node, 'wal2kafka');
like(slurp(launch_dir() . '/public.users.jsonl'),
	qr/"table_name":"users"/, 'a quoted publication');
like(slurp(launch_dir() . '/s2.twice.jsonl'), qr/\["5"\]/, 'one in capitals');
ok(!-e launch_dir() . '/public.twice.jsonl', 'and nothing else');
is($published->stop, 0, 'stops when asked to');

# init holds its new slot for a moment too
sub wait_for_stream
{
	my $query = q{SELECT count(*) FROM pg_stat_replication
		WHERE state = 'streaming'};
	return wait_until('a shipper streams',
		sub { $node->safe_psql('postgres', $query) });
}

# run --init does both, and only what is missing
my $fresh = Wal2Kafka::Shipper->new(
	node => $node,
	slot => 'fresh',
	options => { sink => 'file:' . launch_dir() });
$fresh->start('--init');
wait_for_stream();
is($fresh->stop, 0, 'run --init makes the slot and runs');
$fresh->start('--init');
wait_for_stream();
like(
	$fresh->log,
	qr/slot "fresh" is there already/,
	'another time it makes nothing');
is($fresh->stop, 0, 'and again');

# a slot that has lost its WAL
$node->safe_psql('postgres',
	q{ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'});
$node->reload;
for (1 .. 3)
{
	$node->safe_psql('postgres',
			'INSERT INTO users VALUES ('
		  . (10 + $_)
		  . '); SELECT pg_switch_wal()');
}
$node->safe_psql('postgres', 'CHECKPOINT');
run_like(
	3,
	qr/slot "fresh" is lost.*\n.*hint.*wal2kafka drop --yes.*max_slot_wal_keep_size/,
	'lost slot',
	slot => 'fresh');
is(($fresh->command('init'))[0], 3, 'init does not make it anew by itself');
is(($fresh->command('drop', '--yes'))[0], 0, 'drop');
is(($fresh->command('init'))[0], 0, 'and init do');

# the server is not there: worth a restart for whoever asks once
$node->stop;
my ($code, $output) = $fresh->command('status');
is($code, 2, 'no server: status 2');
like($output, qr/could not connect to PostgreSQL.*\n.*hint.*host and port/,
	'and a hint');

done_testing();
