# Every fault that chaos knows, once and always in the same order, mostly two at a
# time, while rows are written: a witness, the checker and the strict consumer
# find nothing wrong.  An hour of it, in no order, is make chaos MINUTES=60.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Chaos;
use Wal2Kafka::Chaos::Faults qw(faults);
use Wal2Kafka::Kafka;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "chaos needs a real broker: $why" if $why;

my $chaos = Wal2Kafka::Chaos->new(seed => 1, quick => 1);
my $ok = eval { $chaos->run_round(1, $chaos->plan_of_all); 1 };

ok($ok, 'nothing lost, nothing out of order, nothing confirmed early')
  or diag($@);
is_deeply(
	[ grep { !$chaos->{survived}{ $_->{name} } } faults() ],
	[], 'every fault has struck');
$chaos->report;

for my $shipper ($chaos->world->shippers)
{
	ok(eval { $chaos->world->stop_shipper($shipper); 1 }, 'stopped')
	  or diag($@);
}

done_testing();
