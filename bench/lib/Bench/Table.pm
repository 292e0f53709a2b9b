# Rows of figures: on the screen, as CSV, and what is said of several of them.
package Bench::Table;

use strict;
use warnings;

use Carp;
use Exporter 'import';

our @EXPORT = qw(median spread print_table write_csv read_csv);

# Of defined values; undef when there are none.
sub median
{
	my @sorted = sort { $a <=> $b } grep { defined } @_;
	my $middle = int(@sorted / 2);

	return if !@sorted;
	return $sorted[$middle] if @sorted % 2;
	return ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

# The smallest and the largest.
sub spread
{
	my @sorted = sort { $a <=> $b } grep { defined } @_;
	return @sorted[ 0, -1 ];
}

# Columns are [key, heading, format of sprintf]; rows are hashes.  What a row
# does not have is "-".  Text stands to the left, numbers to the right.
sub print_table
{
	my ($to, $columns, @rows) = @_;
	my @lines = ([ map { $_->[1] } @$columns ]);
	my @width;

	for my $row (@rows)
	{
		push @lines, [ map { cell($_, $row) } @$columns ];
	}
	for my $line (@lines)
	{
		for my $i (0 .. $#$line)
		{
			my $length = length $line->[$i];
			$width[$i] = $length if $length > ($width[$i] // 0);
		}
	}
	for my $line (@lines)
	{
		my @cells = map {
			my $left = $columns->[$_][2] =~ /s$/ ? '-' : '';
			sprintf "%$left$width[$_]s", $line->[$_];
		} 0 .. $#$line;
		(my $text = join '  ', @cells) =~ s/ +$//;
		print $to "$text\n";
	}
	return;
}

sub cell
{
	my ($column, $row) = @_;
	my ($key, undef, $format) = @$column;
	return defined $row->{$key} ? sprintf($format, $row->{$key}) : '-';
}

# All figures as they are; what a row does not have is empty.
sub write_csv
{
	my ($file, $keys, @rows) = @_;

	open my $fh, '>', $file or croak "$file: $!";
	print $fh join(',', @$keys), "\n";
	for my $row (@rows)
	{
		print $fh join(',', map { quoted($row->{$_} // '') } @$keys), "\n";
	}
	close $fh or croak "$file: $!";
	return;
}

sub quoted
{
	my ($text) = @_;
	return $text if $text !~ /[",\n]/;
	$text =~ s/"/""/g;
	return "\"$text\"";
}

# The rows of such a file; empty fields are left out.  No field of it may hold
# a line break.
sub read_csv
{
	my ($file) = @_;
	my @rows;

	open my $fh, '<', $file or croak "$file: $!";
	my @keys = fields(scalar readline $fh);
	while (my $line = readline $fh)
	{
		my @values = fields($line);
		my %row;
		for my $i (0 .. $#keys)
		{
			$row{ $keys[$i] } = $values[$i] if ($values[$i] // '') ne '';
		}
		push @rows, \%row;
	}
	return @rows;
}

sub fields
{
	my ($line) = @_;
	my @fields;

	chomp $line;
	while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/g)
	{
		my ($text, $plain, $end) = ($1, $2, $3);
		$text =~ s/""/"/g if defined $text;
		push @fields, $text // $plain;
		last if $end eq '';
	}
	return @fields;
}

1;
