# The generated cases of story 080 by the thousand, another seed each time.
#
#	prove -v test/long/generated.pl
#
# GENERATOR_CASES (2000); GENERATOR_SEED and GENERATOR_CASE replay, see there.
use strict;
use warnings;

use FindBin;

$ENV{GENERATOR_CASES} //= 2000;
$ENV{GENERATOR_SEED} //= time() % 100_000;
exec($^X, "$FindBin::RealBin/../t/080_generated.pl") or die "exec: $!";
