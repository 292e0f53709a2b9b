# "wal2kafka snapshot" as people use it: followed to its end, left alone,
# paused, cancelled, interrupted, through a kill of the shipper; what it prints
# and how it ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IO::Socket::UNIX;
use IPC::Run ();
use JSON::PP ();
use POSIX ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Shipper;
use Test::More;

my $folder = launch_dir() . '/sink';
my $node = new_extension_server('source');
my $rows = 5000;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<"EOF");
CREATE EXTENSION wal2kafka;
CREATE TABLE big (id int PRIMARY KEY, v text);
CREATE TABLE small (id int PRIMARY KEY);
CREATE TABLE "Odd one" (id int PRIMARY KEY);
CREATE TABLE keyless (id int);
INSERT INTO big SELECT g, 'v' FROM generate_series(1, $rows) g;
INSERT INTO small VALUES (1), (2);
INSERT INTO "Odd one" VALUES (1);
INSERT INTO keyless VALUES (1);
CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');
ANALYZE;
EOF
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	publication => 'p',
	options => {
		sink => "file:$folder",
		control => launch_dir() . '/control.sock',
		snapshot_chunk_rows => 100
	});
$shipper->init;
start();

# What goes beyond is a number of rows per second.
sub start
{
	my (%o) = @_;
	local $shipper->{options} = { %{ $shipper->{options} }, %o };
	my $from = $shipper->log_size;
	$shipper->configure($shipper->config_text);
	$shipper->start;
	$shipper->wait_for_log(qr/streaming slot/, $from);
	return;
}

# Snapshot records of a table's topic: how many, of how many rows.
sub sent
{
	my ($topic) = @_;
	my $file = "$folder/$topic.jsonl";
	my @ids = map { /"snapshot":true/ && /"Insert":\["(\d+)"/ ? $1 : () }
	  -e $file ? split /\n/, slurp($file) : ();
	my %ids = map { $_ => 1 } @ids;
	return (scalar @ids, scalar keys %ids);
}

sub status
{
	my ($code, $output) = $shipper->command('snapshot', '--status', '--json');
	return JSON::PP::decode_json($output);
}

# As a script has it: no terminal, its output apart from its log.
sub begin
{
	my (@args) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ $shipper->{program}, 'snapshot', '-c', $shipper->{file}, @args ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(120));
	return { run => $run, out => \$out, err => \$err };
}

sub finish
{
	my ($command) = @_;
	$command->{run}->finish;
	my $status = $?;
	note(${ $command->{out} }, ${ $command->{err} });
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

# --- followed to its end ---
is(status()->{state}, 'none', 'no snapshot yet');
my ($status, $output) = $shipper->command('snapshot', '--pause');
is($status, 1, 'nothing to pause');
my $all = begin('small', '"Odd one"');
is(finish($all), 0, 'two tables');
like(${ $all->{out} }, qr/^snapshot done: 3 rows\n/, 'said');
like(${ $all->{out} }, qr/^  public\.small: done, 2 rows$/m, 'a table');
like(${ $all->{out} }, qr/^  public\."Odd one": done, 1 row$/m, 'another');
is(${ $all->{err} }, '', 'and nothing else');
is_deeply([ sent('public.small') ], [ 2, 2 ], 'its rows are there');
is_deeply([ sent('public.Odd-20one') ], [ 1, 1 ], 'and the other\'s');

# --- what cannot be copied is named, the rest is copied ---
($status, $output) = $shipper->command('snapshot', 'nosuch', 'keyless', 'public.small');
is($status, 3, 'two tables that cannot be copied: status 3');
like($output, qr/table public\.nosuch could not be copied: \S/, 'one is named');
like($output, qr/table public\.keyless could not be copied: .*primary key/, 'the other');
like($output, qr/^  public\.small: done, 2 rows$/m, 'the third is copied');
is_deeply([ sent('public.small') ], [ 4, 2 ], 'its rows were sent again');
($status, $output) = $shipper->command('status');
like($output, qr/^snapshot +failed: 2 rows\n  public\.\w+: failed/m, 'status names them too');
unlike($output, qr/public\.small/, 'and not what is done');

# --- paused, resumed, cancelled ---
is($shipper->stop, 0, 'stopped');
start(snapshot_rate => 1000);
($status, $output) = $shipper->command('snapshot', '--no-wait', 'big');
is($status, 0, 'taken over');
like($output, qr/^snapshot running: /, 'said');
wait_until('some of it is done', sub { return status()->{rows} > 0; });
($status, $output) = $shipper->command('status');
like($output, qr/^snapshot +running: \d+ %, \d+ of about \d+ rows, \d+ rows\/s.*\n  public\.big: copying, \d+ %, /m,
	'status tells how far it is');
($status, $output) = $shipper->command('status', '--json');
is(JSON::PP::decode_json($output)->{shipper}{snapshot}{state}, 'running', 'as JSON, too');
($status, $output) = $shipper->command('snapshot', 'big');
is($status, 1, 'the same once more: refused');
($status, $output) = $shipper->command('snapshot', '--pause');
is($status, 0, 'paused');
like($output, qr/^snapshot paused: \d+ %, /, 'said');
sql('INSERT INTO small VALUES (100)');
wait_for_slot($node, 'wal2kafka');
cmp_ok(status()->{rows}, '<', $rows, 'changes go on without it');
is(status()->{state}, 'paused', 'it is still paused');
is(($shipper->command('snapshot', '--resume'))[0], 0, 'resumed');
is(status()->{state}, 'running', 'and goes on');
my $follower = begin('small');
wait_until('another table is taken', sub { return @{ status()->{tables} } == 2; });
is(($shipper->command('snapshot', '--cancel'))[0], 0, 'cancelled');
is(finish($follower), 3, 'whoever waits for it learns that: status 3');
like(${ $follower->{err} }, qr/error +the snapshot was cancelled/, 'and is told');
is(status()->{state}, 'cancelled', 'it is cancelled');

# --- interrupted: the command, not the snapshot ---
$follower = begin('big');
wait_until('some of it is done', sub { my $s = status(); return $s->{state} eq 'running' && $s->{rows} > 0; });
$follower->{run}->signal('INT');
is(finish($follower), 128 + 2, 'an interrupt ends the command');
like(${ $follower->{err} }, qr/the snapshot goes on without this command: .*--status/, 'and says that the snapshot goes on');
my $seen = status()->{rows};
wait_until('it does', sub { return status()->{rows} > $seen; });
is(($shipper->command('snapshot', '--cancel'))[0], 0, 'cancelled');

# --- the shipper is killed meanwhile ---
$follower = begin('big');
wait_until('some of it is on record',
	sub { slurp("$folder/wal2kafka.state") =~ /"public\.big","state":"copying"/; });
$shipper->kill9;
wait_until('the command says so', sub {
	$follower->{run}->pump_nb;
	return ${ $follower->{err} } =~ /: the snapshot goes on when one does/; });
start();
is(finish($follower), 0, 'when the next one has done it, so has the command');
like(${ $follower->{out} }, qr/^  public\.big: done, $rows rows$/m, 'all rows');
is((sent('public.big'))[1], $rows, 'they are there');

# --- killed as soon as it has said yes: what was asked for is on record ---
is(($shipper->command('snapshot', '--no-wait', 'small'))[0], 0, 'taken over');
$shipper->kill9;
start();
wait_until('the next one does it', sub { return status()->{state} eq 'done'; });
is_deeply([ map { $_->{name} } @{ status()->{tables} } ], ['public.small'], 'that and nothing else');
is($shipper->stop, 0, 'stopped');
start(snapshot_rate => 1000);
is(($shipper->command('snapshot', '--no-wait', 'big'))[0], 0, 'taken over');
wait_until('some of it is done', sub { return status()->{rows} > 0; });
is(($shipper->command('snapshot', '--pause'))[0], 0, 'paused');
$shipper->kill9;
start();
wait_until('the next one knows of it', sub { return status()->{state} ne 'none'; });
is(status()->{state}, 'paused', 'it is still paused');
is(($shipper->command('snapshot', '--cancel'))[0], 0, 'cancelled');
$shipper->kill9;
start();
wait_until('the next one knows of it', sub { return status()->{state} ne 'none'; });
is(status()->{state}, 'cancelled', 'it is still cancelled');

# --- on a terminal ---
is($shipper->stop, 0, 'stopped');
start(snapshot_rate => 2000);
{
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ $shipper->{program}, 'snapshot', '-c', $shipper->{file}, 'big' ],
		'<pty<', \$in, '>pty>', \$out, IPC::Run::timeout(120));
	$run->finish;
	is($? >> 8, 0, 'on a terminal');
	my @drawn = $out =~ /\r(\[#*\.*\] running: \d+ %.*?)\e\[K/g;
	cmp_ok(scalar @drawn, '>', 1, 'a bar is drawn again and again');
	ok(!grep({ length > 79 } @drawn), 'within 80 columns');
	like($out, qr/\e\[K\r?\n.*snapshot done: $rows rows\r?\n/s, 'and ends with its line');
}

# --- a log has a line now and then ---
is($shipper->stop, 0, 'stopped');
start(snapshot_rate => 400);
$follower = begin('--json', 'big');
is(finish($follower), 0, 'in a script');
like(${ $follower->{err} }, qr/\A\S+ info +snapshot running: \d+ %, \d+ of about $rows rows.*\n/, 'a line of the log');
my $lines = () = ${ $follower->{err} } =~ /\n/g;
is($lines, 1, 'one in ten seconds');
is(JSON::PP::decode_json(${ $follower->{out} })->{rows}, $rows, 'its end is JSON');

is($shipper->stop, 0, 'stopped');

# --- one that begins answers before it knows of the snapshot; or is no shipper ---
sub pretend
{
	my (@answers) = @_;
	my $path = $shipper->{options}{control};
	unlink $path;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 5) or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		for my $answer (@answers)
		{
			my $client = $listener->accept;
			readline $client;
			print $client $answer;
			close $client;
		}
		POSIX::_exit(0);
	}
	close $listener;
	my ($code, $said) = $shipper->command('snapshot', 'big');
	kill 'KILL', $pid;
	waitpid $pid, 0;
	unlink $path;
	return ($code, $said);
}

sub knows { return qq({"ok":true,"snapshot":{"state":"$_[0]","rows":7}}\n); }
($status, $output) = pretend(knows('running'), knows('none'), "{}\n", '', knows('running'), knows('done'));
is($status, 0, 'one that begins is waited for');
like($output, qr/no shipper knows of the snapshot: the snapshot goes on when one does.*done: 7 rows/s, 'and that is said');
unlike($output, qr/goes on.*goes on/s, 'once');
($status, $output) = pretend(knows('running'), knows('cancelled'));
is($status, 3, 'cancelled by somebody');
sub asked { return sprintf qq({"ok":true,"pid":%d,"change":2,"recorded":1,"snapshot":{"state":"running"}}\n), @_; }
($status, $output) = pretend(asked(1), asked(1), asked(2));
is($status, 2, 'started anew before it was on record');
like($output, qr/error +the shipper was started anew.*\n.*hint +Ask again/, 'said');
($status, $output) = pretend(asked(1), asked(1), '', knows('done'));
is($status, 0, 'gone before it was on record: the next one is waited for');
for my $answer ('', "\n", "[]\n", "{}\n", qq({"ok":1}\n), qq({"ok":true}), "\0" x 100_000)
{
	($status, $output) = pretend($answer);
	is($status, 2, 'an answer that is none');
	like($output, qr/gives no answer\n.*hint /, 'is said to be none');
}
($status, $output) = pretend(qq({"ok":false,"error":"not \\u001b now","hint":"Later."}\n));
is($status, 1, 'refused');
like($output, qr/error +not \\x1b now\n.*hint +Later\.\n/, 'with its words, which forge nothing');

# --- with a new slot ---
my $known = sql('SELECT count(*) FROM small') + $rows + 2;

sub fresh
{
	my ($slot) = @_;
	$folder = launch_dir() . "/sink_$slot";
	return Wal2Kafka::Shipper->new(
		node => $node,
		slot => $slot,
		publication => 'p',
		options => { sink => "file:$folder", control => launch_dir() . "/$slot.sock" });
}

sub all_sent
{
	my @sent = map { [ sent("public.$_") ] } qw(big small Odd-20one keyless);
	my ($records, $found) = (0, 0);
	($records, $found) = ($records + $_->[0], $found + $_->[1]) for @sent;
	return "$records of $found";
}

my $fresh = fresh('fresh');
($status, $output) = $fresh->command('run', '--snapshot');
is($status, 1, '--snapshot without --init: status 1');
like($output, qr/"--snapshot" goes with "--init"/, 'said');
($status, $output) = $fresh->command('init', '--snapshot');
is($status, 0, 'init --snapshot');
is(all_sent(), "$known of $known", 'each row once, without a key, too');
($status, $output) = $fresh->command('init', '--snapshot');
is($status, 3, 'once more: the slot is there');
like($output, qr/there already.*hint .*"wal2kafka snapshot"/s, 'what to do is said');
is(all_sent(), "$known of $known", 'and nothing is sent');
sql('INSERT INTO keyless VALUES (2)');
$fresh->start;
wait_for_slot($node, 'fresh');
is($fresh->stop, 0, 'stopped');
my @lsns = map { /"lsn":(\d+)/ } split /\n/, slurp("$folder/public.keyless.jsonl");
is(scalar @lsns, 2, 'a change after it');
cmp_ok($lsns[0], '<', $lsns[1], 'is greater');

$fresh = fresh('both');
$fresh->start('--init', '--snapshot');
$fresh->wait_for_log(qr/streaming slot/);
sql('INSERT INTO keyless VALUES (3)');
wait_for_slot($node, 'both');
$known++;
wait_until('run --init --snapshot sends each row once',
	sub { return all_sent() eq "$known of $known"; });
is($fresh->stop, 0, 'stopped');
done_testing();
