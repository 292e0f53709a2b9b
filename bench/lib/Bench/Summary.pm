# What many runs say together: medians, how far they varied, and ratios.
package Bench::Summary;

use strict;
use warnings;

use Bench::Table;
use Exporter 'import';

our @EXPORT = qw(summarise);

my @FIGURES =
  qw(rows rows_per_s sender_us client_us bytes messages sends recvs sleeps
  anon_mb peak_mb steal);

# Runs are hashes of workload, contender, round and figures.  Returns one row
# for each contender in each workload, in the order of the runs: the median of
# each figure, low and high of the walsender's CPU, and its ratio to that of
# null and of pgoutput, as the median of the ratios of the rounds.
sub summarise
{
	my @runs = @_;
	my (%of, %in_round, @order);

	for my $run (@runs)
	{
		my $name = "$run->{workload} $run->{contender}";
		push @order, $name if !$of{$name};
		push @{ $of{$name} }, $run;
		$in_round{"$name $run->{round}"} = $run->{sender_us};
	}
	return map { summary(\%in_round, @{ $of{$_} }) } @order;
}

sub summary
{
	my ($in_round, @runs) = @_;
	my %row = map { $_ => $runs[0]{$_} } qw(workload contender);

	for my $figure (@FIGURES)
	{
		$row{$figure} = median(map { $_->{$figure} } @runs);
	}
	@row{qw(low high)} = spread(map { $_->{sender_us} } @runs);
	for my $other (qw(null pgoutput))
	{
		my @ratios = map {
			my $base = $in_round->{"$_->{workload} $other $_->{round}"};
			$base ? $_->{sender_us} / $base : ();
		} @runs;
		$row{"to_$other"} = median(@ratios);
	}
	return \%row;
}

1;
