# PostgreSQL's own regression tests with a slot open from the first: whatever
# they commit is decoded, equal to what pgoutput decodes, and the five fields
# alone make a copy of every table that is left.  What the tests print does not
# matter here.
#
# The source comes from test/pgmatrix/make-source, or POSTGRES_SOURCE names it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Differ;
use Test::More;
use Time::HiRes qw(time);

my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $version = `$pg_config --version`);
my ($major) = $version =~ /(\d+)/;
my $source = $ENV{POSTGRES_SOURCE}
  || `@{[ top_dir() ]}/test/pgmatrix/make-source $major`;
chomp $source;
# Exceptions, each with its reason: see the top of test/differ/compare.c.  Besides
# splits and unchanged values these come up: values with a NUL and bytes that are
# not UTF-8 (regress_encoding of test "encoding"), and since 18 one change
# of a table without a published column.
plan skip_all => "no source of PostgreSQL $major can be had here"
  if !-d "$source/src/test/regress";

my $suite = launch_dir() . '/regress';
my $began = time;

sub elapsed { return sprintf '%.0f s', time - $began; }

# Its own functions in C; without them some of the tests do less.
sub build_library
{
	chomp(my $include = `$pg_config --includedir-server`);
	my $log = `cc -shared -fPIC -w -O1 -I $include -o $suite/regress.so $suite/regress.c 2>&1`;
	ok(-f "$suite/regress.so", 'the library of the suite is built')
	  or diag($log);
	return;
}

sub start_server
{
	my $node = new_server('suite', conf => <<'EOF');
autovacuum = off
max_prepared_transactions = 10
max_connections = 40
max_parallel_workers = 0
shared_buffers = 128MB
max_wal_size = 4GB
fsync = off
EOF
	$node->safe_psql('postgres',
		'CREATE DATABASE regression TEMPLATE template0');
	$node->safe_psql('postgres', "ALTER DATABASE regression SET $_")
	  for "lc_messages = 'C'", "lc_monetary = 'C'", "lc_numeric = 'C'",
	  "lc_time = 'C'", "bytea_output = 'hex'",
	  "timezone_abbreviations = 'Default'";
	$node->safe_psql('regression',
		"SELECT pg_create_logical_replication_slot('suite', 'wal2kafka')");
	$node->safe_psql('regression', 'CREATE PUBLICATION differ FOR ALL TABLES');
	$node->safe_psql('regression',
		slurp(top_dir() . '/test/differ/ddl.sql'));
	return $node;
}

sub run_suite
{
	my ($node) = @_;
	my $log = launch_dir() . '/suite.log';
	chomp(my $bindir = `$pg_config --bindir`);

	mkdir "$suite/out";
	IPC::Run::run(
		[
			$ENV{PG_REGRESS}, '--use-existing', '--dbname=regression',
			"--inputdir=$suite", "--outputdir=$suite/out", "--dlpath=$suite",
			"--schedule=$suite/parallel_schedule",
			'--max-concurrent-tests=20', '--max-connections=4',
			'--host=' . $node->host, '--port=' . $node->port,
			"--bindir=$bindir"
		],
		'<', '/dev/null', '>', $log, '2>&1');
	my $output = slurp($log);
	my $tests = () = $output =~ /^(?:(?:not )?ok \d|test |     \S+ +\.\.\. )/mg;
	cmp_ok($tests, '>', 150, "the suite ran: $tests tests, " . elapsed())
	  or diag($output);
	return;
}

system("cp -r '$source/src/test/regress' '$suite'") == 0 or die 'no copy';
build_library();
my $node = start_server();
run_suite($node);
is($node->safe_psql('regression', 'SELECT 1'), '1', 'the server is well');

my ($status, $report) =
  run_differ($node, 'regression', 'suite', 'differ', '--replay');
is($status, 0, 'as pgoutput, and the copies are equal') or diag($report);
note($report);
note(elapsed());
my ($compared) = $report =~ /^compared (\d+) changes/m;
cmp_ok($compared || 0, '>', 100_000, 'enough was compared');
my ($nuls) = $report =~ /values with a NUL.*: (\d+)/;
my ($columnless) = $report =~ /changes without a column.*: (\d+)/;
cmp_ok($nuls || 0, '<=', 2, 'no more values with a NUL than are known');
cmp_ok($columnless || 0, '<=', 1, 'no more exceptions than are known');
done_testing();
