# Story 120 with a cut at each of the first 1000 bytes of frames, requests and
# answers; CUTS is another number.
use strict;
use warnings;

use FindBin;

$ENV{CUTS} //= 1000;
exec $^X, "$FindBin::RealBin/../t/120_cuts.pl";
