# Builds with known bugs are caught, by the checker's own words; two of them
# here, all of them by "make mutants".  The table in test/README.md is the list.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Test::More;

my @some = qw(confirm-keepalive failed-is-delivered);
my $run = top_dir() . '/test/mutants/run';

my $output = '';
IPC::Run::run([ $run, @some ], '<', \'', '>&', \$output);
is($?, 0, 'mutants are caught') or diag($output);
note($output);
like($output, qr/^ok \d+ - $_ is caught by /m, $_) for @some;

IPC::Run::run([ $run, '--applies' ], '<', \'', '>&', \$output);
is($?, 0, 'all of them can still be made') or diag($output);
IPC::Run::run([ $run, '--table' ], '<', \'', '>', \my $table);
ok( index(slurp(top_dir() . '/test/README.md'), $table) >= 0,
	'the table in test/README.md is what "test/mutants/run --table" prints');

done_testing();
