# Story 121 with 200 starts on new topics and 200 producers made anew, the first
# batch to each partition refused every time.  STARTS and REBUILDS are others.
use strict;
use warnings;

use FindBin;

$ENV{STARTS}   //= 200;
$ENV{REBUILDS} //= 200;
exec $^X, "$FindBin::RealBin/../t/121_implicit_ack.pl";
