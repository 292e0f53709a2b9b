# Decoding started and stopped hundreds of times in one process, with errors in
# the middle and at the start, over the SQL interface and on one replication
# connection: no memory is kept, no callback slot is used up.
#
# Environment: RESTARTS (300).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Test::More;

my $times = $ENV{RESTARTS} || 300;
my $bound = 128 * 1024;
my $node = new_server('source', conf => 'logical_decoding_work_mem = 64kB');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# --- rows, a TRUNCATE that is an error where wanted, and rows ---
# All in one transaction: behind the first one a walsender is in the context that
# lives as long as itself, where the server leaves a copy of each error.
sql(<<'EOF');
CREATE TABLE orders (id int PRIMARY KEY, what text, total numeric);
CREATE TABLE parts (id int, what text) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE PUBLICATION p FOR TABLE orders, parts WITH (publish_via_partition_root);
EOF
sql("SELECT pg_create_logical_replication_slot('restarts', 'wal2kafka')");
sql(<<'EOF');
BEGIN;
INSERT INTO orders SELECT g, 'row ' || g, g / 7.0 FROM generate_series(1, 300) g;
INSERT INTO parts VALUES (1, 'one');
ALTER TABLE orders ADD more text;
UPDATE orders SET what = repeat('x', 100);
TRUNCATE parts;
INSERT INTO orders VALUES (0, 'inside');
COMMIT;
INSERT INTO orders VALUES (1000, 'last');
EOF

my @good    = (publication_names => 'p');
my @bad     = (publication_names => 'p', truncate => 'halt');
my @refused = (publication_names => 'p', nonsense => 1);

# Name of a context => bytes, early and late.
sub memory
{
	my ($output) = @_;
	my %memory;

	$memory{$1}{$2} = $3 while $output =~ /^(early|late)\t(.*)\t(\d+)$/mg;
	return @memory{qw(early late)};
}

sub total { my ($of) = @_; my $sum = 0; $sum += $_ for values %$of; return $sum; }

sub test_memory
{
	my ($where, $output) = @_;
	my ($early, $late) = memory($output);
	my @ours = grep { /wal2kafka|logical decoding|reorder/i } sort keys %$late;

	cmp_ok(total($late), '<', total($early) + $bound,
		"$where: memory does not grow");
	cmp_ok($late->{$_}, '<', $early->{$_} + $bound, "$where: nor does $_")
	  for qw(TopMemoryContext CacheMemoryContext);
	is("@ours", '', "$where: nothing of a session is left");
	note("$where: ", total($early), ' bytes after 30 starts, ', total($late),
		" after $times");
	return;
}

# --- one session of SQL ---
sub peek
{
	my @options = map { "'$_'" } @_;
	return 'SELECT count(*) FROM pg_logical_slot_peek_binary_changes('
	  . join(', ', "'restarts'", 'NULL', 'NULL', @options) . ");\n";
}

sub contexts
{
	my ($when) = @_;
	return "SELECT '$when', name, sum(total_bytes) FROM pg_backend_memory_contexts GROUP BY name;\n";
}

my $script = '';
for my $i (0 .. $times - 1)
{
	my @frames = $i % 2 ? (proto_version => 1) : ();
	$script .= peek(@frames, @{ (\@good, \@bad, \@refused)[ $i % 3 ] });
	$script .= contexts('early') if $i == 30;
}
spit(launch_dir() . '/script.sql', $script . contexts('late'));
IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-F', "\t", '-d',
	$node->connstr('postgres'), '-f', launch_dir() . '/script.sql' ],
	'>', \my $out, '2>', \my $err);
my $each = int($times / 3);
is(() = $out =~ /^[1-9]\d*$/mg, $each, 'SQL: a third was read');
is(() = $err =~ /ERROR:.*was truncated/g, $each,
	'SQL: a third ended with an error in the middle');
is(() = $err =~ /ERROR:.*nonsense/g, $each, 'SQL: a third was refused');
test_memory('SQL', $out);

# --- one walsender ---
sub list
{
	my @list;
	while (my ($name, $value) = splice @_, 0, 2)
	{
		push @list, "$name '$value'";
	}
	return join ', ', @list;
}

my @framed = (proto_version => 1);
$out = run_tool('restarts', $node->connstr('postgres'), 'restarts', $times,
	list(@bad), list(@framed, @bad), list(@refused), list(@framed, @good));
is(() = slurp($node->logfile) =~ /ERROR:.*was truncated/g, 3 * $each,
	'walsender: two thirds ended with an error in the middle');
test_memory('walsender', $out);
unlike(slurp($node->logfile), qr/PANIC|TRAP|terminated by signal|callback_list/,
	'the server saw nothing else');

done_testing();
