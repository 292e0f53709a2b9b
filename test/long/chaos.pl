# Everything dies, in no order and two at a time, while rows are written:
# shippers, server, broker, and what is between them.
#
#	make chaos MINUTES=60
#	make chaos MINUTES=60 MAJOR=18 SEED=4711
#
# SEED replays the faults, as far as timing lets it; ROUND begins with a later
# round; SHIPPERS is how many share the slot (2).  After each round everything must have arrived: nothing lost, nothing
# out of order, and a copy that is equal.  Ends at the first thing that is wrong
# and keeps its folder.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Chaos;
use Wal2Kafka::Kafka;
use Test::More;

plan skip_all => 'needs a real broker' if Wal2Kafka::Kafka::why_mock();

my $end = 60 * ($ENV{MINUTES} || 10);
my $round = $ENV{ROUND} || 1;
my $chaos = Wal2Kafka::Chaos->new(
	seed => $ENV{SEED} || time() % 1_000_000,
	shippers => $ENV{SHIPPERS});

# whoever cannot wait gets what there is, after this round
local $SIG{USR1} = sub { $end = 0; };
while ($chaos->seconds < $end)
{
	my $ok = eval { $chaos->run_round($round, $chaos->draw_round($round)); 1 };

	ok($ok, "round $round") or diag("round $round: $@") or last;
	$round++;
}
$chaos->report;
$chaos->world->stop_shipper($_) for grep { $_->pid } $chaos->world->shippers;

done_testing();
