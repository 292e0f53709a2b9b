# Exactly once through many kills of shipper, server and broker.
#
#	KILLS=200 prove -v test/long/exactly_once.pl
#
# ONCE_SEED, which is printed, replays victims and moments, as far as timing
# lets it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::ExactlyOnce;
use Test::More;

my $why = why_not_once();
plan skip_all => $why if $why;

my %killed =
  kills_survived($ENV{KILLS} || 200, $ENV{ONCE_SEED} || time() % 100000, 10);
diag("survived: " . join ', ', map { "$_ $killed{$_}" } sort keys %killed);

done_testing();
