# Records larger than Kafka takes: the stream halts and says how to go on; one
# record by its name, or all by on_error, go out as stubs, and a consumer that
# knows the five fields alone keeps a copy that is equal in all that was sent.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka  = Wal2Kafka::Kafka->new;
my $node   = new_server('source');
my @topics = qw(public.doc public.whole public.loose);
my $limit  = 20_000;

$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql($_, <<'EOF') for 'postgres', 'copy';
CREATE TABLE doc (id int PRIMARY KEY, body text, n int);
CREATE TABLE whole (id int PRIMARY KEY, body text, n int);
CREATE TABLE loose (id int, body text, n int);
EOF
$node->safe_psql('postgres', <<'EOF');
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE loose REPLICA IDENTITY FULL;
CREATE PUBLICATION p FOR TABLE doc, whole, loose;
CREATE FUNCTION noise(n int) RETURNS text LANGUAGE sql AS
$$ SELECT left(string_agg(md5(random()::text), ''), n) FROM generate_series(1, n / 32 + 1) $$;
EOF
$kafka->create_topic($_, 2) for @topics;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub shipper
{
	my ($slot, %options) = @_;
	return Wal2Kafka::Shipper->new(
		node        => $node,
		kafka       => $kafka,
		slot        => $slot,
		publication => 'p',
		options     => { max_record => "${limit}B", %options });
}

# What was sent again before it could be confirmed is left out.
sub once
{
	my %seen;
	return grep { !$seen{"@{ $_->{json} }{qw(lsn seq_id)}"}++ } @_;
}

sub consume
{
	my ($what) = @_;
	my ($status, $output) = run_tool(
		'strict_consumer',
		'--brokers', $kafka->brokers,
		'--database', $node->connstr('copy'),
		'--until-end', @topics);
	is($status, 0, "the consumer takes $what") or diag($output);
	note($output);
	return $output;
}

sub same_in
{
	my ($what, %columns) = @_;
	for my $table (sort keys %columns)
	{
		my $query = "(SELECT $columns{$table} FROM $table)";
		is(
			checksum($node, 'copy', $query),
			checksum($node, 'postgres', $query),
			"$table is equal in $columns{$table}: $what");
	}
	return;
}

my $shipper = shipper('main');
$shipper->init;
sql(qq{SELECT pg_copy_logical_replication_slot('main', 'again')});

# --- halt ---
sql(q{INSERT INTO doc VALUES (1, 'small', 1)});
sql(
	q{BEGIN;
	INSERT INTO doc VALUES (2, 'before', 1);
	INSERT INTO doc VALUES (3, 'secret' || noise(30000), 1);
	INSERT INTO doc VALUES (4, 'behind', 1);
	COMMIT});
$shipper->start;
is($shipper->wait_exit, 3, 'a record that is too large: status 3');
my $log = $shipper->log;
like(
	$log,
	qr/record of table "public\.doc" is larger than $limit bytes: column "body" has 30006/,
	'table, limit, column and size are named');
like(
	$log,
	qr{record [0-9A-F]+/[0-9A-F]+/1 \(commit LSN, seq_id\); key columns: "id"},
	'its name and the key columns');
my ($name) = $log =~ m{stub = ([0-9A-F]+/[0-9A-F]+/1) in \[wal2kafka\]};
ok($name, 'and how to let it through');
unlike($log . slurp($node->logfile), qr/secret[0-9a-f]/, 'no value is in a log');
is_deeply([ sort map { $_->{key} } $kafka->records('public.doc') ],
	[ 1, 2 ], 'what is before it has arrived');
like(
	$log,
	qr/left off inside the transaction with the commit LSN/,
	'which is told: other records must not take the numbers of those');

# --- this one record, from the environment as README says ---
sql(q{INSERT INTO doc VALUES (5, noise(30000), 1)});
{
	local $ENV{WAL2KAFKA_WAL2KAFKA_STUB} = $name;
	$shipper->start;
	is($shipper->wait_exit, 3, 'one record is named, the next halts again');
}
like(
	$shipper->log,
	qr{record \Q$name\E of table public\.doc is a stub},
	'the stub is logged by name');
is_deeply([ sort map { $_->{key} } once($kafka->records('public.doc')) ],
	[ 1 .. 4 ], 'it and its transaction have arrived');
my ($stub) = grep { $_->{key} eq '3' } $kafka->records('public.doc');
is_deeply(
	[ @{ $stub->{json} }{qw(col_names seq_id op omitted)} ],
	[ [qw(id n)], 1, { Insert => [qw(3 1)] }, { body => 30006 } ],
	'the stub says what it lacks');
consume('a stub');
is($node->safe_psql('copy', 'SELECT id, body IS NULL FROM doc ORDER BY id'),
	"1|f\n2|f\n3|t\n4|f", 'and has the row without the value');

# --- all of them ---
sql($_)
  for
  # NEW fits once OLD is cut to the key
  q{INSERT INTO whole SELECT g, noise(12000), g FROM generate_series(1, 5) g},
  q{UPDATE whole SET body = noise(15000), n = n + 100},
  # neither fits
  q{UPDATE whole SET body = noise(40000), n = n + 1 WHERE id < 3},
  q{DELETE FROM whole WHERE id = 1},
  q{UPDATE whole SET id = 20, n = 7 WHERE id = 2},
  # whole again
  q{UPDATE whole SET body = 'short' WHERE id = 20},
  # what an update did not touch is no stub
  q{UPDATE doc SET n = 2},
  # without a key, what is found by OLD must have been sent
  q{INSERT INTO loose SELECT g, noise(12000), g FROM generate_series(1, 4) g},
  q{UPDATE loose SET body = noise(13000), n = n + 10},
  q{DELETE FROM loose WHERE id = 1},
  q{UPDATE loose SET body = noise(40000), n = n + 10 WHERE id = 2},
  q{UPDATE loose SET n = 0 WHERE id = 2},
  q{UPDATE loose SET body = 'short' WHERE id = 2},
  q{UPDATE loose SET body = noise(40000) WHERE id = 3},
  q{DELETE FROM loose WHERE id = 3};
$shipper->configure($shipper->config_text . "on_error = stub\n");
$shipper->start;
wait_for_slot($node, 'main');
my $left = $shipper->log_size;
is($shipper->stop, 0, 'with on_error = stub all of it arrives');
unlike(substr($shipper->log, $left),
	qr/left off inside/, 'and no transaction in part');
my @records = once($kafka->records(@topics));
my @too_large = grep { length($_->{value}) + length($_->{key} // '') > $limit } @records;
is(scalar(@too_large), 0, 'no record is larger than the limit');
is_deeply(
	[
		sort map { join ' ', $_->{json}{table_name}, keys %{ $_->{json}{op} } }
		  grep { $_->{json}{omitted} } @records
	],
	[
		('doc Insert') x 2,
		('loose Delete') x 3,
		('loose Insert') x 3,
		'whole Insert',
		('whole Update') x 2
	],
	'columns are left out where nothing else helps');
my $output = consume('all stubs');
like($output, qr/found no row 0$/m, 'and finds every row');
same_in(
	'stubs',
	doc   => 'id, n',
	whole => 'id, n',
	loose => 'id, n');
same_in(
	'what fits, or fits again',
	whole => 'id, body, n',
	loose => 'id, body, n');

# --- the same bytes again, from another slot and a killed shipper ---
my $again = shipper('again', on_error => 'stub');
my $before = $kafka->count(@topics);
$again->start;
$kafka->wait_for_count($before + 1, @topics);
$again->kill9;
$again->start;
wait_for_slot($node, 'again');
$again->stop;
cmp_ok($kafka->count(@topics), '>=', $before + @records, 'all are repeated');
my ($status, $checked) =
  run_tool('checker', '--brokers', $kafka->brokers, @topics);
is($status, 0, 'repeats are the same bytes, numbers have no gap')
  or diag($checked);

# --- without a key a row is whole in all of its records, or in none ---
my ($whole) = grep { !$_->{json}{omitted} && $_->{json}{op}{Insert} }
  $kafka->records('public.loose');
my $room =
  $limit - length($whole->{value}) + length $whole->{json}{op}{Insert}[1];
sql(join '', map { <<"EOF" } grep { $_ % 3 == 0 } -6 .. 72);
INSERT INTO loose VALUES (100 + $_, noise($room - $_), 1);
UPDATE loose SET n = 2 WHERE id = 100 + $_;
DELETE FROM loose WHERE id = 100 + $_;
EOF
$shipper->start;
wait_for_slot($node, 'main');
is($shipper->stop, 0, 'rows of about the largest size arrive');
$output = consume('rows of about the largest size');
like($output, qr/found no row 0$/m, 'and finds every row');
same_in('rows of about the largest size', loose => 'id, n');

# --- and a name stands for both halves of an update ---
$shipper->configure($shipper->config_text);
sql(q{UPDATE loose SET body = noise(40000), n = n + 1 WHERE id = 4});
my $from = $shipper->log_size;
$shipper->start;
is($shipper->wait_exit, 3, 'an update without a key: status 3');
($name) = substr($shipper->log, $from) =~ m{stub = (\S+) in};
$shipper->configure($shipper->config_text . "stub = $name\n");
$shipper->start;
wait_for_slot($node, 'main');
is($shipper->stop, 0, 'its name lets all of it through');
$output = consume('both halves');
like($output, qr/found no row 0$/m, 'and finds every row');
same_in('both halves', loose => 'id, n');

# --- a key that is too large: named it is dropped, the next takes its number ---
my $route = "[route public.keyed]\ntopic = keyed\nkey = k\n";
sql(<<'EOF');
CREATE TABLE keyed (id int PRIMARY KEY, k text);
ALTER TABLE keyed REPLICA IDENTITY FULL;
ALTER PUBLICATION p ADD TABLE keyed;
BEGIN;
INSERT INTO keyed VALUES (1, repeat('k', 30000)), (2, repeat('k', 30000)), (3, 'k');
COMMIT;
EOF
$kafka->create_topic('keyed', 1);
$from = $shipper->log_size;
$shipper->configure($shipper->config_text . "on_error = stub\n$route");
$shipper->start;
is($shipper->wait_exit, 3, 'on_error = stub does not lose a record');
($name) = substr($shipper->log, $from) =~ m{To lose it: stub = (\S+/0) in};
ok($name, 'the one in the way is named');
$shipper->configure($shipper->config_text . "stub = $name, $name\n$route");
$shipper->start;
wait_for_slot($node, 'main');
is($shipper->stop, 0, 'named twice, two are dropped');
is_deeply(
	[ map { [ @{ $_->{json} }{qw(seq_id op)} ] } $kafka->records('keyed') ],
	[ [ 0, { Insert => [ '3', 'k' ] } ] ],
	'and the third takes their number');
like($shipper->log, qr/record of table public\.keyed .* is dropped.*dropped 2,/s,
	'both are logged and counted');

done_testing();
