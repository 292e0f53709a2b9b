# A strict reader of what the plugin writes: frames, and the JSON of a record.
# Shares nothing with the plugin.  Dies at the first thing that is not right.
package Wal2Kafka::Generator::Records;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(read_frame read_json check_record);

# --- frames (plugin/wire.h) ---

# The records and notices of a frame that announces all that it names; or of
# one of a connection, with what its frames have announced so far.
sub read_frame
{
	my ($frame, $known) = @_;
	my ($magic, $version, $flags, $zero, $count, $length, $safe, $print) = unpack 'a4 C C v V V Q< Q<',
	  $frame;
	my ($at, $txn, @records, @notices) = (32);
	my ($topics, $tables) = (($known ||= {})->{topics} ||= {}, $known->{tables} ||= {});

	die "not a frame\n"     if $magic ne 'W2K1' || $version != 1 || $zero;
	die "length of frame\n" if length($frame) != 32 + $length;
	while ($at < length $frame)
	{
		my ($kind, $flag, $pad, $size) = unpack 'C C v V', substr($frame, $at, 8);
		my $body = substr($frame, $at + 8, $size);

		die "torn entry\n" if length($body) != $size || $pad;
		$at += 8 + $size;
		if ($kind == 1)
		{
			my ($id, $name) = unpack 'V a*', $body;
			$topics->{$id} = $name;
		}
		elsif ($kind == 2)
		{
			my ($id, $topic, $schema, $name) = unpack 'V V v v', $body;
			$tables->{$id} = {
				topic  => $topics->{$topic} // die("unknown topic\n"),
				schema => substr($body, 12,           $schema),
				name   => substr($body, 12 + $schema, $name) };
			die "length of TABLE\n" if $size != 12 + $schema + $name;
		}
		elsif ($kind == 3)
		{
			my @txn = unpack 'Q< Q< q< V V Q<', $body;
			$txn = { lsn => $txn[0], end => $txn[1], seq => $txn[5] };
		}
		elsif ($kind == 4)
		{
			my ($table, $hash, $key_length) = unpack 'V V V', $body;
			die "unexpected flags $flag\n" if $flag & ~0x10;
			push @records,
			  { table => $tables->{$table} // die("unknown table\n"),
				hash  => $hash,
				key   => $flag & 0x10 ? undef : substr($body, 12, $key_length),
				value => substr($body, 12 + $key_length),
				lsn   => $txn->{lsn},
				seq   => $txn->{seq}++, };
		}
		elsif ($kind == 5)
		{
			my ($code, $table) = unpack 'V V', $body;
			push @notices, { code => $code, table => $tables->{$table} };
		}
		else { die "unknown entry $kind\n"; }
	}
	die "count of records\n" if @records != $count;
	return { safe => $safe, records => \@records, notices => \@notices };
}

# --- JSON: strings are bytes, numbers and booleans references ---

my %escapes = (
	b    => "\b",
	f    => "\f",
	n    => "\n",
	r    => "\r",
	t    => "\t",
	'"'  => '"',
	'\\' => '\\',
	'/'  => '/');

sub read_string
{
	my ($in) = @_;
	my $out = '';

	while (1)
	{
		$out .= $1 if $$in =~ /\G([^"\\\x00-\x1f]+)/gc;
		return $out if $$in =~ /\G"/gc;
		if ($$in =~ /\G\\(["\\\/bfnrt])/gc) { $out .= $escapes{$1}; next; }
		$$in =~ /\G\\u([0-9a-fA-F]{4})/gc
		  or die 'bad string at ' . (pos($$in) // 0) . "\n";
		my $code = hex $1;
		die "surrogate or zero\n" if $code == 0 || ($code >= 0xd800 && $code < 0xe000);
		my $char = chr $code;
		utf8::encode($char);
		$out .= $char;
	}
}

sub read_list
{
	my ($in, $end, $read) = @_;

	return if $$in =~ /\G\Q$end\E/gc;
	while (1)
	{
		$read->();
		return if $$in =~ /\G\Q$end\E/gc;
		$$in =~ /\G,/gc or die 'no comma at ' . (pos($$in) // 0) . "\n";
	}
}

sub read_value
{
	my ($in) = @_;

	return read_string($in) if $$in =~ /\G"/gc;
	return undef            if $$in =~ /\Gnull/gc;
	return \"$1"            if $$in =~ /\G(-?(?:0|[1-9][0-9]*)(?![0-9.eE]))/gc;
	return \"$1"            if $$in =~ /\G(true|false)/gc;
	if ($$in =~ /\G\[/gc)
	{
		my @list;
		read_list($in, ']', sub { push @list, read_value($in) });
		return \@list;
	}
	if ($$in =~ /\G\{/gc)
	{
		my %object;
		read_list(
			$in, '}',
			sub {
				$$in =~ /\G"/gc or die "no member name\n";
				my $name = read_string($in);
				$$in =~ /\G:/gc or die "no colon\n";
				die "member \"$name\" twice\n" if exists $object{$name};
				$object{$name} = read_value($in);
			});
		return \%object;
	}
	die 'no value at ' . (pos($$in) // 0) . "\n";
}

sub read_json
{
	my ($text) = @_;
	my $copy = $text;

	die "not UTF-8\n" if !utf8::decode($copy);
	pos($text) = 0;
	my $value = read_value(\$text);
	die "more after the value\n" if $text !~ /\G\z/gc;

	# a second opinion, of a parser that others wrote; it is slow
	JSON::PP->new->utf8->decode($text) if length $text < 400;
	return $value;
}

# --- the record ---

sub must { my ($condition, $what) = @_; die "$what\n" if !$condition; return; }

sub is_names
{
	my ($list) = @_;
	my %seen;
	return ref $list eq 'ARRAY' && !grep { !defined || ref || $seen{$_}++ } @$list;
}

sub check_row
{
	my ($row, $count, $what) = @_;
	must(ref $row eq 'ARRAY' && !(grep { ref } @$row), "$what is no row");
	must(@$row == $count,                              "$what has " . @$row . " of $count values");
	return;
}

# What other systems make of it: text, or a JSON array of texts.
sub kafka_key
{
	my ($row, $positions) = @_;
	return undef if !$positions;
	my @parts = map { $row->[$$_] } @$positions;
	return $parts[0] if @parts == 1 && defined $parts[0];
	return '[' . join(',', map { defined $_ ? quote_json($_) : 'null' } @parts) . ']';
}

my %short = reverse(b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");

sub quote_json
{
	my ($text) = @_;
	$text =~ s/(["\\])/\\$1/g;
	$text =~ s/([\x00-\x1f])/$short{$1} ? "\\$short{$1}" : sprintf '\\u%04x', ord $1/eg;
	return "\"$text\"";
}

# Everything that must hold of a record by itself.  With row filters an Insert
# may be an update of a row that was not seen.
sub check_record
{
	my ($json, $envelope, $filtered) = @_;
	my ($op, $more) = ref $json->{op} eq 'HASH' ? %{ $json->{op} } : ();
	my $cols = $json->{col_names};

	must(defined $json->{table_name} && !ref $json->{table_name},    'table_name');
	must(is_names($cols),                                            'col_names');
	must(ref $json->{$_} eq 'SCALAR' && ${ $json->{$_} } =~ /^\d+$/, $_) for qw(lsn seq_id);
	must(keys %{ $json->{op} } == 1,                                 'op');
	if ($op eq 'Update')
	{
		must(ref $more eq 'ARRAY' && @$more == 2, 'two rows');
		check_row($more->[$_], scalar @$cols, "row $_") for 0, 1;
	}
	else
	{
		must($op eq 'Insert' || $op eq 'Delete', "op $op");
		check_row($more, scalar @$cols, $op);
	}
	must($op ne 'Delete' || @$cols > 0, 'empty Delete');

	must(${ $json->{lsn} } == $envelope->{lsn},                            'lsn as announced');
	must(${ $json->{seq_id} } == $envelope->{seq},                         'seq_id as announced');
	must($json->{table_name} eq $envelope->{table}{name},                  'table as announced');
	must($json->{schema} eq $envelope->{table}{schema},                    'schema as announced');
	must($json->{commit_ts} =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'commit_ts');
	check_extras($json, $op, $more, $envelope, $filtered);
	return ($op, $more);
}

sub check_extras
{
	my ($json, $op, $rows, $envelope, $filtered) = @_;
	my $cols = $json->{col_names};
	my $key  = $json->{key};
	my %has  = map { $_ => 1 } @$cols;
	my ($old, $new) = $op eq 'Update' ? @$rows : $op eq 'Delete' ? ($rows) : (undef, $rows);
	my $identity = $json->{identity} // 'full';

	if ($key)
	{
		must(
			ref $key eq 'ARRAY'
			  && @$key
			  && !(grep { ref ne 'SCALAR' || $$_ !~ /^\d+$/ || $$_ > $#$cols } @$key),
			'positions of the key');
		must((values %{ { map { $$_ => 1 } @$key } }) == @$key, 'key position twice');
	}
	if (exists $json->{unchanged})
	{
		must(is_names($json->{unchanged}) && @{ $json->{unchanged} }, 'unchanged');
		must(!(grep { $has{$_} } @{ $json->{unchanged} }),            'unchanged is in col_names');
		must($op eq 'Update' || ($op eq 'Insert' && ($json->{key_change} || $filtered)), "unchanged in $op");
	}
	must($identity =~ /^(?:full|key|none)$/ && ($op ne 'Insert' || $identity eq 'full'), 'identity');
	must($identity ne 'none' || !(grep { defined } @$old), 'identity none, yet OLD has values');
	must($identity ne 'key'  || $key,                      'identity key without a key');
	if ($identity eq 'key')
	{
		my %in = map { $$_ => 1 } @$key;
		must(!(grep { defined $old->[$_] && !$in{$_} } 0 .. $#$old), 'OLD holds more than the key');
		must($op ne 'Delete' || @$key == @$cols,                     'Delete by key with other columns');
	}
	must(!exists $json->{key_change} || $op ne 'Update', 'key_change in an Update');

	my $expected = $identity eq 'none' && !$key ? undef : kafka_key($new // $old, $key);
	must(
		(defined $expected ? "=$expected" : '') eq (defined $envelope->{key} ? "=$envelope->{key}" : ''),
		'Kafka key is ' . ($envelope->{key} // 'null') . ', not ' . ($expected // 'null'));
	return;
}

1;
