# Large transactions with savepoints that were rolled back, wholly or in part:
# nothing of them is sent, and what comes behind them is.  PostgreSQL 18 gives up
# a rolled back transaction early, and calls a callback of streaming for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Test::More;

my $node = new_server('source', conf => "logical_decoding_work_mem = 64kB\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE TABLE t (id int, v text)');
sql('CREATE PUBLICATION p FOR TABLE t');
sql("SELECT pg_create_logical_replication_slot('rollback', 'wal2kafka')");

my $large = "INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 500) g;";
my $small = "INSERT INTO t VALUES (0, 'small');";
my $kept = 0;

sub keep { sql('INSERT INTO t VALUES (' . ++$kept . ", 'kept')"); return; }

# small in the savepoint and large outside, the other way round, and both
for my $inside ($small, $large)
{
	for my $outside ($small, $large)
	{
		sql("BEGIN; SAVEPOINT a; $inside RELEASE a; $outside ROLLBACK");
		keep();
		sql("BEGIN; $outside SAVEPOINT a; $inside SAVEPOINT b; $inside ROLLBACK TO b; $outside ROLLBACK");
		keep();
		sql("BEGIN; SAVEPOINT a; $inside CREATE TABLE undone (id int); RELEASE a; $outside ROLLBACK");
		keep();
	}
}
sql("BEGIN; INSERT INTO t VALUES (" . ++$kept . ", 'kept'); SAVEPOINT a; $large ROLLBACK TO a; COMMIT");
keep();
my $expected = join ' ', 1 .. $kept;
sub ids { my ($text) = @_; return join ' ', $text =~ /\{"Insert":\["(\d+)",/g; }

my $peek = "SELECT * FROM pg_logical_slot_peek_binary_changes('rollback', NULL, NULL, 'publication_names', 'p'";
is(ids(sql("SELECT encode(data, 'escape') FROM ($peek)) r")), $expected, 'by SQL');
is(ids(sql("SELECT encode(data, 'escape') FROM ($peek, 'proto_version', '1')) r")),
	$expected, 'by SQL, as frames');

sql("SELECT pg_copy_logical_replication_slot('rollback', 'framed')");
for my $slot (qw(framed rollback))
{
	my $file = launch_dir() . "/$slot.out";
	my @framed = $slot eq 'framed' ? ('-o', 'proto_version=1') : ();
	my $pid = spawn("$file.log", 'pg_recvlogical', '-d', $node->connstr('postgres'),
		'-S', $slot, '--start', '--no-loop', '-f', $file, '-o', 'publication_names=p', @framed);
	wait_until("the last record is there, slot $slot",
		sub { return -s $file && slurp($file) =~ /\["$kept",/; });
	kill 'INT', $pid;
	reap($pid);
	is(ids(slurp($file)), $expected, "by a walsender, slot $slot");
}
unlike(slurp($node->logfile), qr/PANIC|TRAP|terminated by signal|stream_/,
	'the server saw nothing else');

done_testing();
