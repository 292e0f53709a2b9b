# Tables that become other ones while they are copied, code of their owners,
# settings that change in the middle, and tables that an initial snapshot cannot
# read: every row is there, and nothing runs with the shipper's rights.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::SnapshotRun;
use Test::More;

my $node = new_extension_server('source');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Slow enough for something to happen between two rounds.
sub runner
{
	my ($slot, %o) = @_;
	my $folder = launch_dir() . "/sink_$slot";
	my $run = Wal2Kafka::SnapshotRun->new(
		node => $node,
		publication => $slot,
		slot => $slot,
		conninfo => $o{conninfo} || $node->connstr('postgres'),
		options => {
			sink => "file:$folder",
			snapshot_chunk_rows => 100,
			snapshot_connections => 1,
			snapshot_rate => 2000,
			%{ $o{options} || {} },
		});

	$run->{folder} = $folder;
	return $run;
}

# What was sent to a topic, in order.
sub records
{
	my ($run, $topic) = @_;
	my $file = "$run->{folder}/$topic.jsonl";
	return -e $file ? map { JSON::PP::decode_json($_) } split /\n/, slurp($file)
	  : ();
}

# A copy's rows by that column, as the five fields alone make them.
sub copied
{
	my ($run, $topic, $column) = @_;
	my %rows;

	for my $record (records($run, $topic))
	{
		my ($op) = keys %{ $record->{op} };
		my $rows = $record->{op}{$op};
		my $old = $op eq 'Update' ? $rows->[0] : $op eq 'Delete' ? $rows : undef;
		my $new = $op eq 'Update' ? $rows->[1] : $op eq 'Insert' ? $rows : undef;

		delete $rows{ $old->[$column] } if $old && defined $old->[$column];
		$rows{ $new->[$column] } = $new if $new;
	}
	return \%rows;
}

sub begin
{
	my ($run, $table) = @_;
	$run->want($table);
	$run->wait_for_rows(300);
	return;
}

sub end
{
	my ($run, $table) = @_;
	$run->wait_for("$table is over",
		sub { $run->state =~ /done|failed|cancelled/ });
	wait_for_slot($node, $run->shipper->{slot});
	my ($entry) = grep { $_->{name} =~ /\.\Q$table\E\z/ }
	  @{ $run->status->{tables} };
	return $entry;
}

sql(<<'EOF');
CREATE EXTENSION wal2kafka;
CREATE TABLE swapped (id int PRIMARY KEY, v text);
CREATE TABLE retyped (id int PRIMARY KEY, v text);
CREATE TABLE rekeyed (id int PRIMARY KEY, u int NOT NULL UNIQUE);
CREATE TABLE prefixed (id int PRIMARY KEY, v text);
CREATE TABLE pairs (a int, b text, PRIMARY KEY (a, b));
INSERT INTO swapped SELECT g, 'old' FROM generate_series(1, 2000) g;
INSERT INTO retyped SELECT g, 'x' FROM generate_series(1, 2000) g;
INSERT INTO rekeyed SELECT g, g FROM generate_series(1, 2000) g;
INSERT INTO prefixed SELECT g, 'x' FROM generate_series(1, 2000) g;
INSERT INTO pairs SELECT g % 7, 'b''' || g FROM generate_series(1, 1000) g;
CREATE PUBLICATION one FOR TABLE swapped, retyped, rekeyed, prefixed, pairs;
EOF
my $run = runner('one');
$run->shipper->init;
$run->shipper->start;

# --- it is another table, or has another key ---
begin($run, 'swapped');
sql(<<'EOF');
BEGIN;
ALTER TABLE swapped RENAME TO before;
CREATE TABLE swapped (LIKE before INCLUDING ALL);
INSERT INTO swapped SELECT id, 'new' FROM before;
ALTER PUBLICATION one ADD TABLE swapped;
COMMIT;
EOF
is(end($run, 'swapped')->{state}, 'done', 'swapped for another table: done');
my %kinds;
$kinds{ $_->[1] }++ for values %{ copied($run, 'public.swapped', 0) };
is_deeply(\%kinds, { new => 2000 }, 'all rows of the table that it is now');

begin($run, 'retyped');
sql('ALTER TABLE retyped ALTER id TYPE text');
is(end($run, 'retyped')->{state}, 'done', 'the key has another type: done');
is(scalar keys %{ copied($run, 'public.retyped', 0) }, 2000, 'all rows');

begin($run, 'rekeyed');
sql(<<'EOF');
ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey;
ALTER TABLE rekeyed ADD PRIMARY KEY (u);
EOF
sql('UPDATE rekeyed SET id = -id WHERE u > 1200');
is(end($run, 'rekeyed')->{state}, 'done', 'another key: done');
my %inserted = map { $_->{op}{Insert}[1] => 1 }
  grep { $_->{op}{Insert} } records($run, 'public.rekeyed');
is(scalar keys %inserted, 2000, 'all rows');

# --- a key of several columns ---
$run->want('pairs');
is(end($run, 'pairs')->{state}, 'done', 'a key of two columns: done');
is(scalar(records($run, 'public.pairs')), 1000, 'each row once');

# --- settings that make other records of it ---
begin($run, 'prefixed');
is($run->shipper->stop, 0, 'stopped in the middle');
$run->shipper->configure($run->shipper->config_text =~
	  s/\[postgres\]/[postgres]\ntopic_prefix = new/r);
$run->shipper->start;
is(end($run, 'prefixed')->{state}, 'done', 'with another prefix: done');
is(scalar keys %{ copied($run, 'new.public.prefixed', 0) },
	2000, 'all rows are in the new topic');
is($run->shipper->stop, 0, 'stopped');

# --- what the owner of a table wrote is not run by the shipper ---
sql(<<'EOF');
CREATE ROLE ship LOGIN REPLICATION;
CREATE ROLE owner;
CREATE SCHEMA theirs AUTHORIZATION owner;
GRANT USAGE ON SCHEMA theirs TO ship;
SET ROLE owner;
CREATE TYPE theirs.word AS ENUM ('a');
EOF
sql(<<'EOF');
SET ROLE owner;
DO $$
BEGIN
	FOR i IN 1 .. 400 LOOP
		EXECUTE format('ALTER TYPE theirs.word ADD VALUE %L', 'v' || i);
	END LOOP;
END $$;
EOF
sql(<<'EOF');
SET ROLE owner;
CREATE TABLE theirs.words (id theirs.word PRIMARY KEY);
INSERT INTO theirs.words SELECT unnest(enum_range(NULL::theirs.word));
CREATE TABLE theirs.numbers (id int PRIMARY KEY);
INSERT INTO theirs.numbers SELECT generate_series(1, 3000);
GRANT SELECT ON ALL TABLES IN SCHEMA theirs TO ship;
CREATE FUNCTION theirs.steal(theirs.word) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE LOG 'stolen by a cast of %', current_user;
	RETURN enum_out($1)::text;
END $$;
CREATE CAST (theirs.word AS text) WITH FUNCTION theirs.steal(theirs.word);
CREATE FUNCTION theirs.steal(int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RAISE LOG 'stolen by a view of %', current_user;
	RETURN $1;
END $$;
EOF
sql('CREATE PUBLICATION two FOR ALL TABLES');
$run = runner('two', conninfo => $node->connstr('postgres') . ' user=ship');
$run->shipper->init;
$run->shipper->start;
$run->insist('snapshot', tables => ['theirs.words']);
is(end($run, 'words')->{state}, 'done', 'a key whose type has a cast: done');
is(scalar(records($run, 'theirs.words')), 401, 'all rows');
$run->insist('snapshot', tables => ['theirs.numbers']);
$run->wait_for_rows(300);
sql(<<'EOF');
SET ROLE owner;
BEGIN;
ALTER TABLE theirs.numbers RENAME TO moved;
CREATE VIEW theirs.numbers AS
	SELECT theirs.steal(g) AS id FROM generate_series(1, 3000) g;
GRANT SELECT ON theirs.numbers TO ship;
COMMIT;
EOF
my $entry = end($run, 'numbers');
is($entry->{state}, 'failed', 'a view in the place of a table: failed');
like($entry->{error}, qr/no table/, 'it says why');
unlike(slurp($node->logfile), qr/stolen by/, 'nobody\'s code was run');
is($run->shipper->stop, 0, 'stopped');

# --- an initial snapshot, and a table that it cannot read ---
sql(<<'EOF');
CREATE TABLE aside (id int PRIMARY KEY);
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE keyless (id int);
INSERT INTO aside VALUES (1);
INSERT INTO plain SELECT generate_series(1, 1000);
INSERT INTO keyless SELECT g % 10 FROM generate_series(1, 1000) g;
GRANT SELECT ON plain, keyless TO ship;
CREATE PUBLICATION three FOR TABLE aside, plain, keyless;
EOF
$run = runner('three',
	conninfo => $node->connstr('postgres') . ' user=ship',
	options => { snapshot_rate => 0 });
my ($status, $output) = $run->shipper->command('init', '--snapshot');
is($status, 3, 'init --snapshot: status 3 for a table that may not be read');
like($output, qr/public\.aside: permission denied/, 'it is named');
is(scalar(records($run, 'public.plain')), 1000, 'all of the next table');
is(scalar(records($run, 'public.keyless')),
	1000, 'and all of one without a key, each row once');

done_testing();
