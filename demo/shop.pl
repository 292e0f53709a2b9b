# A small shop: what happens in its database, and what a consumer of Kafka
# reads.  Shown with the parts that the tests use.
use strict;
use warnings;

our $screen;

BEGIN
{
	# the test modules send STDOUT to a log of their own
	open $screen, '>&', \*STDOUT or die "stdout: $!";
	$screen->autoflush(1);
	$ENV{TEST_BROKER} = 'mock' if ($ENV{DEMO_BROKER} // '') eq 'mock';
	# so that what was started is stopped
	$SIG{$_} = sub { exit 130 }
	  for qw(INT TERM HUP);
}

use IO::Handle;
use Wal2Kafka::Test;
use PostgreSQL::Test::Cluster;
use Wal2Kafka::Kafka;

# what a program says that then succeeds
{
	no warnings 'redefine';
	*Wal2Kafka::Test::diag = sub { };
}

my @tables = qw(customers products orders);
my @topics = map { "public.$_" } @tables;
my $top    = top_dir();
my $config = launch_dir() . '/wal2kafka.conf';
my $log    = launch_dir() . '/shipper.log';
my ($kafka, $server);

say_line("Starting PostgreSQL and a Kafka broker ...");
start_kafka();
start_server();
make_shop();
my $shipper = start_shipper();
work();
wait_until_sent();
show_records();
show_slot();
compare_with_a_copy();
pause() if $ENV{DEMO_PAUSE};
kill 'TERM', $shipper;
reap($shipper);
$server->stop;
say_next();

sub say_line { print $screen @_, "\n"; return; }

sub heading
{
	my ($text) = @_;
	say_line("\n--- $text ", '-' x (74 - length $text));
	return;
}

sub indented
{
	my ($text) = @_;
	say_line(join "\n", map { $_ eq '' ? '' : "    $_" } split /\n/, $text);
	return;
}

sub start_kafka
{
	no warnings 'redefine';
	local *Wal2Kafka::Kafka::diag = sub { };

	$kafka = Wal2Kafka::Kafka->new;
	say_line('  ', $kafka->is_mock ? 'mock broker of librdkafka' : 'Apache Kafka',
		' at ', $kafka->brokers);
	return if !$kafka->is_mock;
	# it would make topics of four partitions whenever one is asked for
	$kafka->create_topic($_, 3) for @topics;
	return;
}

# The setting exists only where the server asks for it.
sub start_server
{
	$server = PostgreSQL::Test::Cluster->new('shop');
	$server->init(allows_streaming => 'logical');
	$server->append_conf('postgresql.conf',
		"dynamic_library_path = '$top:\$libdir'\nlog_min_messages = warning");
	$server->start;
	$server->safe_psql('postgres',
		'CREATE DATABASE shop; CREATE DATABASE copy');
	say_line('  PostgreSQL ', query('SHOW server_version'));
	return;
}

sub query
{
	my ($sql, $database) = @_;
	return $server->safe_psql($database // 'shop', $sql);
}

# Runs what it shows.
sub show_sql
{
	my ($sql) = @_;
	$sql =~ s/^\t+//mg;
	indented($sql);
	query($sql);
	return;
}

sub make_shop
{
	my $tables = q{
		CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
		CREATE TABLE products (sku text PRIMARY KEY, price numeric(10,2),
		    description text);
		CREATE TABLE orders (id int PRIMARY KEY, customer int, sku text,
		    quantity int, status text);};

	heading('A shop, what of it is captured, and who may read it');
	show_sql("$tables
		CREATE PUBLICATION wal2kafka FOR TABLE customers, products, orders;
		CREATE ROLE shipper LOGIN REPLICATION;");
	allow_plugin();
	query($tables, 'copy');
	return;
}

sub allow_plugin
{
	return
	  if query(q{SELECT 1 FROM pg_settings
		WHERE name = 'output_plugin_libraries'}) eq '';
	show_sql('ALTER ROLE shipper IN DATABASE shop
		    SET output_plugin_libraries = wal2kafka;');
	return;
}

sub start_shipper
{
	my $text = sprintf <<'END', $server->host, $server->port, $kafka->brokers;
[postgres]
conninfo = host=%s port=%s dbname=shop user=shipper
slot = wal2kafka
publication = wal2kafka
[kafka]
bootstrap.servers = %s
[wal2kafka]
topics = create
topic_partitions = 3
topic_replication_factor = 1
END
	heading('wal2kafka.conf');
	indented($text);
	spit($config, $text);
	heading('wal2kafka init, wal2kafka run');
	indented(shipper_says('init'));
	return spawn($log, "$top/shipper/wal2kafka", 'run', '-c', $config);
}

sub shipper_says
{
	my ($command) = @_;
	my $output = `$top/shipper/wal2kafka $command -c $config 2>&1`;
	die "wal2kafka $command failed:\n$output" if $?;
	return $output;
}

sub work
{
	heading('A working day');
	for my $statement (split /\n\n/, <<'END')
INSERT INTO customers VALUES (1, 'Ann', 'ann@example.com'),
    (2, 'Bo', 'bo@example.com'), (3, 'Cy', NULL);

-- a description so long that it is stored out of line
INSERT INTO products SELECT 'lamp', 19.90, string_agg(md5(i::text), ' ')
    FROM generate_series(1, 200) i;

BEGIN;
INSERT INTO orders VALUES (1, 1, 'lamp', 2, 'new');
INSERT INTO orders VALUES (2, 3, 'lamp', 1, 'new');
COMMIT;

UPDATE orders SET status = 'paid' WHERE id = 1;

-- the description does not change: it is not sent again
UPDATE products SET price = 17.50 WHERE sku = 'lamp';

-- nothing of this is ever sent
BEGIN; DELETE FROM customers; INSERT INTO orders VALUES (9); ROLLBACK;

-- another key, so another place in Kafka: a Delete there, an Insert here
UPDATE customers SET id = 30 WHERE id = 3;
UPDATE orders SET customer = 30 WHERE customer = 3;

DELETE FROM orders WHERE id = 2;
END
	{
		show_sql($statement);
		say_line();
	}
	return;
}

sub wait_until_sent
{
	my $end = query('SELECT pg_current_wal_lsn()');

	eval {
		wait_until('the slot has caught up',
			sub { query("SELECT confirmed_flush_lsn >= '$end'
					FROM pg_replication_slots") eq 't' }, 60);
		1;
	} or die $@ . slurp($log);
	return;
}

sub show_records
{
	heading('What a consumer reads back from Kafka');
	for my $record (map { in_order($kafka->records($_)) } @topics)
	{
		my $value = $record->{value} // 'null';
		$value =~ s/"([^"]{12})[^"]{60,}"/"$1..."/g;
		say_line("$record->{topic}  partition $record->{partition}  key ",
			$record->{key} // 'null');
		indented($value);
	}
	return;
}

sub in_order
{
	return
	  sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} }
	  @_;
}

sub show_slot
{
	heading('wal2kafka status');
	indented(shipper_says('status'));
	return;
}

sub compare_with_a_copy
{
	heading('A consumer that keeps a copy, from these records alone');
	run_tool('strict_consumer', '--brokers', $kafka->brokers, '--database',
		'host=' . $server->host . ' port=' . $server->port . ' dbname=copy',
		'--until-end', @topics);
	for my $table (@tables)
	{
		my $rows = "SELECT * FROM $table ORDER BY 1";
		my $same = query($rows) eq query($rows, 'copy');
		say_line(sprintf '    %-10s %d rows, %s', $table,
			query("SELECT count(*) FROM $table"),
			$same ? 'equal' : 'DIFFERENT');
		die "the copy of $table differs\n" if !$same;
	}
	return;
}

sub pause
{
	heading('All of it is still running');
	indented('psql -h ' . $server->host . ' -p ' . $server->port
		  . ' -U ' . getpwuid($>) . " shop\n"
		  . "$top/build/kafka_tool " . $kafka->brokers . " read @topics\n\n"
		  . 'Press Enter to stop it.');
	readline STDIN;
	return;
}

sub say_next
{
	say_line("\nAll of this is stopped and removed.");
	heading('What to try next');
	indented(<<'END');
DEMO_PAUSE=1 make demo   the same, left running for your own SQL
make check               every test, on every PostgreSQL from 15 to 19
make && make install     then README.md: five minutes to your own server
END
	return;
}
