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

# [partition, lsn, seq_id, op as JSON, more fields, key]
sub lines
{
	return map {
		my ($partition, $lsn, $seq, $op, $more, $key) = @$_;
		[
			$partition,
			$key // "key of $partition",
			qq({"table_name":"t","col_names":["id","v"],"lsn":$lsn,)
			  . qq("seq_id":$seq,"op":$op)
			  . ($more || '') . '}'
		]
	} @_;
}

sub fill
{
	my (@records) = @_;
	my $name = 'history' . $topic++;

	$kafka->create_topic($name, 2);
	$kafka->produce($name, lines(@records));
	return $name;
}

sub judge
{
	my ($ledger, $options, @records) = @_;
	return check($ledger, $options, fill(@records));
}

# What the checker says of topics that are there already.
sub check
{
	my ($ledger, $options, @topics) = @_;
	my @args = ('--brokers', $kafka->brokers, @$options);

	push @args, '--ledger', spit(launch_dir() . '/ledger', $ledger)
	  if defined $ledger;
	my ($status, $output) = run_tool('checker', @args, @topics);
	note($output);
	return ($status, $output);
}

sub insert { my ($id, $v) = @_; return qq({"Insert":["$id","$v"]}); }

# The name, the address, and nothing beside it but what "also" allows.
sub found
{
	my ($what, $address, $status, $output, @also) = @_;
	my $others = join '|', map { quotemeta } $what, @also;

	is($status, 1, "$what is recognised");
	like($output, qr/^\Q$what\E: .*$address/m, "$what: its address");
	is(scalar(grep { /^[a-z ]+: / && !/^($others|read_)/ } split /\n/, $output),
		0, "$what: nothing else")
	  or diag($output);
	return;
}

sub finds
{
	my ($what, $address, $ledger, @records) = @_;
	my @also = ref $what ? @$what : $what;
	my @options = ref $records[0] eq 'HASH' ? @{ (shift @records)->{options} } : ();
	found($also[0], $address, judge($ledger, \@options, @records),
		@also[ 1 .. $#also ]);
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

my ($status, $output) = judge($ledger, [], @sound);
is($status, 0, 'a sound history passes');
like(
	$output,
	qr/^read_uncommitted: records 6, repeats 0, transactions 4, ledger 5,/m,
	'and is counted');
($status, $output) =
  judge($ledger, [], @sound[ 0 .. 3 ], @sound[ 2, 3 ], @sound[ 4, 5 ]);
is($status, 0, 'repeats pass');
like($output, qr/repeats 2,/, 'and are counted');

finds('lost', 'table t, W 104, xid 12', $ledger . "t\tW\t104\t12\n", @sound);
finds('lost', 'table t, D 9, xid 12', $ledger . "t\tD\t9\t12\n", @sound);
finds('made up', '\[1\] offset 0, lsn 10 seq_id 1, table t$',
	"t\tW\t100\t7\n", @sound[ 0, 1 ]);
finds(
	[ 'torn', 'lost' ],
	'lsn 10 has 1 of 2 changes, without table t, W 101, xid 7',
	"t\tW\t100\t7\nt\tW\t101\t7\n",
	$sound[0]);
finds('one transaction as two', 'xid 7, lsn 10 and 20',
	"t\tW\t100\t7\nt\tW\t102\t7\n", @sound[ 0, 2 ]);
finds('two transactions as one', 'lsn 10, table t, W 101, xid 8',
	"t\tW\t100\t7\nt\tW\t101\t8\n", @sound[ 0, 1 ]);
finds('reordered', '\[0\] offset 1, lsn 10 seq_id 0', undef,
	@sound[ 2, 0, 1, 3 ]);
finds('reordered', '\[0\] offset 1, lsn 10 seq_id 0', undef,
	[ 0, 10, 1, insert(2, 101) ], $sound[0]);
finds('duplicated but different', '\[0\] offset 3, lsn 10 seq_id 0',
	undef, @sound, [ 0, 10, 0, insert(1, 999) ]);
finds('duplicated but different', 'lsn 10 seq_id 0', undef,
	[ 0, 10, 0, insert(1, 100) ],
	[ 0, 10, 0, insert(1, 100), '', 'another key' ]);
finds('repeated in another partition',
	'\[1\] offset 0, lsn 10 seq_id 0',
	undef,
	map { [ $_, 10, 0, insert(1, 100), '', 'same' ] } 0, 1);
finds('gap in the sequence', 'lsn 10 seq_id 1', undef, @sound[ 1 .. 3 ]);
finds('gap in the sequence', 'lsn 10 seq_id 2',
	undef, $sound[0], [ 0, 10, 2, insert(2, 101) ]);
finds('key in another partition', '\[1\] offset 0, lsn 20 seq_id 0',
	undef,
	[ 0, 10, 0, insert(1, 100), '', 'same' ],
	[ 1, 20, 0, insert(1, 101), '', 'same' ]);
is((judge(undef, ['--growing'], [ 0, 10, 0, insert(1, 100), '', 'same' ],
	[ 1, 20, 0, insert(1, 101), '', 'same' ]))[0],
	0, 'unless partitions were added');
finds(
	'not in every partition', '\[0\] offset 0, lsn 10 seq_id 0',
	undef, [ 0, 10, 0, '{"Truncate":null}' ]);
is((judge(undef, [], map { [ $_, 10, 0, '{"Truncate":null}', '', 'same' ] } 0, 1))[0],
	0, 'a record for every partition is in all');

# rows that a snapshot found: in no ledger, in the order of all others, with an
# LSN of their own
sub copied { return [ @_[ 0 .. 2 ], insert(@_[ 3, 4 ]), ',"snapshot":true', $_[5] ]; }
my @copied =
  (copied(0, 11, 7, 3, 90), copied(1, 11, 9, 4, 91), copied(0, 35, 10, 1, 102));
my @among = (@sound[ 0, 1 ], @copied[ 0, 1 ], @sound[ 2, 3 ], $copied[2], @sound[ 4, 5 ]);
($status, $output) = judge($ledger, [], @among);
is($status, 0, 'a snapshot among the changes passes');
like($output, qr/records 9, repeats 0, transactions 4, .* of snapshots 3,/,
	'and is counted');
($status, $output) = judge($ledger, [], @among[ 0 .. 4 ], @among[ 2 .. 8 ]);
is($status, 0, 'and repeated');
finds(
	'snapshot not above what is before it',
	'\[0\] offset 1, lsn 11 seq_id 7', undef, $sound[2], $copied[0]);
finds(
	'snapshot not above what is before it',
	'\[0\] offset 1, lsn 35 seq_id 9',
	undef, $copied[2], copied(0, 35, 9, 5, 92));
finds('reordered', '\[0\] offset 1, lsn 20 seq_id 0', undef, $copied[2], $sound[2]);
finds(
	'snapshot inside a transaction', '\[0\] offset 1, lsn 10 seq_id 2',
	undef, $sound[0], copied(0, 10, 2, 3, 90), $sound[1]);
finds('gap in the sequence', 'lsn 20 seq_id 1', undef,
	$copied[0], [ 0, 20, 1, insert(2, 101) ]);
finds('duplicated but different', '\[0\] offset 2, lsn 11 seq_id 7',
	undef, @copied[ 0, 2 ], copied(0, 11, 7, 3, 93));
finds('repeated in another partition', '\[1\] offset 0, lsn 11 seq_id 7',
	undef, map { copied($_, 11, 7, 3, 90, 'same') } 0, 1);
finds('key in another partition', '\[1\] offset 0, lsn 20 seq_id 0',
	undef,
	copied(0, 11, 7, 3, 90, 'same'),
	[ 1, 20, 0, insert(3, 101), '', 'same' ]);
finds('lost', 'table t, W 90, xid 6', "t\tW\t90\t6\n", $copied[0]);

# Java: murmur2("same") % 2 is 1
my %murmur = (options => ['--murmur2']);
finds('wrong partition', '\[0\] offset 0, lsn 10 seq_id 0', undef,
	\%murmur, [ 0, 10, 0, insert(1, 100), '', 'same' ]);

my %unreadable = (
	'a number' => '7',
	'no value' => undef,
	'half of it' => '{"table_name":"t","col_names":["id"],"lsn":1',
	'no lsn' => '{"table_name":"t","col_names":["id"],"seq_id":0,"op":{"Insert":["1"]}}',
	'two of a field' =>
	  '{"table_name":"t","lsn":1,"lsn":1,"col_names":["id"],"seq_id":0,"op":{"Insert":["1"]}}',
	'a row too short' =>
	  '{"table_name":"t","col_names":["id","v"],"lsn":1,"seq_id":0,"op":{"Insert":["1"]}}',
	'a snapshot that deletes' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Delete":["1"]},"snapshot":true}',
	'a number in a row' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":[1]}}',
	'half a character' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["\ud800"]}}',
	'bytes that are no UTF-8' =>
	  qq({"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["\xc0\xaf"]}}),
	'two operations' =>
	  '{"table_name":"t","col_names":["id"],"lsn":1,"seq_id":0,"op":{"Insert":["1"],"Delete":["1"]}}');
for my $case (sort keys %unreadable)
{
	my $name = 'unreadable' . $topic++;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, [ 0, 'k', $unreadable{$case} ]);
	note($case);
	found('unreadable', "$name \\[0\\] offset 0", check(undef, [], $name));
}

# a witness's file: the slot was confirmed when the partitions ended so
sub witnessed
{
	my ($confirmed, @ends) = @_;
	my $name = fill(@sound[ 0 .. 3 ]);
	my $file = spit(launch_dir() . '/witness',
		join("\t", $confirmed, map { ($name, $_, $ends[$_]) } 0, 1) . "\n");
	return check(undef, [ '--witness', $file ], $name);
}
is((witnessed(20, 1, 1))[0], 0, 'what is there may be confirmed');
is((witnessed(31, 2, 2))[0], 0, 'all of it');
found('confirmed before acknowledged',
	'\[0\] offset 1, lsn 20 seq_id 0, table t; confirmed was 21',
	witnessed(21, 1, 2));
found('confirmed before acknowledged',
	'\[1\] offset 0, lsn 10 seq_id 1', witnessed(11, 1, 0));

{
	my $name = fill($sound[0], copied(0, 11, 7, 3, 90));
	my $file = spit(launch_dir() . '/witness', "20\t$name\t0\t1\n");
	is((check(undef, [ '--witness', $file ], $name))[0],
		0, 'a row that a snapshot has still to copy holds up no slot');
}

# the next round reads on, and remembers
{
	my $name = fill(@sound[ 0, 1 ]);
	my @keep = ('--keep', launch_dir() . '/history');
	is((check(undef, \@keep, $name))[0], 0, 'a first round');
	$kafka->produce($name, lines(@sound[ 2, 3 ]));
	($status, $output) = check(undef, \@keep, $name);
	is($status, 0, 'a second one');
	like($output, qr/records 4, repeats 0/, 'knows both');
	$kafka->produce($name, lines([ 0, 10, 0, insert(1, 999) ]));
	found('duplicated but different',
		'offset 2, lsn 10 seq_id 0', check(undef, \@keep, $name));
  SKIP:
	{
		skip 'the mock deletes no topics', 3 if $kafka->is_mock;
		$kafka->delete_topic($name);
		$kafka->create_topic($name, 2);
		found('vanished', "$name \\[0\\] ends at offset 0, was read up to 3",
			check(undef, \@keep, $name), 'duplicated but different');
	}
}

# Kafka's transactions, of which the two kinds of readers see different things
sub transact
{
	my ($name, $end, @records) = @_;
	my $input = join '', map { join("\t", @$_) . "\n" } lines(@records);
	run_tool('transact', $kafka->brokers, "id-$name", $end, $name, \$input);
	return;
}

SKIP:
{
	skip 'the mock knows no isolation levels', 20 if $kafka->is_mock;
	my $name = fill();
	transact($name, 'abort', @sound[ 0, 1 ]);
	transact($name, 'commit', @sound[ 0 .. 3 ]);
	($status, $output) = check($ledger, ['--exactly-once'], $name);
	transact($name, 'commit', @sound[ 4, 5 ]);
	found('lost', 'W 103, xid 11, at read_committed', $status, $output);
	($status, $output) = check($ledger, ['--exactly-once'], $name);
	is($status, 0, 'an aborted try passes');
	like(
		$output,
		qr/^read_uncommitted: records 6, repeats 2, .* aborted 2,/m,
		'one reader sees it');
	like(
		$output,
		qr/^read_committed: records 6, repeats 0,/m,
		'the other does not');

	transact($name, 'commit', $sound[5]);
	found('more than once', '\[0\] offset \d+, lsn 40 seq_id 1.*, at read_committed',
		check($ledger, ['--exactly-once'], $name));
	is((check($ledger, [], $name))[0], 0, 'at least once allows that');

	$name = fill(@sound[ 0, 1 ]);
	transact($name, 'abort', $sound[2]);
	$kafka->produce($name, lines($sound[3]));
	found('only aborted', '\[0\] offset \d+, lsn 20 seq_id 0', check(undef, [], $name));

	$name = fill($sound[0]);
	transact($name, 'abort', $sound[1]);
	found(
		'torn', 'lsn 10 has 1 of 2 changes.*, at read_committed',
		check("t\tW\t100\t7\nt\tW\t101\t7\n", [], $name), 'lost', 'only aborted');

	$name = fill($sound[0]);
	transact($name, 'abort', copied(1, 11, 7, 3, 90));
	$kafka->produce($name, lines(copied(1, 35, 8, 3, 90)));
	is((check(undef, [], $name))[0], 0, 'a row that was copied again may be aborted');

	# what is undecided is judged when it is decided
	$name = fill($sound[0]);
	my @keep = ('--keep', launch_dir() . '/undecided');
	transact($name, 'leave', $sound[1]);
	is((check(undef, \@keep, $name))[0], 0, 'undecided records accuse no one');
	$kafka->delete_topic($name);
	$kafka->create_topic($name, 2);
	$kafka->produce($name, lines($sound[0], [ 1, 10, 1, insert(2, 999) ]));
	found('inconsistent offset', '\[1\] offset 0, lsn 10 seq_id 1',
		check(undef, \@keep, $name));
}

# --- the strict consumer ---
my $node = new_server('copy');
$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE keyless (a int, b bool, c char(3));
CREATE TABLE identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
EOF

sub consume
{
	my (@args) = @_;
	my ($code, $text) =
	  run_tool('strict_consumer', '--brokers', $kafka->brokers,
		'--database', $node->connstr('postgres'),
		'--until-end', @args);
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

# a row that is there already is what a snapshot beside the stream may bring, and
# one before it must not
{
	my $copies = fill([ 0, 10, 0, insert(20, 'x') ], copied(0, 11, 7, 20, 'y'),
		copied(0, 11, 7, 20, 'z'), copied(0, 11, 6, 20, 'z'));
	($status, $output) = consume($copies);
	is($status, 0, 'an insert is an upsert');
	like($output, qr/applied 2, dropped 2,/, 'in the order of the drop rule');
	is($node->safe_psql('postgres', 'SELECT v FROM t WHERE id = 20'),
		'y', 'the greater one has won');
	($status, $output) = consume('--plain-insert', '--name', 'plain', $copies);
	isnt($status, 0, 'unless it is to be a plain one');
	like($output, qr/duplicate key/, 'which says so');
}

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
