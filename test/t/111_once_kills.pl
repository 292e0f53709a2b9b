# Shipper, server and broker are killed while rows are written: a read_committed
# consumer sees each record once.  test/long/exactly_once.pl is the same with
# many more kills.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::ExactlyOnce;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my %killed = kills_survived(7, $ENV{ONCE_SEED} || $$, 7);
pass("killed: " . join ', ', map { "$_ $killed{$_} times" } sort keys %killed);

done_testing();
