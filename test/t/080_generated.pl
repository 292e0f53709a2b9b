# Random schemas and workloads; the oracle is the source table, see
# Wal2Kafka::Generator.
#
# Environment:
#	GENERATOR_CASES		how many (50)
#	GENERATOR_SEED		another seed makes other cases (1)
#	GENERATOR_CASE		replays one case of the seed alone
#
# A case that fails stops the story, and prints its statements.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Generator;
use Test::More;

my $seed      = $ENV{GENERATOR_SEED}  // 1;
my $count     = $ENV{GENERATOR_CASES} // 50;
my $alone     = $ENV{GENERATOR_CASE};
my @cases     = defined $alone ? $alone : (0 .. $count - 1);
my $generator = Wal2Kafka::Generator->new(seed => $seed);

# Why the case is wrong, or the ten that it ends; undef if they are right.
sub try_case
{
	my ($case) = @_;
	my $why = $generator->run_case($case);
	return $why if defined $why;
	return      if ($case + 1) % Wal2Kafka::Generator::BATCH && $case != $cases[-1];

	$why = $generator->compare_walsender;
	pass("cases up to $case of seed $seed") if !defined $why;
	return $why;
}

my ($failed, $why);
for my $case (@cases)
{
	$why    = try_case($case);
	$failed = $case;
	last if defined $why;
}
if (defined $why)
{
	fail("case $failed of seed $seed");
	diag($why, "GENERATOR_SEED=$seed GENERATOR_CASE=$failed does it again:\n");
	diag($_) for @{ $generator->{log} };
}

note($_) for $generator->report;
if (!defined $alone && !defined $why)
{
	my @complaints = $generator->complaints($count);
	is("@complaints", '', 'everything has occurred often enough');
}
$generator->close;
done_testing();
