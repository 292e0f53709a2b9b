# The benches: a run that lost or repeated a row has no number, and the gate fails
# when a limit is missed, when something was not measured, and not for a reader
# that was late.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../../bench/lib";
use Wal2Kafka::Test;
use Bench::Component;
use Bench::Contender;
use Bench::Gate;
use Bench::Summary;
use Bench::Table;
use Bench::Workload;
use Test::More;

# all read as many rows as were written
my @contenders =
  grep { available($_) } map { contender($_) } contender_names();
note("contenders: @{[ map { $_->{name} } @contenders ]}");
for my $name (workload_names())
{
	my @these =
	  $name eq 'narrow' ? @contenders : map { contender($_) } qw(null frames);
	my @runs = run_workload(workload($name, 300), 1, \@these);
	is(scalar @runs, scalar @these, "$name: all have figures");
	is(scalar(grep { $_->{recvs} > 0 } @runs),
		scalar @runs, "$name: system calls were counted");
	next if $name ne 'narrow';
	is(scalar(grep { $_->{sender_us} > 0 } @runs),
		scalar @runs, 'CPU was counted');
}

# one that is told of another number of rows has none
for my $contender (map { contender($_) } qw(pgoutput frames))
{
	my %wrong = (%{ workload('narrow', 300) }, published => 299);
	ok( !eval { run_workload(\%wrong, 1, [$contender]); 1 },
		"$contender->{name}: a row too many is noticed");
	like($@, qr/has no number/, 'and that is said');
	# what it left behind
	Bench::Component::drop_backlog();
}

# the gate: figures that keep every limit
my %good = (
	null => { sender_us => 1, sleeps => 0 },
	pgoutput => { sender_us => 7, sleeps => 0.9 },
	frames => { sender_us => 1.05, sends => 0.004 },
	shipper => { client_us => 0.9, peak_mb => 48 });

# The gate's exit status and output, of runs that differ from the good ones in
# a figure (undef: the run is missing).
sub gate
{
	my ($workload, $contender, $figure, $value) = @_;
	my @runs;

	for my $name (qw(narrow one_row wide filtered))
	{
		for my $who (sort keys %good)
		{
			my $spoiled = $name eq ($workload // '') && $who eq $contender;
			next if $spoiled && !defined $figure;
			push @runs,
			  {
				workload => $name,
				contender => $who,
				round => 1,
				%{ $good{$who} },
				$spoiled ? ($figure => $value) : ()
			  };
		}
	}
	my $file = launch_dir() . '/runs.csv';
	write_csv(
		$file,
		[
			qw(workload contender round sender_us client_us sleeps
			  sends peak_mb)
		],
		@runs);
	my $output = `$^X @{[ top_dir() ]}/bench/gate.pl $file`;
	return ($? >> 8, $output);
}

my ($status, $output) = gate();
is($status, 0, 'the gate passes good figures') or diag($output);
for my $bad (
	[qw(narrow frames sender_us 1.6)], [qw(wide frames sender_us 2.3)],
	[qw(one_row frames sender_us 1.3)], [qw(filtered frames sender_us 1.2)],
	[qw(narrow frames sends 0.02)], [qw(one_row frames sends 0.02)],
	[qw(narrow shipper client_us 1.3)], [qw(narrow shipper peak_mb 65)],
	[qw(narrow pgoutput sender_us 4)], [qw(narrow frames)],
	[qw(narrow shipper)], [qw(narrow pgoutput)],
	[qw(wide null)])
{
	($status, $output) = gate(@$bad);
	is($status, 1, "the gate fails: @$bad");
	like($output, qr/^missed: 1$|^missed: [2-9]$/m, 'and counts what');
}

# on a busy machine ratios may be larger, but not everything passes
{
	local $ENV{SHORT} = 1;
	for my $case (
		[ 0, qw(wide frames sender_us 2.9) ],
		[ 1, qw(wide frames sender_us 3.2) ],
		[ 0, qw(narrow shipper client_us 1.5) ],
		[ 1, qw(narrow frames sends 0.02) ])
	{
		my ($wanted, @figure) = @$case;
		($status) = gate(@figure);
		is($status, $wanted, "SHORT: @figure");
	}
}

# pgoutput is cheap when nobody waits for it
$good{pgoutput} = { sender_us => 3, sleeps => 0.1 };
($status, $output) = gate();
is($status, 0, 'a late reader is no reason to fail');
like(
	$output,
	qr/^not judged +narrow, frames: walsender's CPU, of pg/m,
	'which is said');

done_testing();
