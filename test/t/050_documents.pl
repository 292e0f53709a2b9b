# What is written about the product and its tests agrees with them: options,
# versions, what would see a fault.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Test::More;

my $top    = top_dir();
my $readme = slurp("$top/README.md");
my $manual = slurp("$top/shipper/wal2kafka.1");
my $sample = slurp("$top/wal2kafka.conf.sample");

# every option of the program is in the README, the manual and the sample
my ($table) = slurp("$top/shipper/option.c") =~ /struct option options\[\] = \{(.*?)\n\};/s;
my @options = $table =~ /\{"\w+", "(\w+)"/g;
cmp_ok(scalar @options, '>', 20, 'options found');
for my $option (@options)
{
	like($readme, qr/\b$option\b/, "README: $option");
	(my $escaped = $option) =~ s/_/(?:_|\\\\_)/g;
	like($manual, qr/\b$escaped\b/, "manual: $option");
	like($sample, qr/^#?$option = /m, "sample: $option");
}

# what the README links to is there
my @headings = map { lc =~ s/[^\w -]//gr =~ tr/ /-/r } $readme =~ /^#+ (.+)$/mg;
for my $link ($readme =~ /\]\(([^)]+)\)/g)
{
	ok( $link =~ /^#(.*)/ ? scalar(grep { $_ eq $1 } @headings) : -e "$top/$link",
		"README: link to $link");
}

# each class of faults is seen by tests and mutants that exist, or says why not
my %mutants = map { /^([\w-]+)\t/ ? ($1 => 1) : () }
  split /\n/, slurp("$top/test/mutants/list");
my @classes = grep { !/^\|(?:-| class )/ } slurp("$top/test/catalogue.md") =~ /^(\|.*)$/mg;
cmp_ok(scalar @classes, '>', 100, 'classes of faults found');
for my $row (@classes)
{
	my ($class, $seen) = $row =~ /^\| (.+) \| (.+) \|$/;
	my @tests = $seen =~ /\]\(([^)]+)\)/g;
	my @bugs  = $seen =~ /`([^`]+)`/g;
	my @wrong = ((grep { !-e "$top/test/$_" } @tests),
		(grep { !$mutants{$_} } @bugs),
		(grep { !m{^(\d+)\]\(t/\1_} } $seen =~ /\[(\d+\][^)]+)/g));
	is("@wrong", '', "seen by what exists: $class");
	like($seen, qr/^not tested: \S/, "or says why not: $class")
	  if !@tests && !@bugs;
}

# every option of the plugin is one of the program's, or named as its own
my ($plugin) = slurp("$top/plugin/options.c") =~ /Option option_table\[\] = \{(.*?)\n\};/s;
my @plugin = $plugin =~ /^\t(?:STRING|NAMES|BOOL|INT|ENUM)\((\w+)/mg;
cmp_ok(scalar @plugin, '>', 10, 'options of the plugin found');
like($readme, qr/`$_`|\b$_`/, "README: $_ of the plugin") for @plugin;

# every field of a record is in the README
my $record = slurp("$top/plugin/record.c") . slurp("$top/plugin/relation.c");
my %fields = map { $_ => 1 } $record =~ /[{,]\\"(\w+)\\":/g;
delete @fields{qw(Insert Update Delete Truncate cascade restart_identity)};
cmp_ok(scalar keys %fields, '>', 10, 'fields found');
like($readme, qr/`$_`/, "README: field $_") for sort keys %fields;

# the version is written once; the extension's is its beginning
my ($version) = slurp("$top/META.json") =~ /^\t"version": "(\d+\.\d+\.\d+)",$/m;
my ($extension) = slurp("$top/wal2kafka.control") =~ /default_version = '(\d+\.\d+)'/;
like($version, qr/^\Q$extension\E\./, 'versions of product and extension agree');
ok(-f "$top/sql/wal2kafka--$extension.sql", 'its script has that name');
my ($output) = `'$top/shipper/wal2kafka' --version`;
like($output, qr/\b\Q$version\E\b/, 'the program tells that version');

# no machine is named, no registry
my @tracked = glob "$top/README.md $top/doc/*.md $top/demo/* $top/test/deps $top/Makefile";
for my $file (@tracked)
{
	unlike(slurp($file), qr{https?://(?!pgxn\.org)}, "no address in $file") if -f $file;
}

done_testing();
