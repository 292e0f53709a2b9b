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

# what is in one of them alone, in whatever order they have it
my %rows = map { $_ => 1 } grep { /^\|/ } split /\n/, $table;
my ($shown) = slurp(top_dir() . '/test/README.md') =~ /^(\| mutant \|.*)\z/ms;
$rows{$_} = ($rows{$_} // 0) + 2 for grep { /^\|/ } split /\n/, $shown // '';
is(join('', map { "$_\n" } grep { $rows{$_} != 3 } sort keys %rows),
	'', 'test/README.md has what "test/mutants/run --table" prints');

done_testing();
