# The limits that no change may miss, and whether figures keep them.
package Bench::Gate;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(limits judge);

# What other work on the machine may add to a ratio, where it is said that there
# is some.
my $SLACK = 1.4;

# How often the reader must sleep a row: else it is late, and the walsender of
# a plugin that sends each row by itself has nobody to wake.
my $KEEPS_UP = 0.8;

# What null takes for a narrow row, in microseconds, on the machine that limits in
# microseconds are from: one that is slower, for now or for good, is so for both.
my $NULL_US = 1.10;

# Workload, contender, figure of a summary, the largest value that passes.
my @LIMITS = (
	[ 'narrow', 'frames', 'to_null', 1.5 ],
	[ 'narrow', 'frames', 'to_pgoutput', 0.25 ],
	[ 'narrow', 'frames', 'sends', 0.01 ],
	[ 'narrow', 'shipper', 'client_us', 1.2 ],
	[ 'narrow', 'shipper', 'peak_mb', 64 ],
	[ 'one_row', 'frames', 'to_null', 1.25 ],
	[ 'one_row', 'frames', 'sends', 0.01 ],
	[ 'wide', 'frames', 'to_null', 2.2 ],
	[ 'filtered', 'frames', 'to_null', 1.1 ],);

my %TELLS = (
	to_null => "walsender's CPU, of null's",
	to_pgoutput => "walsender's CPU, of pgoutput's",
	sends => 'sends a row',
	client_us => 'CPU of the shipper, us a record where null takes 1.10',
	peak_mb => 'memory of the shipper, MB');

# Hashes of workload, contender, figure, most, tells, and base: the contender
# that a ratio is to.  On a busy machine ratios may be larger, and the shipper's
# microseconds say nothing.
sub limits
{
	my ($busy) = @_;
	return map { limit($busy, @$_) }
	  grep { !$busy || $_->[1] ne 'shipper' } @LIMITS;
}

sub limit
{
	my ($busy, $workload, $contender, $figure, $most) = @_;
	my ($base) = $figure =~ /^to_(.*)/;
	return {
		workload => $workload,
		contender => $contender,
		figure => $figure,
		base => $base,
		most => $busy && $base ? $most * $SLACK : $most,
		tells => "$workload, $contender: $TELLS{$figure}"
	};
}

# Limits against the rows of a summary: the same with got (undef when it was not
# measured) and verdict, which is kept, missed or "not judged".  What was not
# measured is missed.
sub judge
{
	my ($limits, @rows) = @_;
	my %row = map { ("$_->{workload} $_->{contender}" => $_) } @rows;
	return map {
		my $got = figure(\%row, $_);
		+{ %$_, got => $got, verdict => verdict(\%row, $_, $got) }
	} @$limits;
}

# What a row of the summary has for a limit, microseconds as on the machine that
# the limit is from; undef where one of them was not measured.
sub figure
{
	my ($row, $limit) = @_;
	my $got =
	  $row->{"$limit->{workload} $limit->{contender}"}{ $limit->{figure} };
	return $got if $limit->{figure} !~ /_us$/ || !defined $got;
	my $null = $row->{"$limit->{workload} null"}{sender_us} or return;
	return $got * $NULL_US / $null;
}

sub verdict
{
	my ($row, $limit, $got) = @_;

	return 'missed' if !defined $got;
	return 'kept' if $got <= $limit->{most};
	return is_late($row, $limit) ? 'not judged' : 'missed';
}

sub is_late
{
	my ($row, $limit) = @_;
	return if ($limit->{base} // '') ne 'pgoutput';
	my $sleeps = $row->{"$limit->{workload} pgoutput"}{sleeps};
	return defined $sleeps && $sleeps < $KEEPS_UP;
}

1;
