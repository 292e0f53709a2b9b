# Whatever the database's encoding, records are JSON in valid UTF-8, names and
# topics too, as frames and as text, through a walsender and SQL, of the stream
# and of a snapshot.  A byte that cannot be converted is taken for the LATIN1
# character of its number; it never stops the slot.
use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Generator::Records qw(read_frame);
use Test::More;

my $server = new_extension_server('encodings', conf => "autovacuum = off\n");
my $latin1 = join '', map { chr } 0xa0 .. 0xff;

# Bytes as the server stores them, and the characters that must come out.
# "name" becomes a part of every name.
my @databases = (
	{
		encoding => 'UTF8',
		name     => [ "\xc3\xa9\xe2\x82\xac", "\x{e9}\x{20ac}" ],
		values   => [
			[ "\xf0\x9f\x98\x80\xef\xbf\xbd\xc2\x80", "\x{1f600}\x{fffd}\x{80}" ],
			[ "\xe2\x80\xa8\xef\xbb\xbf\"\\", "\x{2028}\x{feff}\"\\" ]
		]
	},
	{
		encoding => 'LATIN1',
		name     => [ "\xdf\xff\x80\xe9", "\x{df}\x{ff}\x{80}\x{e9}" ],
		values   => [ [ $latin1, $latin1 ], [ "\"\\\x80\x9f\n", "\"\\\x{80}\x{9f}\n" ] ]
	},
	{
		# 81, 8d, 8f, 90 and 9d are nothing
		encoding => 'WIN1252',
		name     => [ "\x80\x9f", "\x{20ac}\x{178}" ],
		values   => [ [ "\x81a\x8d\x8f\x80\x90b\x9d", "\x{81}a\x{8d}\x{8f}\x{20ac}\x{90}b\x{9d}" ] ]
	},
	{
		# row 9 of JIS X 0208 is empty; 8f: JIS X 0212
		encoding => 'EUC_JP',
		name     => [ "\xc6\xfc\xcb\xdc", "\x{65e5}\x{672c}" ],
		values   => [
			[ "\xc6\xfc\x8e\xb1\x8f\xb0\xa1", "\x{65e5}\x{ff71}\x{4e02}" ],
			[ "\xc6\xfc\xa9\xa1x\xaf\xfe\xcb\xdc", "\x{65e5}\x{a9}\x{a1}x\x{af}\x{fe}\x{672c}" ],
			# longer than what is converted at a time
			[
				'x' . "\xc6\xfc" x 9000 . "\xaf\xfe" . "\xcb\xdc" x 9000,
				'x' . "\x{65e5}" x 9000 . "\x{af}\x{fe}" . "\x{672c}" x 9000
			]
		]
	},
	{
		encoding => 'SQL_ASCII',
		name     => [ "\xc3\xa9\xe9", "\x{e9}\x{e9}" ],
		values   => [
			[ "\xc3\xa9\xe9\"\\", "\x{e9}\x{e9}\"\\" ],
			# cut off, too long, a surrogate, too large, alone
			[ "\xe2\x82",         "\x{e2}\x{82}" ],
			[ "\xc0\xaf",         "\x{c0}\x{af}" ],
			[ "\xed\xa0\x80",     "\x{ed}\x{a0}\x{80}" ],
			[ "\xf4\x90\x80\x80", "\x{f4}\x{90}\x{80}\x{80}" ],
			[ "\xf8\x88\x80\x80", "\x{f8}\x{88}\x{80}\x{80}" ],
			[ "a\x80\xf0\x9f\x98\x80\xff" x 2000, "a\x{80}\x{1f600}\x{ff}" x 2000 ]
		]
	},
	{
		# nothing converts it to UTF-8
		encoding => 'MULE_INTERNAL',
		name     => [ "\x81\xe9", "\x{81}\x{e9}" ],
		values   => [ [ "\x81\xe9x\x92\xb0\xa1", "\x{81}\x{e9}x\x{92}\x{b0}\x{a1}" ] ]
	});

# Bytes in the database's encoding, as they are.
sub sql
{
	my ($encoding, $text) = @_;
	return $server->safe_psql(lc $encoding,
		"SET client_encoding = '$encoding';\n$text");
}

# From PostgreSQL 19 on one of them is not there.
sub is_known
{
	my ($encoding) = @_;
	return $server->safe_psql('postgres',
		"SELECT pg_char_to_encoding('$encoding') >= 0") eq 't';
}

sub create_database
{
	my ($encoding) = @_;
	my $db = lc $encoding;

	$server->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding'
		LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$server->safe_psql($db,
		"SELECT pg_create_logical_replication_slot('$db', 'wal2kafka')");
	return;
}

# The first 63 bytes that are whole.
sub long_name
{
	my ($name) = @_;
	return $name x int(63 / length $name);
}

# A table with names and values in it, as key, in an array and in an enum.
sub fill
{
	my ($db) = @_;
	my $name  = $db->{name}[0];
	my $table = "\"s$name\".\"t\"\"$name\"";
	my $long  = long_name($name);
	my $id    = 0;

	sql($db->{encoding}, join ";\n",
		"CREATE SCHEMA \"s$name\"",
		"CREATE TYPE \"e$name\" AS ENUM ('l$name')",
		"CREATE TABLE $table (\"k$name\" text PRIMARY KEY, id int, e \"e$name\", a text[])",
		map { "INSERT INTO $table VALUES ('$_->[0]', " . $id++ . ", 'l$name', ARRAY['$_->[0]'])" }
		  @{ $db->{values} });
	sql($db->{encoding},
		"CREATE SCHEMA \"$long\"; CREATE TABLE \"$long\".\"$long\" (a int);
		INSERT INTO \"$long\".\"$long\" VALUES (1)");
	return;
}

# --- what came ---

# The records of all frames that pg_recvlogical wrote, each with a newline.
sub read_frames
{
	my ($bytes) = @_;
	my ($at, $known, @records) = (0, {});

	while ($at < length $bytes)
	{
		my $length = 32 + unpack 'V', substr($bytes, $at + 12, 4);
		push @records, @{ read_frame(substr($bytes, $at, $length), $known)->{records} };
		$at += $length + 1;
	}
	return @records;
}

# Dies unless these bytes are UTF-8 to the letter, and JSON.
sub decode
{
	my ($bytes) = @_;
	my $text = Encode::decode('UTF-8', $bytes, Encode::FB_CROAK | Encode::LEAVE_SRC);
	return JSON::PP->new->decode($text);
}

sub characters
{
	my ($bytes) = @_;
	return Encode::decode('UTF-8', $bytes, Encode::FB_CROAK | Encode::LEAVE_SRC);
}

sub receive
{
	my ($slot, @options) = @_;
	my $file = launch_dir() . "/$slot.out";
	my $end  = $server->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

	unlink $file;
	# what it confirms is nothing: --endpos alone would move the slot
	$server->safe_psql($slot, "SELECT pg_copy_logical_replication_slot('$slot', 'copy')");
	$server->command_ok(
		[
			'pg_recvlogical', '-d', $server->connstr($slot), '-S', 'copy', '--start',
			'-f', $file, '--endpos', $end, '--no-loop', @options
		],
		"$slot: received @options");
	$server->safe_psql($slot, "SELECT pg_drop_replication_slot('copy')");
	return slurp($file);
}

# Of a table or a schema, from its characters.
sub escaped
{
	my ($name) = @_;
	return join '',
	  map { /[A-Za-z0-9_]/ ? $_ : sprintf '-%02x', ord } split //,
	  Encode::encode('UTF-8', $name);
}

sub array_text
{
	my ($value) = @_;
	$value =~ s/(["\\])/\\$1/g;
	return $value =~ /["\\\n]/ ? "{\"$value\"}" : "{$value}";
}

# Key, topic and value of a record, but for what tells its place.
sub bare
{
	my ($record) = @_;
	my $value = $record->{value};

	$value =~ s/"lsn":\d+,"seq_id":\d+,//;
	$value =~ s/,"commit_ts":"[^"]*"(,"snapshot":true)?//;
	return [ $record->{key}, $record->{table}{topic}, $record->{table}{name}, $value ];
}

# The records of a snapshot of the table.
sub snapshot
{
	my ($db)  = @_;
	my $name  = $db->{name}[0];
	my $table = "\"s$name\".\"t\"\"$name\"";

	sql($db->{encoding}, 'CREATE EXTENSION wal2kafka');
	return map { @{ read_frame(pack('H*', $_), {})->{records} } } split /\n/,
	  sql($db->{encoding}, "SELECT encode(f, 'hex')
		FROM wal2kafka.snapshot_frames('$table', 'e = ''l$name''', '0/0', 0) f");
}

sub check
{
	my ($db) = @_;
	my $slot  = lc $db->{encoding};
	my $name  = $db->{name}[1];
	my @rows  = @{ $db->{values} };
	my @framed = read_frames(receive($slot, '-o', 'proto_version=1', '-o', 'flush=commit'));
	my $text   = receive($slot);
	my @lines  = split /\n/, $text;
	my ($long) = splice @framed, @rows;

	is(scalar @framed, scalar @rows, "$slot: a record for each row");
	my $wrong = 0;
	for my $i (0 .. $#rows)
	{
		my ($record, $value) = ($framed[$i], $rows[$i][1]);
		my $json = decode($record->{value});
		my @got = ($json->{schema}, $json->{table_name}, @{ $json->{col_names} },
			@{ $json->{op}{Insert} }, characters($record->{key}));
		my @expected = ("s$name", "t\"$name", "k$name", 'id', 'e', 'a', $value, $i,
			"l$name", array_text($value), $value);

		is_deeply(\@got, \@expected, "$slot: record $i");
		is_deeply(decode($lines[$i]), $json, "$slot: line $i");
	}
	is($framed[0]{table}{topic}, escaped("s$name") . '.' . escaped("t\"$name"),
		"$slot: topic");
	is(characters($framed[0]{table}{name}), "t\"$name", "$slot: announced name");
	is(decode($long->{value})->{table_name}, long_name($name), "$slot: a name of 63 bytes")
	  if $db->{encoding} eq 'LATIN1';
	like($long->{table}{topic}, qr/^.{232}-[0-9a-f]{16}$/, "$slot: its topic")
	  if length(escaped(decode($long->{value})->{table_name})) > 124;
	unlike($text, qr/[\x80-\xff]/, "$slot: text is ASCII") if $db->{encoding} ne 'UTF8';
	is(sql($db->{encoding}, "SELECT data FROM pg_logical_slot_peek_changes('$slot', NULL, NULL)"),
		join("\n", @lines), "$slot: SQL as a walsender");
	is_deeply(
		[ map { bare($_) } snapshot($db) ],
		[ map { bare($_) } @framed ],
		"$slot: a snapshot has the same bytes");
	return;
}

for my $db (@databases)
{
	next if !is_known($db->{encoding});
	create_database($db->{encoding});
	fill($db);
	check($db);
}

# --- UTF8 too may hold what is not: by a cast without a function, say ---
$server->safe_psql('utf8', <<'SQL');
CREATE CAST (bytea AS text) WITHOUT FUNCTION;
CREATE TABLE cast_text (t text PRIMARY KEY, a text[], c "char");
INSERT INTO cast_text SELECT t, ARRAY[t], (-100)::"char"
	FROM (SELECT '\x61e9ff62c3a9'::bytea::text AS t) s;
SQL
my $last = (read_frames(receive('utf8', '-o', 'proto_version=1',
	'-o', 'flush=commit')))[-1];
is_deeply([ decode($last->{value})->{op}{Insert}, characters($last->{key}) ],
	[ [ "a\x{e9}\x{ff}b\x{e9}", "{a\x{e9}\x{ff}b\x{e9}}", '\\234' ], "a\x{e9}\x{ff}b\x{e9}" ],
	'what is no UTF-8 in a UTF8 database');

done_testing();
