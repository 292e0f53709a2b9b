# check finds everything in one pass, on either side, each with its remedy.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

# its second listener advertises where nothing listens
my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $lost = $kafka->brokers('PROXIED');

my $node = new_server(
	'source',
	allow => 0,
	conf => "lc_messages = C\nmax_replication_slots = 2");
my $known = Wal2Kafka::Cluster::knows_allow_list();

$node->safe_psql('postgres',
	'CREATE ROLE shipper LOGIN; CREATE DATABASE app');
$node->safe_psql('app', <<'EOF');
CREATE TABLE good (id int PRIMARY KEY, tiny varchar(20));
CREATE TABLE keyless (line int);
CREATE TABLE toasted (id int PRIMARY KEY, body text);
CREATE TABLE filtered (id int PRIMARY KEY, a int);
CREATE TABLE inserted (a int, b int);
CREATE TABLE unlisted (id int PRIMARY KEY, v int);
CREATE TABLE unlisted_full (id int PRIMARY KEY, v int);
ALTER TABLE unlisted_full REPLICA IDENTITY FULL;
CREATE TABLE moved (id int PRIMARY KEY, customer int NOT NULL);
CREATE TABLE "odd.na_me" (id int PRIMARY KEY);
CREATE TABLE part (id int, region int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE PUBLICATION cdc FOR TABLE good, keyless, toasted, moved, "odd.na_me", part;
CREATE PUBLICATION partial FOR TABLE filtered (id) WHERE (id > 3), good (id),
	unlisted (v), unlisted_full (id);
CREATE PUBLICATION inserts FOR TABLE inserted (a) WITH (publish = 'insert');
EOF

sub check
{
	my ($what, $wanted, %o) = @_;
	my @args = @{ delete $o{args} || [] };
	my $shipper = Wal2Kafka::Shipper->new(
		conninfo => $node->connstr('app') . ' user=shipper',
		kafka => $kafka,
		publication => 'cdc',
		%o);
	my ($status, $output) = $shipper->command('check', @args);
	is($status, $wanted, "$what: status $wanted");
	return $output;
}

sub finds
{
	my ($output, %findings) = @_;
	for my $what (sort keys %findings)
	{
		my ($finding, $remedy) = @{ $findings{$what} };
		like($output,
			qr/^(?:PROBLEM|warning) +$finding.*\n +remedy: .*$remedy/m,
			$what);
	}
	return;
}

my %routes = (
	'public.moved' => { topic => 'moved_to', key => 'customer' },
	'public."odd.na_me"' => { topic => 'moved.to' },
	'nosuch' => { topic => 'x' });

my $all = check(
	'everything wrong', 3,
	publication => 'cdc, partial, gone, inserts',
	routes => { %routes, 'public.inserted' => { key => 'b' } });
unlike($all, qr/public\.inserted has no replica identity/,
	'what is only inserted needs no identity');
finds(
	$all,
	'role without REPLICATION' => [
		qr/role "shipper" has no REPLICATION/,
		qr/ALTER ROLE "shipper" REPLICATION;/
	],
	'slot missing' =>
	  [ qr/replication slot "wal2kafka" does not exist/, qr/wal2kafka init/ ],
	'column lists' => [
		qr/publications "cdc" and "partial" publish different columns of public\.good$/m,
		qr/column list/
	],
	'publication missing' => [
		qr/publication "gone" does not exist/, qr/CREATE PUBLICATION "gone"/
	],
	'truncate published' => [
		qr/publication "cdc" publishes truncate/,
		qr/ALTER PUBLICATION "cdc" SET \(publish = 'insert, update, delete'\)/
	],
	'no replica identity' => [
		qr/table public\.keyless has no replica identity/,
		qr/ALTER TABLE public\.keyless REPLICA IDENTITY FULL/
	],
	'list without the replica identity' => [
		qr/table public\.unlisted: its column list leaves out columns of the replica/,
		qr/SET TABLE/
	],
	'list under FULL' => [
		qr/table public\.unlisted_full: its column list leaves out/, qr/SET TABLE/
	],
	'large values' => [
		qr/table public\.toasted: an update.*\(body\)/,
		qr/ALTER TABLE public\.toasted REPLICA IDENTITY FULL/
	],
	'key of a route' => [
		qr/table public\.moved: the key "customer" \(config\) is not within/,
		qr/ALTER TABLE public\.moved REPLICA IDENTITY FULL/
	],
	'key of a route that is not published' => [
		qr/table public\.inserted: the key "b" \(config\) is not among the published/,
		qr/column list/
	],
	'route for no table' => [
		qr/\[route nosuch\]: table nosuch does not exist/,
		qr/Correct the name/
	],
	'topics that collide' =>
	  [ qr/topics "moved.to" and "moved.to" differ only/, qr/another topic/ ],
	'topic missing' => [
		qr/topic "public\.good" does not exist/,
		qr/kafka-topics\.sh --bootstrap-server \S+ --create --topic public\.good --partitions 6/
	]);
unlike($all, qr/warning.*public\.good/, 'a short varchar is no large value');
like($all,
	qr/^note .*already are sent when asked for: "wal2kafka snapshot \[TABLE\]/m,
	'existing rows');
like($all, qr/^note .*not in database "app"\n.*CREATE EXTENSION wal2kafka;/m,
	'that needs the extension');
like($all, qr/^\d+ problems, \d+ warnings\.$/m, 'and how many');
$node->safe_psql('postgres', 'ALTER ROLE shipper REPLICATION');
SKIP:
{
	skip 'this server has no list of allowed plugins', 2 if !$known;
	finds(
		check('not allowed', 3),
		'plugin not allowed' => [
			qr/plugin wal2kafka is not allowed for role "shipper"/,
			qr/ALTER ROLE "shipper" IN DATABASE "app" SET output_plugin_libraries = wal2kafka;/
		]);
	$node->safe_psql('postgres',
		'ALTER ROLE shipper IN DATABASE app SET output_plugin_libraries = wal2kafka'
	);
}

# the library is elsewhere
$node->safe_psql('postgres',
	q{ALTER ROLE shipper SET dynamic_library_path = '$libdir'});
finds(
	check('not installed', 3),
	'plugin not installed' => [
		qr/plugin wal2kafka is not installed on this PostgreSQL \d+: could not access file/,
		qr/Install wal2kafka\.so for PostgreSQL \d+/
	]) if !-e libdir() . '/wal2kafka.so';
$node->safe_psql('postgres', 'ALTER ROLE shipper RESET dynamic_library_path');

sub libdir { chomp(my $dir = `pg_config --pkglibdir`); return $dir; }

# the slot
$node->safe_psql('app', <<'EOF');
SELECT pg_create_physical_replication_slot('one'), pg_create_physical_replication_slot('two');
EOF
finds(
	check('no free slot', 3),
	'free slots' => [
		qr/no free replication slots: all 2 are in use/,
		qr/ALTER SYSTEM SET max_replication_slots = 12/
	]);
$node->safe_psql('app',
	q{SELECT pg_drop_replication_slot('one'), pg_drop_replication_slot('two')}
);

# all is well
my $shipper = Wal2Kafka::Shipper->new(
	conninfo => $node->connstr('app') . ' user=shipper',
	kafka => $kafka);
$shipper->init;
$node->safe_psql('app', <<'EOF');
DROP TABLE keyless;
DROP TABLE toasted;
ALTER PUBLICATION cdc SET (publish = 'insert, update, delete', publish_via_partition_root);
EOF
$kafka->create_topic($_, 1)
  for qw(public.good public.moved public.odd-2ena_me public.part);
my $fine = check('nothing wrong', 0, args => ['--tables']);
like($fine, qr/^Nothing is wrong\.$/m, 'and says so');
like($fine,
	qr/^public\.good -> public\.good \(default\), "id" \(primary key\)$/m,
	'a table');
like($fine, qr/^public\."odd\.na_me" -> public\.odd-2ena_me \(default\)/m,
	'an odd name');
like(
	$fine,
	qr/^public\.part -> public\.part \(default\), "id","region"/m,
	'a partitioned table');
is($node->safe_psql('app', 'SELECT count(*) FROM pg_replication_slots'),
	1, 'no slot is left behind');
check(
	'topics created at need', 0,
	options => { topics => 'create' },
	postgres => { topic_prefix => 'p' });
like(
	check(
		'topics created at need', 0,
		options => { topics => 'create' },
		postgres => { topic_prefix => 'p' }),
	qr/^note +topic "p\.public\.good" will be created/m,
	'are announced');

# where topic and key come from
my $shown = check(
	'sources', 3,
	args => ['--tables'],
	publication => undef,
	routes => { part => { topic => 'by_config' }, moved => { key => 'id' } });
like(
	$shown,
	qr/^public\.part_1 -> by_config \(config\), "id","region" \(primary key\)$/m,
	'a partition takes its ancestor\'s route');
like(
	$shown,
	qr/^public\.moved -> public\.moved \(default\), "id" \(config\)$/m,
	'a key of the config');
$node->safe_psql('app', <<"EOF");
LOAD 'wal2kafka';
SECURITY LABEL FOR wal2kafka ON TABLE part IS 'topic=by_label';
SECURITY LABEL FOR wal2kafka ON COLUMN part.region IS 'key=1';
SECURITY LABEL FOR wal2kafka ON COLUMN moved.id IS 'key=1';
EOF
$shown = check('labels', 3, args => ['--tables'], publication => undef);
like(
	$shown,
	qr/^public\.part_1 -> by_label \(label of public\.part\), "region" \(label of public\.part\)$/m,
	'labels of an ancestor');
like($shown,
	qr/^public\.moved -> public\.moved \(default\), "id" \(label\)$/m,
	'a label');
$shown = check(
	'labels and config', 3,
	args => ['--tables'],
	publication => undef,
	routes => { part => { topic => 'by_config' } });
like(
	$shown,
	qr/^public\.part_1 -> by_config \(config\), "region" \(label of public\.part\)$/m,
	'the config wins over the label');

# Kafka
finds(
	check(
		'no broker', 3,
		kafka => undef,
		broker => { 'bootstrap.servers' => '127.0.0.1:1' }),
	'broker unreachable' => [
		qr/no Kafka broker answers at 127\.0\.0\.1:1: .*refused/,
		qr/bootstrap\.servers/
	]);
SKIP:
{
	skip 'needs a real broker', 5 if $kafka->is_mock;
	finds(
		check(
			'advertised address', 3,
			kafka => undef,
			broker => { 'bootstrap.servers' => $lost }),
		'advertised address' => [
			qr/\Q$lost\E answers, but (?:broker 1 advertises 127\.0\.0\.1:\d+, which|a broker advertises what) cannot be reached/,
			qr/advertised\.listeners/
		]);
	$kafka->delete_topic('public.good');
	$kafka->create_topic('public_good', 1);
	$kafka->create_topic('big', 1, 'max.message.bytes' => 2000);
	finds(
		check('twin', 3, routes => { moved => { topic => 'big' } }),
		'a topic of the cluster collides' => [
			qr/topics "public\.good" and "public_good" differ/,
			qr/another topic/
		],
		'small records only' => [
			qr/topic "big" takes records of at most 2000 bytes/,
			qr/max\.message\.bytes/
		]);
}

# a standby
SKIP:
{
	skip 'decodes on a standby', 2 if $node->pg_version >= 16;
	$node->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	$standby->start;
	finds(
		check(
			'standby', 3,
			conninfo => $standby->connstr('app') . ' user=shipper'),
		'standby' => [
			qr/the server is a standby/, qr/target_session_attrs=read-write/
		]);
	$standby->stop;
}

# neither side there: both are named
$node->stop;
my $none = check('no server', 3);
like(
	$none,
	qr/could not connect to PostgreSQL.*PostgreSQL cannot be asked.*broker 1 at/s,
	'the other side is still looked at');

# a server that cannot decode; from 19 on replica is enough
$node->append_conf('postgresql.conf',
	"wal_level = minimal\nmax_wal_senders = 0");
unlink $node->data_dir . '/pg_replslot/wal2kafka/state';
rmdir $node->data_dir . '/pg_replslot/wal2kafka';
$node->start;
finds(
	check('wal_level', 3),
	'wal_level' => [
		qr/wal_level is minimal; it must be/,
		qr/ALTER SYSTEM SET wal_level = logical; then restart/
	],
	'free WAL senders' =>
	  [ qr/no free WAL senders: all 0 are in use/, qr/max_wal_senders = 10/ ]
);

done_testing();
