# A strict reader of Prometheus' text format 0.0.4, and of its conventions for
# names: more than Prometheus itself asks for, which takes a page with any of
# the first kind of fault as none at all.
package Wal2Kafka::Exposition;

use strict;
use warnings;

use Encode   ();
use Exporter 'import';

our @EXPORT = qw(exposition_faults);

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $quoted = qr/"(?:[^"\\\n]|\\[\\"n])*"/;
my $number = qr/[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Inf|NaN)/;
my @units = qw(seconds bytes);

# What is wrong with a page, one line a fault; nothing for a good one.
sub exposition_faults
{
	my ($page) = @_;
	my (@faults, %families, %series, $family);
	my $text = eval { Encode::decode('UTF-8', $page, Encode::FB_CROAK) };

	return "no UTF-8: $@" if !defined $text;
	return 'the last line has no end' if $text !~ /\n\z/;
	for my $line (split /\n/, $text)
	{
		if ($line =~ /^# (HELP|TYPE) ($name) (.*)$/)
		{
			my ($what, $of, $rest) = ($1, $2, $3);

			push @faults, "$what of $of comes twice"
			  if defined $families{$of}{$what};
			push @faults, "$what of $of comes behind samples"
			  if $families{$of}{samples};
			push @faults, "TYPE $of has no HELP before it"
			  if $what eq 'TYPE' && !defined $families{$of}{HELP};
			push @faults, "HELP of $of is empty or escapes wrongly"
			  if $what eq 'HELP' && $rest !~ /^(?:[^\\]|\\[\\n])+$/;
			push @faults, "$of is of no type: $rest"
			  if $what eq 'TYPE' && $rest !~ /^(?:counter|gauge|histogram)$/;
			$families{$of}{$what} = $rest;
			$family = $of;
		}
		elsif ($line =~ /^($name)(?:\{($label=$quoted(?:,$label=$quoted)*)\})? ($number)$/)
		{
			my ($of, $labels, $value) = ($1, $2 // '', $3);
			my $type = $families{ $family // '' }{TYPE} // 'no type';
			my $base = $of;
			$base =~ s/_(?:bucket|sum|count)$// if $type eq 'histogram';

			push @faults, "$of stands among the samples of "
			  . ($family // 'nobody')
			  if $base ne ($family // '');
			push @faults, "$of comes twice with {$labels}"
			  if $series{"$of\{$labels}"}++;
			my @names = $labels =~ /(?:^|,)($label)=$quoted/g;
			my %names = map { $_ => 1 } @names;
			push @faults, "$of has a label twice" if @names != keys %names;
			push @faults, "$of is a counter and $value"
			  if $type eq 'counter' && ($value =~ /NaN/ || $value < 0);
			push @{ $families{$base}{samples} }, [ $of, $labels, $value ];
		}
		else
		{
			push @faults, "no line of that format: $line";
		}
	}
	push @faults, map { family_faults($_, $families{$_}) } sort keys %families;
	return @faults;
}

sub family_faults
{
	my ($of, $family) = @_;
	my $type = $family->{TYPE} // 'no type';
	my @faults;

	push @faults, "$of has no TYPE" if $type eq 'no type';
	push @faults, "counter $of does not end in _total"
	  if $type eq 'counter' && $of !~ /_total$/;
	push @faults, "$type $of ends like another type"
	  if $type ne 'counter' && $of =~ /_(?:total|bucket|sum|count)$/;
	push @faults, "$of has a unit that is no base unit"
	  if $of =~ /_(?:ms|us|milliseconds|kb|mb|kilobytes|minutes|percent)(?:_|$)/i;
	for my $unit (@units)
	{
		push @faults, "$of does not end with its unit"
		  if $of =~ /_${unit}_/ && $of !~ /_${unit}_total$/;
	}
	push @faults, "$of is not ours" if $of !~ /^wal2kafka_[a-z0-9_]+$/;
	push @faults, histogram_faults($of, @{ $family->{samples} || [] })
	  if $type eq 'histogram';
	return @faults;
}

sub histogram_faults
{
	my ($of, @samples) = @_;
	my (@faults, %single);
	my ($last_bound, $last_count) = (-1, 0);
	my $infinite;

	for (@samples)
	{
		my ($name, $labels, $value) = @$_;

		if ($name eq "${of}_bucket")
		{
			my ($bound) = $labels =~ /^le="([^"]+)"$/;
			push @faults, "a bucket of $of has no bound" if !defined $bound;
			push @faults, "$of: a bucket comes behind +Inf" if defined $infinite;
			if (($bound // '') eq '+Inf') { $infinite = $value; }
			elsif ($bound <= $last_bound)
			{
				push @faults, "$of: bound $bound does not grow";
			}
			push @faults, "$of: bucket $bound is not cumulative"
			  if $value < $last_count;
			($last_bound, $last_count) = ($bound, $value);
		}
		else
		{
			$single{$name} = $value;
		}
	}
	push @faults, "$of has no bucket +Inf" if !defined $infinite;
	push @faults, "$of: no sum" if !defined $single{"${of}_sum"};
	push @faults, "$of: count differs from its last bucket"
	  if ($single{"${of}_count"} // -1) != ($infinite // -2);
	return @faults;
}

1;
