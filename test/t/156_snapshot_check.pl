# What check says about rows that tables have already: what a snapshot lacks is
# a note, since the stream needs none of it; each remedy, run as it stands,
# helps, and what check then says can be read can be.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Shipper;
use Test::More;

my $node = new_extension_server('source');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'EOF');
CREATE ROLE shipper LOGIN REPLICATION;
CREATE SCHEMA "In";
CREATE TABLE a (id int PRIMARY KEY, secret text);
CREATE TABLE "In"."B b" (id int PRIMARY KEY);
CREATE TABLE keyless (v int);
CREATE TABLE indexed (v int NOT NULL UNIQUE);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_v_key;
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
INSERT INTO a VALUES (1); INSERT INTO part VALUES (1), (11);
CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert, update, delete', publish_via_partition_root);
EOF

my $shipper = Wal2Kafka::Shipper->new(
	conninfo => $node->connstr('postgres') . ' user=shipper',
	publication => 'p',
	options => { sink => 'file:' . launch_dir() . '/sink' });
is(($shipper->command('init'))[0], 0, 'a slot');

sub check
{
	my ($what, %o) = @_;
	local $shipper->{options} = { %{ $shipper->{options} }, %o };
	$shipper->configure($shipper->config_text);
	my ($status, $output) = $shipper->command('check');
	is($status, 0, "$what: no problem for the stream");
	unlike($output, qr/^warning.*(?:snapshot|already)/m, "$what: no warning, either");
	return $output;
}

# Runs the remedy of a note, as it stands up to its last semicolon.
sub heed
{
	my ($output, $note) = @_;
	my ($remedy) = $output =~ /^note +$note.*\n +remedy: (?:[^:;]*: )?(.*;)/m;
	ok($remedy, "$note: a remedy");
	sql($remedy);
	return;
}

# How many rows the role is given of a table; an error is one.
sub rows_read
{
	my ($table) = @_;
	my ($status, $rows, $error) = $node->psql('postgres',
		"SET row_security = on; SELECT count(*) FROM wal2kafka.snapshot('$table', NULL, VARIADIC '{publication_names,p}')",
		connstr => $node->connstr('postgres') . ' user=shipper');
	return $status == 0 ? $rows : 'refused';
}

my $output = check('nothing granted');
like($output, qr/^note +rows that tables have already are sent when asked for: "wal2kafka snapshot/m,
	'how to have them sent');
heed($output, 'not yet: the functions .* are not in database "postgres"');

$output = check('with the extension');
like($output, qr/^note +role "?shipper"? may not read 6 of 6 tables, .*: "In"\."B b", public\.a, public\.indexed, public\.keyless, public\.part_1, public\.part_2$/m,
	'tables that cannot be read, partitions for their roots');
is(rows_read('a'), 'refused', 'and that is so');
heed($output, 'role "?shipper"? may not read');
$output = check('with SELECT');
like($output, qr/may not read 1 of 6 tables.*: "In"\."B b"$/m, 'a schema that may not be used');
sql('GRANT USAGE ON SCHEMA "In" TO shipper');
$output = check('with USAGE');
like($output, qr/^ok +role "?shipper"? may read all of them$/m, 'everything can be read');
is(rows_read('a'), 1, 'and that is so');
is(rows_read('part_2'), 1, 'of a partition, too');
like($output, qr/^note +1 table has no primary key: .*: public\.keyless$/m, 'a table without a key');
unlike($output, qr/row security|key_change/, 'nothing else is said');

sql('REVOKE SELECT ON a FROM shipper; GRANT SELECT (id) ON a TO shipper');
like(check('a column'), qr/may not read 1 of 6 tables.*: public\.a$/m, 'a column is not enough');
sql('GRANT SELECT ON a TO shipper');

sql('ALTER TABLE a ENABLE ROW LEVEL SECURITY');
$output = check('row security');
like($output, qr/^note +row security is in force .* would lack rows of 1 table: public\.a$/m, 'said');
is(rows_read('a'), 0, 'and that is so');
heed($output, 'row security');
unlike(check('BYPASSRLS'), qr/row security/, 'heeded');
is(rows_read('a'), 1, 'and that is so');

sql('REVOKE EXECUTE ON FUNCTION wal2kafka.snapshot_frames, wal2kafka.snapshot_point FROM PUBLIC');
$output = check('no EXECUTE');
heed($output, 'not yet: role "?shipper"? may not call');
unlike(check('EXECUTE'), qr/not yet/, 'heeded');

like(check('key_change', key_change => 'update'),
	qr/^note +key_change is update: .*\n +remedy: .*key_change = split/m, 'key_change');

done_testing();
