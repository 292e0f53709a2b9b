# The judges themselves: each kind of broken history is recognised, a sound one
# passes, and the strict consumer takes nothing but the contract.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $topic = 0;

# [partition, lsn, seq_id, op as JSON, more fields]
sub fill
{
	my (@records) = @_;
	my $name = 'history' . $topic++;

	$kafka->create_topic($name, 2);
	$kafka->produce(
		$name,
		map {
			my ($partition, $lsn, $seq, $op, $more) = @$_;
			[
				$partition, 'k',
				qq({"table_name":"t","col_names":["id","v"],"lsn":$lsn,)
				  . qq("seq_id":$seq,"op":$op)
				  . ($more || '') . '}'
			]
		} @records);
	return $name;
}

sub judge
{
	my ($ledger, @records) = @_;
	my $name = fill(@records);
	my @args = ('--brokers', $kafka->brokers);

	push @args, '--ledger', spit(launch_dir() . '/ledger', $ledger)
	  if defined $ledger;
	my ($status, $output) = run_tool('checker', @args, $name);
	note($output);
	return ($status, $output);
}

sub insert { my ($id, $v) = @_; return qq({"Insert":["$id","$v"]}); }

sub finds
{
	my ($what, $ledger, @records) = @_;
	my ($status, $output) = judge($ledger, @records);
	is($status, 1, "$what is recognised");
	like($output, qr/^\Q$what\E: /m, "$what is named");
	return;
}

# --- the checker ---
my @sound = (
	[ 0, 10, 0, insert(1, 100) ],
	[ 1, 10, 1, insert(2, 101) ],
	[ 0, 20, 0, '{"Update":[["1",null],["1","102"]]}' ],
	[ 1, 30, 0, '{"Delete":["2",null]}' ],
	[ 1, 40, 0, '{"Delete":["1",null]}', ',"key_change":true' ],
	[ 0, 40, 1, insert(5, 103), ',"key_change":true' ]);
my $ledger =
  "t\tW\t100\t7\nt\tW\t101\t7\nt\tW\t102\t8\nt\tD\t2\t9\nt\tW\t103\t11\n";
my @tail = @sound[ 0 .. 3 ];

my ($status, $output) = judge($ledger, @sound);
is($status, 0, 'a sound history passes');
like(
	$output,
	qr/^records 6, repeats 0, transactions 4, ledger 5,/m,
	'and is counted');
($status, $output) =
  judge($ledger, @sound[ 0 .. 3 ], @sound[ 2, 3 ], @sound[ 4, 5 ]);
is($status, 0, 'repeats pass');
like($output, qr/repeats 2,/, 'and are counted');

finds('lost', $ledger . "t\tW\t104\t12\n", @sound);
finds('phantom', "t\tW\t100\t7\n", @sound[ 0, 1 ]);
finds('gaps', undef, @sound[ 1 .. 3 ]);
finds('out of order', undef, @sound[ 2, 0, 1, 3 ]);
finds('differing repeats', undef, @sound, [ 0, 10, 0, insert(1, 999) ]);
finds(
	'differing repeats',
	undef,
	@sound[ 0, 1 ],
	[ 1, 10, 0, insert(1, 100) ]);
finds('torn transactions', "t\tW\t100\t7\nt\tW\t101\t8\n", @sound[ 0, 1 ]);
finds('torn transactions', "t\tW\t100\t7\nt\tW\t102\t7\n", @sound[ 0, 2 ]);
finds('unreadable', undef, [ 0, 10, 0, '7' ]);

# --- the strict consumer ---
my $node = new_server('copy');
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE keyless (a int, b bool, c char(3));
CREATE TABLE identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
EOF

sub consume
{
	my (@topics) = @_;
	my ($code, $text) =
	  run_tool('strict_consumer', '--brokers', $kafka->brokers,
		'--database', $node->connstr('postgres'),
		'--until-end', @topics);
	note($text);
	return ($code, $text);
}

my $name = fill(@sound[ 0 .. 3 ], @sound[ 0 .. 3 ]);
($status, $output) = consume($name);
is($status, 0, 'the contract is taken');
like($output, qr/applied 4, dropped 4, found no row 0/,
	'repeats are dropped');
is($node->safe_psql('postgres', 'TABLE t'),
	'1|102', 'and the effect is there');
$kafka->produce(
	$name,
	[
		0,
		'k',
		'{"seq_id":0,"op":{"Insert":["7","x"]},"x":[1.5],"lsn":50,'
		  . '"col_names":["id","v"],"table_name":"t"}'
	]);
($status, $output) = consume($name);
like(
	$output,
	qr/applied 1, dropped 0/,
	'the position is kept, other fields ignored');

$name = 'keyless';
$kafka->create_topic($name, 1);
my $row = '["1","f","x  "]';
$kafka->produce(
	$name,
	map {
		my $op = $_->[1];
		[
			0, undef,
			qq({"table_name":"keyless","col_names":["a","b","c"],"lsn":$_->[0],"seq_id":0,"op":$op})
		]
	} [ 1, qq({"Insert":$row}) ],
	[ 2, qq({"Insert":$row}) ],
	[ 3, qq({"Update":[$row,["2",null,null]]}) ],
	[ 4, '{"Delete":["2",null,null]}' ]);
($status, $output) = consume($name);
is($node->safe_psql('postgres', 'TABLE keyless'),
	'1|f|x  ', 'one row is found by the whole old row');
like($output, qr/found no row 0/, 'each time');

$name = 'identity';
$kafka->create_topic($name, 1);
$kafka->produce(
	$name,
	[
		0,
		undef,
		'{"table_name":"identity","col_names":["id","v"],"lsn":1,"seq_id":0,"op":{"Insert":["3","x"]}}'
	]);
consume($name);
is($node->safe_psql('postgres', 'TABLE identity'),
	'3|x', 'identity columns are written');

my %refused = (
	'null value' => undef,
	'no JSON' => 'x',
	'fourth operation' =>
	  '{"table_name":"t","col_names":[],"lsn":1,"seq_id":0,"op":{"Truncate":null}}',
	'two operations' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["1"],"Delete":["1"]}}',
	'number in a row' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":[1]}}',
	'boolean in a row' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":[true]}}',
	'lsn as a string' =>
	  '{"table_name":"t","col_names":["id"],"lsn":"1","seq_id":0,"op":{"Insert":["1"]}}',
	'negative seq_id' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":-1,"op":{"Insert":["1"]}}',
	'old row null' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Update":[null,["1"]]}}',
	'duplicate field' =>
	  '{"table_name":"t","table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["1"]}}',
	'lone surrogate' =>
	  '{"table_name":"t","col_names":["id","v"],"lsn":1,"seq_id":0,"op":{"Insert":["1","\ud800"]}}',
	'row too short' =>
	  '{"table_name":"t","col_names":["id","v"],"lsn":1,"seq_id":0,"op":{"Insert":["1"]}}',
	'missing lsn' =>
	  '{"table_name":"t","col_names":["id"],"seq_id":0,"op":{"Insert":["1"]}}',
	'unknown table' =>
	  '{"table_name":"u","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["1"]}}',
	'key column absent' =>
	  '{"table_name":"t","col_names":["v"],"lsn":1,"seq_id":0,"op":{"Delete":["1"]}}',
	'value not of type' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["x"]}}'
);

for my $case (sort keys %refused)
{
	my $bad = 'bad' . $topic++;
	$kafka->create_topic($bad, 1);
	$kafka->produce($bad, [ 0, 'k', $refused{$case} ]);
	my ($code) = consume($bad);
	isnt($code, 0, "refused: $case");
}

done_testing();
