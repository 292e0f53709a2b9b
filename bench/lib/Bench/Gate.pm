# The limits that no change may miss, and whether figures keep them.
package Bench::Gate;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(gate_workloads judge);

# How often the reader must sleep a row: else it is late, and the walsender of
# a plugin that sends each row by itself has nobody to wake.
my $KEEPS_UP = 0.5;

# most: the largest value that passes.  Figures are those of a summary; reader
# names a contender without whose reader keeping up nothing can be said.
my @LIMITS = (
	limit('narrow', 'frames', 'to_null', 1.5),
	limit('wide', 'frames', 'to_null', 2.2),
	limit('one_row', 'frames', 'to_null', 1.25),
	limit('filtered', 'frames', 'to_null', 1.1),
	limit('narrow', 'frames', 'sends', 0.01),
	limit('one_row', 'frames', 'sends', 0.01),
	limit('narrow', 'shipper', 'client_us', 1.2),
	limit('narrow', 'shipper', 'peak_mb', 64),
	{
		%{ limit('narrow', 'frames', 'to_pgoutput', 0.25) },
		reader => 'pgoutput'
	});

my %TELLS = (
	to_null => "walsender's CPU, of null's",
	to_pgoutput => "walsender's CPU, of pgoutput's",
	sends => 'sends a row',
	client_us => 'CPU of the shipper, us a record',
	peak_mb => 'memory of the shipper, MB');

sub limit
{
	my ($workload, $contender, $figure, $most) = @_;
	return {
		workload => $workload,
		contender => $contender,
		figure => $figure,
		most => $most
	};
}

# What has to be run to judge by.
sub gate_workloads
{
	my %seen;
	return grep { !$seen{$_}++ } map { $_->{workload} } @LIMITS;
}

# Rows of a summary against all limits: for each a hash with tells, got (undef
# when it was not measured) and verdict: kept, missed or "not judged".  What
# was not measured is missed.
sub judge
{
	my %row = map { ("$_->{workload} $_->{contender}" => $_) } @_;
	return map { verdict(\%row, $_) } @LIMITS;
}

sub verdict
{
	my ($row, $limit) = @_;
	my $got =
	  $row->{"$limit->{workload} $limit->{contender}"}{ $limit->{figure} };
	my $verdict =
		!defined $got          ? 'missed'
	  : $got <= $limit->{most} ? 'kept'
	  : is_late($row, $limit)  ? 'not judged'
	  :                          'missed';

	return {
		%$limit,
		tells =>
		  "$limit->{workload}, $limit->{contender}: $TELLS{$limit->{figure}}",
		got => $got,
		verdict => $verdict
	};
}

sub is_late
{
	my ($row, $limit) = @_;
	return if !$limit->{reader};
	my $sleeps = $row->{"$limit->{workload} $limit->{reader}"}{sleeps};
	return defined $sleeps && $sleeps < $KEEPS_UP;
}

1;
