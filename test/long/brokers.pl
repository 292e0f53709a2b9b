# The faults of three brokers, over and over.
use strict;
use warnings;

use FindBin;

$ENV{BROKERS_ROUNDS} ||= 10;
exec $^X, "$FindBin::RealBin/../t/122_leaders.pl" or die "exec: $!";
