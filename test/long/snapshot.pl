# Snapshots beside the stream, under load, with random settings, through random
# faults: what the strict consumer has equals the tables, each time.
#
#	RUNS=50 prove -v test/long/snapshot.pl
#	test/pgmatrix/run --story test/long/snapshot.pl 18
#
# SEED, which is printed, and RUN to begin with replay a run, as far as timing lets
# them.  Ends at the first thing that is wrong and keeps its folder.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotChaos;
use Test::More;

plan skip_all => 'needs a real broker' if Wal2Kafka::Kafka::why_mock();

my $first = $ENV{RUN} || 1;
my $last = $first + ($ENV{RUNS} || 50) - 1;
my $chaos =
  Wal2Kafka::SnapshotChaos->new(seed => $ENV{SEED} || time() % 1_000_000);

for my $number ($first .. $last)
{
	my $ok = eval { $chaos->run($number); 1 };

	ok($ok, "run $number") or diag("run $number: $@") or last;
}
$chaos->report;

done_testing();
