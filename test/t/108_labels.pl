# Table names are the only foreign text on /metrics: hostile ones do not spoil
# the page, and 2,000 tables make no more than 1,000 series and one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Exposition;
use Wal2Kafka::Shipper;
use List::Util qw(sum);
use Test::More;

plan skip_all => 'built without libmicrohttpd'
  if !Wal2Kafka::Shipper->can_http;

my $node = new_server('source', conf => "synchronous_commit = off\n");
my $slot = 'wal2kafka';
my $tables = 2000;

# name => how it must stand between the quotes of a label
my %hostile = (
	qq{quote " and \\ and \nline} => qq{quote \\" and \\\\ and \\nline},
	qq~x"} 1\n# HELP wal2kafka_ready no~ =>
	  qq~x\\"} 1\\n# HELP wal2kafka_ready no~,
	'\xff' => '\\\\xff',
	"\x01\x7f\t\r" => "\x01\x7f\t\r",
	"\xc3\xa9\xf0\x9f\x90\x98" => "\xc3\xa9\xf0\x9f\x90\x98",
	'other' => 'other',
	'{le="+Inf"}' => '{le=\\"+Inf\\"}',
	'%s%n%n' => '%s%n%n',
	' ' => ' ');
my $created = '';

for my $name (sort keys %hostile)
{
	(my $quoted = $name) =~ s/"/""/g;
	$created .= qq{CREATE TABLE "$quoted" (id int);
		INSERT INTO "$quoted" VALUES (1), (2);\n};
}
# bytes that are no UTF-8: two tables whose names become one label
$node->safe_psql('postgres',
	"CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
);

sub shipper_of
{
	my ($database, $name) = @_;
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		conninfo => $node->connstr($database),
		slot => $name,
		http => 1,
		options => { sink => 'stdout' });
	$shipper->init;
	$shipper->start;
	return $shipper;
}

sub page_of
{
	my ($shipper, $what) = @_;
	my ($status, $page) = $shipper->page('/metrics');
	my @faults = exposition_faults($page);
	is("@faults", '', "$what: exactly in Prometheus' format")
	  or diag(join "\n", @faults, $page);
	return $page;
}

my $prefix = 'wal2kafka_table_records_total{schema="public",table="';

# --- hostile names ---
my $shipper = shipper_of('postgres', $slot);
spit(launch_dir() . '/created.sql', $created);
system('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d',
	$node->connstr('postgres'), '-f', launch_dir() . '/created.sql') == 0
  or die 'psql failed';
$shipper->wait_metric('records_acknowledged_total',
	sub { $_ == 2 * keys %hostile });
my $page = page_of($shipper, 'hostile names');
for my $name (sort keys %hostile)
{
	(my $shown = $name) =~ s/[^ -~]/?/g;
	ok(index($page, qq(\n$prefix$hostile{$name}"} 2\n)) >= 0,
		"$shown is escaped, and counted");
}

# --- bytes that are no UTF-8 ---
my $other = shipper_of('bytes', 'bytes');
spit(launch_dir() . '/bytes.sql',
	join '', map { "CREATE TABLE \"$_\" (id int); INSERT INTO \"$_\" VALUES (1);\n" }
	  "caf\xe9", "caf\xc3\xa9", "\xff\xfe");
system('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d',
	$node->connstr('bytes'), '-f', launch_dir() . '/bytes.sql') == 0
  or die 'psql failed';
$other->wait_metric('records_acknowledged_total', sub { $_ == 3 });
$page = page_of($other, 'names that are no UTF-8');
ok(index($page, qq(\n${prefix}caf\xc3\xa9"} 2\n)) >= 0,
	'two names that become one are counted as one');
ok(index($page, qq(\n$prefix\xc3\xbf\xc3\xbe"} 1\n)) >= 0,
	'bytes become characters of LATIN1, as in records');
is($other->stop, 0, 'stopped');

# --- many tables ---
$node->safe_psql('postgres', <<"EOS");
DO \$\$ BEGIN
	FOR i IN 1 .. $tables LOOP
		EXECUTE format('CREATE TABLE many_%s (id int)', i);
		EXECUTE format('INSERT INTO many_%s VALUES (1)', i);
		IF i % 100 = 0 THEN COMMIT; END IF;
	END LOOP;
END \$\$
EOS
my $all = $tables + 2 * keys %hostile;
$shipper->wait_metric('records_acknowledged_total', sub { $_ == $all });
$page = page_of($shipper, 'many tables');
my %series = $page =~ /^wal2kafka_table_records_total\{(.*)\} (\d+)$/mg;
is(scalar keys %series, 1001, 'series are bounded');
is(sum(values %series), $all, 'and hold every record');
is( $series{'schema="",table="other"'},
	$all - 1000 - keys %hostile,
	'the rest is under one label');
cmp_ok(length $page, '<', 200_000, 'so is the page');

# a reconnect announces them all again
my ($pid) = slot_field($node, $slot, 'active_pid');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$shipper->wait_metric('streams_started_total', sub { $_ == 2 });
$node->safe_psql('postgres',
	'INSERT INTO many_1 VALUES (2); INSERT INTO many_2000 VALUES (2)');
$shipper->wait_metric('records_acknowledged_total', sub { $_ == $all + 2 });
my $after = $shipper->metrics;
is($after->{'table_records_total{schema="public",table="many_1"}'},
	2, 'after a reconnect each table has its counter');
is( $after->{'table_records_total{schema="",table="other"}'},
	$series{'schema="",table="other"'} + 1,
	'and the rest has none');
is($shipper->stop, 0, 'stopped');

done_testing();
