# Thousands of tables in one stream, transactions with thousands of catalog
# changes, and others that run while hundreds of catalog changes commit: all
# arrives, and what the walsender keeps is bounded by the tables, not by time.
#
# Environment: TABLES (5000), INVALIDATIONS (10000).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(time);

my $tables = $ENV{TABLES} || 5000;
my $invalidations = $ENV{INVALIDATIONS} || 10000;
my $few = $invalidations / 20;
my $node = new_server('source', conf => <<'EOF');
logical_decoding_work_mem = 1MB
autovacuum = off
synchronous_commit = off
EOF

sub sql { return $node->safe_psql('postgres', $_[0]); }

# --- the reader: a shipper that prints, so that no broker adds its own limits ---
sql(<<'EOF');
CREATE TABLE other (id int PRIMARY KEY, v int);
CREATE TABLE changing (id int PRIMARY KEY, v int);
CREATE TABLE last (id int PRIMARY KEY);
CREATE PUBLICATION p FOR ALL TABLES;
EOF
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	publication => 'p',
	options => { sink => 'stdout' });
$shipper->init;
$shipper->start;
my $marks = 0;

# Waits until everything written so far has been printed; the seconds it took.
sub arrived
{
	my $start = time();

	sql('INSERT INTO last VALUES (' . ++$marks . ')');
	wait_until("record $marks of table last is printed",
		sub { return $shipper->log =~ /"table_name":"last".*\{"Insert":\["$marks"\]\}/; },
		300);
	return sprintf('%.1f s', time() - $start);
}

# Bytes in use in the walsender, and those of a table's entry: the server logs
# only the first hundred contexts of a kind.
sub memory
{
	my $pid = slot_field($node, 'wal2kafka', 'active_pid');
	my $from = -s $node->logfile;

	sql("SELECT pg_log_backend_memory_contexts($pid)");
	wait_until('the walsender has logged its memory',
		sub { return substr(slurp($node->logfile), $from) =~ /Grand total/; });
	my $log = substr(slurp($node->logfile), $from);
	my @entries = $log =~ /wal2kafka relation: (\d+) total/g;
	my ($total) = $log =~ /Grand total: .* (\d+) used/;
	return { total => $total, entry => @entries ? sum(@entries) / @entries : 0 };
}

# table => [ids inserted, in order]
sub printed
{
	my $log = $shipper->log;
	my %printed;

	push @{ $printed{$1} }, $2
	  while $log =~ /^\{"table_name":"(\w+)".*"op":\{"Insert":\["(-?\d+)"/mg;
	return \%printed;
}

# --- thousands of tables ---
sql(<<"EOF");
DO \$\$ BEGIN
	FOR i IN 1 .. $tables LOOP
		EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v int)', i);
		IF i % 500 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END \$\$;
CREATE PROCEDURE write_all(round int, at_once int) LANGUAGE plpgsql AS \$\$
BEGIN
	FOR i IN 1 .. $tables LOOP
		EXECUTE format('INSERT INTO t%s VALUES (\$1, \$2)', i) USING round, i;
		IF i % at_once = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END \$\$;
EOF
note('tables made, the stream is there after ', arrived());
my $before = memory();

# in one transaction and in many
for my $round (1 .. 6)
{
	sql("CALL write_all($round, " . ($round % 2 ? 100 : 1000) . ')');
	note("round $round over $tables tables: ", arrived());
	$before->{$round} = memory() if $round == 2 || $round == 6;
}
my $printed = printed();
my @wrong = grep { ($printed->{"t$_"} ? "@{$printed->{qq(t$_)}}" : '') ne '1 2 3 4 5 6' } 1 .. $tables;
is(scalar(@wrong), 0, 'each table has its six rows, in order')
  or diag("the first without: t$wrong[0]");
my ($early, $late) = @$before{ 2, 6 };
cmp_ok($late->{total}, '<', $early->{total} * 1.1 + 1024 * 1024,
	'memory grows with the tables, not with what is written');
cmp_ok($late->{entry}, '<', 12288, 'less than 12 kB for what is known of a table');
note("the walsender's memory before, with all tables, at the end: ",
	join(', ', map { int($_->{total} / 1024) . ' kB' } $before, $early, $late),
	"; $late->{entry} bytes for a table");

# --- a transaction that changes the catalog thousands of times, then data ---
sub change_catalog
{
	my ($first, $times) = @_;

	sql(<<"EOF");
BEGIN;
INSERT INTO changing VALUES ($first, 1);
DO \$\$ BEGIN
	FOR i IN 1 .. $times LOOP
		EXECUTE format('ALTER TABLE changing SET (fillfactor = %s)', 50 + i % 50);
	END LOOP;
END \$\$;
INSERT INTO changing SELECT g, 1 FROM generate_series($first + 1, $first + 999) g;
INSERT INTO other SELECT g, 1 FROM generate_series($first, $first + 999) g;
COMMIT;
EOF
	note("$times catalog changes and 2000 rows: ", arrived());
	return;
}

# Rows between the changes: each is read with the catalog of its own command.
sub change_between
{
	my ($first) = @_;

	sql(<<"EOF");
DO \$\$ BEGIN
	FOR i IN 0 .. $few - 1 LOOP
		EXECUTE format('ALTER TABLE changing RENAME v TO v%s', i);
		EXECUTE format('INSERT INTO changing (id, v%s) VALUES (\$1, \$1)', i) USING $first + i;
		EXECUTE format('ALTER TABLE changing RENAME v%s TO v', i);
	END LOOP;
END \$\$;
EOF
	note("$few rows between catalog changes: ", arrived());
	return;
}

# Others change the catalog while a transaction is open.
sub change_beside
{
	my ($first) = @_;
	my $second = $first + 1;
	my $writer = $node->background_psql('postgres');

	$writer->query_safe("BEGIN; INSERT INTO other VALUES ($first, 1)");
	sql(<<"EOF");
DO \$\$ BEGIN
	FOR i IN 1 .. $few LOOP
		EXECUTE format('ALTER TABLE t%s SET (fillfactor = 50)', 1 + i % $tables);
		EXECUTE format('ALTER TABLE changing RENAME TO renamed%s', i);
		COMMIT;
		EXECUTE format('ALTER TABLE renamed%s RENAME TO changing', i);
		COMMIT;
	END LOOP;
END \$\$;
EOF
	$writer->query_safe("INSERT INTO other VALUES ($second, 1);
		INSERT INTO changing VALUES ($first, 1); COMMIT");
	$writer->quit;
	note(2 * $few, ' commits with catalog changes beside an open transaction: ', arrived());
	return;
}

# more than once, for the last time must not keep more than the one before
my (@changing, @other, @memory);
for my $round (1 .. 3)
{
	my $first = 100000 * $round;

	change_catalog($first, $round == 1 ? $invalidations : $few);
	change_between($first + 10000);
	change_beside($first + 90000);
	push @changing, $first .. $first + 999, $first + 10000 .. $first + 9999 + $few,
	  $first + 90000;
	push @other, $first .. $first + 999, $first + 90000, $first + 90001;
	push @memory, memory()->{total};
}
$printed = printed();
is("@{$printed->{changing}}", "@changing",
	'every row between and behind catalog changes arrived, in order');
is("@{$printed->{other}}", "@other", 'and those of the table beside');
my @names = $shipper->log =~ /"table_name":"changing","col_names":\["id","(v\d+)"\]/g;
is("@names", join(' ', map { "v$_" } (0 .. $few - 1) x 3),
	'each under the names of its own command');
cmp_ok($memory[2], '<', $memory[1] * 1.05 + 1024 * 1024,
	'catalog changes leave no memory behind');
note('memory after each round: ', join(', ', map { int($_ / 1024) . ' kB' } @memory));
is($shipper->stop, 0, 'the shipper stops');

done_testing();
