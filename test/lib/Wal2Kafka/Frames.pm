# What the plugin sends, read without the shipper's code: plugin/wire.h.
package Wal2Kafka::Frames;

use strict;
use warnings;

use Carp;
use Exporter 'import';

our @EXPORT = qw(split_frames read_frames);

my ($TOPIC, $TABLE, $TXN, $RECORD, $NOTICE) = 1 .. 5;
my %flag = (null_value => 1, headers => 4, timestamp => 8, null_key => 16);

# What pg_recvlogical wrote: frames with a newline behind each.
sub split_frames
{
	my ($bytes) = @_;
	my @frames;

	while ($bytes ne '')
	{
		my $len = 32 + unpack('x12 V', $bytes);
		last if length $bytes <= $len;    # it is still being written
		push @frames, substr($bytes, 0, $len);
		$bytes = substr($bytes, $len + 1);
	}
	return @frames;
}

# Everything in the frames of one connection, in order: hashes with "kind".
# Records have lsn, seq_id, time, xid, topic, schema, table, key, value, headers.
sub read_frames
{
	my %known = (topic => {}, table => {});
	my @entries;

	for my $frame (@_)
	{
		my ($magic, $records, $len) = unpack 'a4 x4 V V', $frame;
		croak 'no frame' if $magic ne 'W2K1' || length $frame != 32 + $len;
		delete $known{txn};
		for (my $at = 32; $at < length $frame;)
		{
			my ($kind, $flags, $size) = unpack 'C C x2 V', substr($frame, $at, 8);
			my $body = substr $frame, $at + 8, $size;

			croak 'torn entry' if length $body != $size;
			push @entries, read_entry(\%known, $kind, $flags, $body);
			$at += 8 + $size;
		}
	}
	return @entries;
}

sub read_entry
{
	my ($known, $kind, $flags, $body) = @_;

	if ($kind == $TOPIC)
	{
		my ($id, $name) = unpack 'V a*', $body;
		$known->{topic}{$id} = $name;
		return { kind => 'topic', name => $name };
	}
	if ($kind == $TABLE)
	{
		my ($id, $topic, $schema_len, $len) = unpack 'V V v v', $body;
		$known->{table}{$id} = {
			topic => $known->{topic}{$topic} // croak('unknown topic'),
			schema => substr($body, 12, $schema_len),
			table => substr($body, 12 + $schema_len, $len)
		};
		return { kind => 'table', %{ $known->{table}{$id} } };
	}
	if ($kind == $TXN)
	{
		my %txn;
		@txn{qw(lsn end time xid seq_id)} = unpack 'Q< Q< q< V x4 Q<', $body;
		$known->{txn} = {%txn};
		return { kind => 'txn', %txn };
	}
	if ($kind == $NOTICE)
	{
		my ($code, $table, $lsn) = unpack 'V V Q<', $body;
		return { kind => 'notice', code => $code, table_id => $table, lsn => $lsn };
	}
	croak "kind $kind" if $kind != $RECORD;
	return read_record($known, $flags, $body);
}

sub read_record
{
	my ($known, $flags, $body) = @_;
	my ($table, $hash, $key_len) = unpack 'V V V', $body;
	my $txn = $known->{txn} // croak 'record without a transaction';
	my $at  = 12;
	my $headers_len = 0;

	if ($flags & $flag{headers})
	{
		$headers_len = unpack 'V', substr($body, $at);
		$at += 4;
	}
	$at += 8 if $flags & $flag{timestamp};
	my $key     = substr $body, $at, $key_len;
	my $headers = substr $body, $at + $key_len, $headers_len;
	my $value   = substr $body, $at + $key_len + $headers_len;
	return {
		kind => 'record',
		%$txn,
		%{ $known->{table}{$table} // croak 'unknown table' },
		seq_id  => $txn->{seq_id}++,
		hash    => $hash,
		key     => $flags & $flag{null_key} ? undef : $key,
		value   => $flags & $flag{null_value} ? undef : $value,
		headers => [ read_headers($headers) ],
	};
}

sub read_headers
{
	my ($bytes) = @_;
	my @headers;

	while ($bytes ne '')
	{
		my ($name, $len) = unpack 'v/a V', $bytes;
		my $value = $len == 0xffffffff ? undef :
		  substr $bytes, 6 + length $name, $len;
		push @headers, [ $name, $value ];
		$bytes = substr $bytes, 6 + length($name) + length($value // '');
	}
	return @headers;
}

1;
