# Types of columns, and values for them, as SQL.
#
# Everything is drawn from Perl's rand(), so a seed decides.
package Wal2Kafka::Generator::Types;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(any chance between quote ident idents unhex type_names key_types value
  large_value type_setup is_large_type odd_name);

sub any     { return $_[ rand @_ ]; }
sub chance  { return rand() < $_[0]; }
sub between { my ($low, $high) = @_; return $low + int(rand($high - $low + 1)); }

sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# --- SQL ---

sub ident { my ($name) = @_; $name =~ s/"/""/g; return "\"$name\""; }

sub idents
{
	return join ', ', map { ident($_) } @_;
}
sub unhex { my ($hex) = @_; return pack 'H*', $hex; }

# What breaks those who quote, escape or split by hand.
my @pieces = (
	"'",                '"',        '\\',           "\n",
	"\r\n",             "\t",       "\x01",         "\x1f",
	"\x7f",             "\xc3\xa9", "\xe2\x82\xac", "\xe2\x80\xa8",
	"\xf0\x9f\x98\x80", '{',        '}',            '[',
	',',                '(',        ')',            '\\N',
	'\\u0000',          '\\.',      'NULL',         ' ',
	'',                 '$1',       '%s',           '</x>',
	'::',               '0',        'abc',          'Zz');

sub hostile
{
	my ($max) = @_;
	return join '', map { any(@pieces) } 0 .. rand($max);
}

sub word
{
	return join '', map { any('a' .. 'z') } 1 .. between(1, 8);
}

sub number
{
	return any(0, 1, -1, between(-99, 99), between(-30000, 30000));
}

sub date_text
{
	return
	  sprintf('%04d-%02d-%02d', between(1, 2999), between(1, 12), between(1, 28))
	  . (chance(0.1) ? ' BC' : '');
}

sub time_text
{
	return any('00:00:00', '24:00:00', '23:59:59.999999',
		sprintf('%02d:%02d:%02d.%03d', between(0, 23), between(0, 59), between(0, 59), between(0, 999)));
}

sub timestamp_text
{
	return any('infinity', '-infinity') if chance(0.1);
	my $date = date_text();
	my $bc   = $date =~ s/ BC$// ? ' BC' : '';
	my $time = time_text();
	return "$date $time$bc";
}

sub hex_text
{
	my ($digits) = @_;
	return join '', map { any(0 .. 9, 'a' .. 'f') } 1 .. $digits;
}

sub bits
{
	my ($count) = @_;
	return join '', map { any(0, 1) } 1 .. $count;
}

sub uuid
{
	return hex_text(8) . '-' . join('-', map { hex_text(4) } 1 .. 3) . '-' . hex_text(12);
}
sub point { return '(' . any(between(-9, 9), '0.1', '1e300', '-0') . ',' . between(-9, 9) . ')'; }

sub json_text
{
	return any(
		'{}', '[]', 'null', '"a\\u0041\\n"', '1e400',
		'{"a": 1, "a": 2, "b":[1, null]}',
		'{"' . word() . '": ' . number() . '}',
		'[' . join(',', map { number() } 1 .. 4) . ']');
}

sub array_text
{
	my ($element, $quoted) = @_;
	return '{}' if chance(0.1);
	return '{' . join(
		',',
		map {
			my $text = $element->();
			if ($quoted) { $text =~ s/([\\"])/\\$1/g; $text = "\"$text\""; }
			chance(0.15) ? 'NULL' : $text
		} 1 .. between(1, 4)) . '}';
}

sub range_text
{
	my ($bound, $last) = @_;
	return 'empty' if chance(0.1);
	my ($low, $high) = (between(-50, 50), between(51, 99));
	return
		any('[', '(')
	  . (chance(0.2) ? '' : $bound->($low)) . ','
	  . (chance(0.2) ? '' : $bound->($high))
	  . any(']', ')');
}

sub mood { return any('sad', 'ok', "it''s \"fine\"", 'a,b'); }

sub composite
{
	my $text = hostile(4);
	$text =~ s/([\\"])/\\$1/g;
	return '(' . number() . ",\"$text\"," . any('', mood_in_composite()) . ')';
}
sub mood_in_composite { return any('sad', 'ok'); }

# name => [how to write it, a text for its input, may be in a key]; the text is
# quoted when it becomes a literal.
my %types = (
	bool   => [ 'boolean', sub { any('t', 'f') } ],
	int2   => [ 'smallint', sub { number() }, 1 ],
	int4   => [ 'integer',  sub { any(number(), 2147483647,            -2147483648) },            5 ],
	int8   => [ 'bigint',   sub { any(number(), '9223372036854775807', '-9223372036854775808') }, 3 ],
	float4 => [ 'real', sub { any(number(), '0.1', '1e-30', 'NaN', 'Infinity', '-0', '3.4028235e38') } ],
	float8 => [
		'double precision',
		sub { any(number(), '0.1', '1e-300', 'NaN', '-Infinity', '-0', '1.7976931348623157e308') } ],
	numeric => [
		'numeric',
		sub {
			any(number(), '1.0', '1.00', 'NaN', 'Infinity', '-Infinity', '1e-50', '1e130',
				number() . '.' . between(0, 999999));
		},
		1 ],
	numeric_2 => [ 'numeric(12,2)', sub { number() . '.' . between(0, 99) }, 1 ],
	money     => [ 'money', sub { number() . '.' . between(10, 99) } ],
	text      => [ 'text', sub { chance(0.5) ? hostile(8) : word() }, 3 ],
	varchar   => [ 'character varying(80)', sub { chance(0.5) ? hostile(8) : word() }, 1 ],
	bpchar    => [ 'character(12)', sub { word() }, 1 ],
	onechar   => [ '"char"', sub { any('a', '', 'Z', '"', '\\', "\xc3\xa9") } ],
	name      => [ 'name',   sub { hostile(4) } ],
	bytea     => [ 'bytea', sub { '\\x' . hex_text(2 * between(0, 9)) }, 1 ],
	bit       => [ 'bit(7)',      sub { bits(7) } ],
	varbit    => [ 'bit varying', sub { bits(between(0, 40)) } ],
	date => [ 'date',                   sub { chance(0.1) ? any('infinity', '-infinity') : date_text() }, 1 ],
	time => [ 'time without time zone', \&time_text,                                                      1 ],
	timetz      => [ 'time with time zone', sub { time_text() . any('+00', '-13:30', '+05:30:15') } ],
	timestamp   => [ 'timestamp without time zone', \&timestamp_text, 1 ],
	timestamptz => [ 'timestamp with time zone',    \&timestamp_text, 1 ],
	interval    => [
		'interval',
		sub { any('1 day', '24:00:00', '-1 year 2 mons -3 days 04:05:06.7', '0', number() . ' days') },
		1 ],
	uuid    => [ 'uuid', \&uuid, 2 ],
	json    => [ 'json',  \&json_text ],
	jsonb   => [ 'jsonb', \&json_text ],
	inet    => [ 'inet', sub { any('10.0.0.' . between(0, 255), '::1', '192.168.0.0/24') }, 1 ],
	cidr    => [ 'cidr', sub { any('10.0.0.0/8', '2001:db8::/32') } ],
	macaddr => [
		'macaddr',
		sub {
			join ':', map { hex_text(2) } 1 .. 6;
		}
	],
	macaddr8 => [
		'macaddr8',
		sub {
			join ':', map { hex_text(2) } 1 .. 8;
		}
	],
	point => [ 'point', \&point ],
	box   => [ 'box',   sub { point() . ',' . point() } ],
	path  => [
		'path',
		sub {
			'[' . join(',', map { point() } 1 .. 3) . ']';
		}
	],
	polygon => [
		'polygon',
		sub {
			'(' . join(',', map { point() } 1 .. 3) . ')';
		}
	],
	circle   => [ 'circle', sub { '<' . point() . ',' . between(0, 9) . '>' } ],
	tsvector => [
		'tsvector',
		sub {
			join ' ', map { quote(hostile(2) . 'x') . ':' . between(1, 9) } 1 .. 3;
		}
	],
	tsquery   => [ 'tsquery', sub { word() . 'x & !' . word() . 'x' } ],
	pg_lsn    => [ 'pg_lsn',  sub { uc(hex_text(3)) . '/' . uc hex_text(4) } ],
	xid8      => [ 'xid8',    sub { between(0, 99999) } ],
	oid       => [ 'oid',     sub { between(0, 99999) } ],
	regtype   => [ 'regtype', sub { any('integer', 'text[]', 'gen.mood', '-') } ],
	int4range => [
		'int4range',
		sub {
			range_text(sub { $_[0] });
		}
	],
	numrange => [
		'numrange',
		sub {
			range_text(sub { "$_[0].50" });
		}
	],
	tstzrange => [
		'tstzrange',
		sub {
			range_text(sub { sprintf '"2%03d-01-01 00:00:00+00"', $_[0] + 100 });
		}
	],
	int8multirange => [
		'int8multirange',
		sub {
			'{' . range_text(sub { $_[0] }) . ',[1000,2000)}';
		}
	],
	int4_array => [ 'integer[]', sub { array_text(\&number) } ],
	text_array => [
		'text[]',
		sub {
			array_text(sub { hostile(4) }, 1);
		},
		1 ],
	numeric_array => [
		'numeric[]',
		sub {
			'{{'
			  . join(',', map { number() } 1 .. 3) . '},{'
			  . join(',', map { any(number(), 'NaN') } 1 .. 3) . '}}';
		}
	],
	bytea_array => [
		'bytea[]',
		sub {
			array_text(sub { '\\x' . hex_text(4) }, 1);
		}
	],
	jsonb_array => [ 'jsonb[]',  sub { array_text(\&json_text, 1) } ],
	enum        => [ 'gen.mood', sub { my $m = mood(); $m =~ s/''/'/g; $m }, 1 ],
	enum_array  => [
		'gen.mood[]',
		sub {
			array_text(sub { any('sad', 'ok') });
		}
	],
	domain        => [ 'gen.positive', sub { between(1, 9999) }, 1 ],
	domain_domain => [ 'gen.small', sub { between(1, 99) }, 1 ],
	domain_text   => [ 'gen.label', sub { 'L' . hostile(5) } ],
	domain_array  => [
		'gen.label[]',
		sub {
			array_text(sub { 'L' . hostile(3) }, 1);
		}
	],
	domain_composite => [ 'gen.pair',     \&composite ],
	composite        => [ 'gen.triple',   \&composite ],
	composite_array  => [ 'gen.triple[]', sub { array_text(\&composite, 1) } ],
	user_range       => [
		'gen.span',
		sub {
			range_text(sub { $_[0] });
		}
	],

	# its labels change: by their places
	shifting_enum  => [ 'gen.shifting', sub { 'gen.label_at(' . between(0, 2) . ')' }, 0, 1 ],
	shifting_array => [
		'gen.shifting[]',
		sub { 'ARRAY[gen.label_at(' . between(0, 2) . '), NULL, gen.label_at(' . between(0, 2) . ')]' },
		0, 1 ],
	odd_enum => [ 'gen."odd ""type"', sub { any('', ' ') . 'x' } ],);

my %by_sql = map { $types{$_}[0] => $_ } keys %types;

sub type_names { return sort keys %types; }

# Types for key columns, the likelier ones several times.
sub key_types
{
	return map { ($_) x ($types{$_}[2] || 0) } type_names();
}

sub type_setup
{
	return <<'SQL';
CREATE SCHEMA gen;
CREATE TYPE gen.mood AS ENUM ('sad', 'ok', 'it''s "fine"', 'a,b');
CREATE TYPE gen."odd ""type" AS ENUM ('x', ' x');
CREATE TYPE gen.shifting AS ENUM ('label_1', 'label_2', 'label_3');
CREATE FUNCTION gen.label_at(n int) RETURNS gen.shifting LANGUAGE sql STABLE AS $$
	SELECT enumlabel::text::gen.shifting FROM pg_enum WHERE enumtypid = 'gen.shifting'::regtype
	ORDER BY enumsortorder OFFSET n LIMIT 1 $$;
CREATE DOMAIN gen.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN gen.small AS gen.positive CHECK (VALUE < 100);
CREATE DOMAIN gen.label AS text CHECK (VALUE LIKE 'L%');
CREATE TYPE gen.triple AS (a integer, "b ""x" text, c gen.mood);
CREATE DOMAIN gen.pair AS gen.triple;
CREATE TYPE gen.span AS RANGE (subtype = float8);
SQL
}

# The name of a type that the server calls $sql, or undef.
sub name_of { my ($sql)  = @_; return $by_sql{$sql}; }
sub sql_of  { my ($name) = @_; return $types{$name}[0]; }

# A literal, or an expression where the type says so.
sub value
{
	my ($name) = @_;
	my (undef, $make, undef, $expression) = @{ $types{$name} };
	return $expression ? $make->() : quote($make->());
}

# Types whose values can be too large for a page; how to make one of $size
# bytes, junk that no compression makes smaller or one that it does.
my %large = (
	text        => sub { $_[0] },
	bytea       => sub { "convert_to($_[0], 'UTF8')" },
	json        => sub { "to_json($_[0])" },
	jsonb       => sub { "to_jsonb($_[0])" },
	text_array  => sub { "ARRAY[$_[0], 'x', NULL]" },
	domain_text => sub { "('L' || $_[0])" },
	composite   => sub { "ROW(1, $_[0], 'ok')::gen.triple" },
	numeric     => sub { "(repeat('9', length($_[0]) / 2))::numeric" },
	tsvector    => sub { "to_tsvector('simple', regexp_replace($_[0], '(.{9})', '\\1 ', 'g'))" },);

sub is_large_type { my ($name) = @_; return exists $large{$name}; }

sub large_value
{
	my ($name) = @_;
	my $size = between(2100, 9000);
	my $text =
	  chance(0.5)
	  ? "gen.junk(" . between(1, 999999) . ", $size)"
	  : "repeat(" . quote(word() . any('"', "\n", "\xc3\xa9", 'x')) . ", $size)";
	return $large{$name}->($text);
}

# 63 bytes at most, whatever else.
my $serial = 0;
sub restart_names { $serial = 0; return; }

sub odd_name
{
	my ($base) = @_;
	$base .= ++$serial;
	return $base if chance(0.45);
	return any(
		"$base \"x\"",           "$base.y",
		"$base\n",               "\\$base",
		"$base'",                uc $base,
		" $base ",               "$base\xc3\xbc",
		"\xf0\x9f\x98\x80$base", "$base,\t{",
		"$base\x01",             "$base-" . 'n' x (62 - length $base),
		"$base\xe2\x82\xac" . 'u' x 30);
}

1;
