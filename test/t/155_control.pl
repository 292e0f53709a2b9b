# The socket for commands: its own user's alone, replaced when its process was
# killed and never while that lives, left to the shipper that ships; and nobody
# who misuses it delays what is shipped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Fcntl qw(S_ISSOCK);
use IO::Socket::UNIX;
use JSON::PP ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_SNDBUF);
use Test::More;

my $rows = 100_000;
my $path = launch_dir() . '/control.sock';
my $node = new_server('source');
my $sinks = 0;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub shipper
{
	my ($slot, %options) = @_;
	return Wal2Kafka::Shipper->new(
		node => $node,
		slot => $slot,
		options => {
			sink => 'file:' . launch_dir() . '/sink' . $sinks++,
			control => $path,
			standby_check_interval => 1,
			%options
		});
}

sub connect_to
{
	my $socket = IO::Socket::UNIX->new(Peer => $path) or die "connect: $!";
	$socket->autoflush(1);
	return $socket;
}

# A line, or what there is until the other side closes.
sub read_line
{
	my ($socket) = @_;
	my $text = '';

	$socket->blocking(0);
	wait_until(
		'there is a line',
		sub {
			my $got = sysread $socket, $text, 65536, length $text;
			return 1 if $text =~ /\n\z/;
			return defined $got ? $got == 0 : !$!{EAGAIN};
		},
		30);
	$socket->blocking(1);
	return $text;
}

sub send_to
{
	my ($socket, $request) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print $socket $request;
	return read_line($socket);
}

sub ask { return send_to(connect_to(), $_[0]); }

sub is_closed
{
	my ($socket) = @_;
	$socket->blocking(0);
	my $got = sysread $socket, my $rest, 1;
	return defined $got ? $got == 0 : !$!{EAGAIN};
}

sub answers
{
	my ($shipper, $what) = @_;
	my $answer = JSON::PP::decode_json(ask(qq({"command":"status"}\n)));
	is($answer->{pid}, $shipper->pid, "$what: it answers");
	is($answer->{slot}, $shipper->{slot}, "$what: with its slot");
	return $answer;
}

sql('CREATE TABLE t (id int PRIMARY KEY)');
my $first = shipper('first');
$first->init;

# --- a path that cannot be used ---
{
	spit($path, 'precious');
	my ($status, $output) = $first->command('run');
	is($status, 1, 'a file is in the way: refused');
	like($output, qr/no commands can be taken at "\Q$path\E": what is there is no socket.*hint.*"control"/s,
		'and said');
	is(slurp($path), 'precious', 'the file is as it was');
	unlink $path;
	($status, $output) =
	  shipper('first', control => '/nowhere/at/all')->command('run');
	is($status, 1, 'a folder that is not there: refused');
	like($output, qr{"/nowhere/at/all": No such file or directory}, 'and said');
}

# --- commands that reach nobody ---
sub command_fails
{
	my ($what, $wanted, $pattern, @args) = @_;
	my ($status, $output) = $first->command('snapshot', @args);
	is($status, $wanted, "$what: status $wanted");
	like($output, $pattern, "$what: said, with what to do");
	return;
}

command_fails('nobody there', 2,
	qr/no shipper takes commands at "\Q$path\E"\n.*hint .*"wal2kafka run"/, @$_)
  for [], ['t'], ['--status'], ['--pause'], ['--resume', '--json'], ['--cancel'], ['--no-wait'];
{
	local $first->{options} = { %{ $first->{options} }, control => 'none' };
	$first->configure($first->config_text);
	command_fails('control = none', 1, qr/"control" is none.*hint .*control = none/s);
}
$first->configure($first->config_text);

# --- none at all ---
my $mute = shipper('first', control => 'none');
$mute->start;
$mute->wait_for_log(qr/streaming slot/);
ok(!-e $path, 'no socket with "control = none"');
is($mute->stop, 0, 'stopped');

# --- for its user alone, whatever the umask ---
{
	my $mask = umask 0;
	$first->start;
	umask $mask;
	$first->wait_for_log(qr/commands are taken at "\Q$path\E"/);
	my $mode = (lstat $path)[2];
	ok(S_ISSOCK($mode), 'a socket');
	is(sprintf('%o', $mode & 07777), '600', 'nobody else may use it');
	answers($first, 'at the start');
}

# --- commands that are refused, or not answered ---
chmod 0, $path;
command_fails('a socket that may not be used', 1,
	qr/\Q$path\E" cannot be used: Permission denied\n.*hint .*the user that "wal2kafka run" runs as/,
	'--status');
chmod 0600, $path;
freeze_process($first->pid);
command_fails('a process that stands still', 2,
	qr/the process at "\Q$path\E" gives no answer\n.*hint/, '--status');
kill 'CONT', $first->pid;
command_fails('no table', 1, qr/"\Q$_\E" is no table\n.*hint .*SCHEMA\.TABLE/, $_)
  for 'a.b.c', '', 'a b', '"a', "\xff";
command_fails('two wishes', 1, qr/"--pause" and "--cancel" cannot be asked for at once/,
	'--pause', '--cancel');
command_fails('a table to pause', 1, qr/"--pause" is about all of the snapshot/,
	'--pause', 't');

# --- what may be sent, and what may not ---
my $long = 'x' x 65536;
my %refused = (
	qq({"command":"dance"}\n) => qr/unknown command \\"dance\\"/,
	qq({"command":"snapshot","tables":"t"}\n) => qr/takes a list of names/,
	qq({"command":"snapshot","tables":["t",1]}\n) => qr/takes a list of names/,
	qq({"command":"snapshot","tables":["a.b.c"]}\n) => qr/no name of a table.*"hint":/,
	qq({"command":1}\n) => qr/a request needs a \\"command\\"/,
	qq({}\n) => qr/a request needs a \\"command\\"/,
	qq({"command":"status","slot":"other"}\n) =>
	  qr/has the slot \\"first\\".*"hint":/,
	qq([]\n) => qr/one JSON object a line/,
	qq("status"\n) => qr/one JSON object a line/,
	qq(status\n) => qr/one JSON object a line/,
	qq(\n) => qr/one JSON object a line/,
	qq({"command":"status","command":"status"}\n) => qr/one JSON object a line/,
	qq({"command":"\xff"}\n) => qr/one JSON object a line/,
	qq({"command":"a\\u0000b"}\n) => qr/one JSON object a line/,
	"\0\n" => qr/one JSON object a line/,
	('[' x 60000) . "\n" => qr/one JSON object a line/,
	qq({"command":"$long"}\n) => qr/a request may have 64 kB/,
	$long => qr/a request may have 64 kB/);
for my $request (sort keys %refused)
{
	like(ask($request), qr/\A\{"ok":false,"error":.*$refused{$request}.*\n\z/,
		'refused: ' . substr($request =~ s/[^ -~]/?/gr, 0, 40));
}
{
	my $socket = connect_to();
	like(send_to($socket, qq({"command":"status"}\n)), qr/"ok":true/, 'a request');
	like(send_to($socket, qq({"command":"status"}\n)),
		qr/"ok":true/, 'and another, over the same connection');
	is( () = send_to($socket, qq({"command":"status"}\n{"command":"status"}\n)) =~ /"ok"/g,
		1, 'two at once are answered once');
	wait_until('it is sent away', sub { return is_closed($socket); });
}

# --- hostile clients, while rows are shipped ---
sub descriptors
{
	my @open = glob '/proc/' . $first->pid . '/fd/*';
	return scalar @open;
}

sql('INSERT INTO t VALUES (0)');
wait_for_slot($node, 'first');
my $descriptors = descriptors();
sql("INSERT INTO t SELECT generate_series(1, $rows)");
my @idle = map { connect_to() } 1 .. 20;
my @half = map { my $s = connect_to(); print $s '{"command":"st'; $s } 1 .. 3;
my @deaf = map {
	my $s = connect_to();
	setsockopt $s, SOL_SOCKET, SO_RCVBUF, 1024;
	print $s qq({"command":"status"}\n);
	$s
} 1 .. 3;
{
	local $SIG{PIPE} = 'IGNORE';
	for (1 .. 100)
	{
		my $s = connect_to();
		print $s substr($long, 0, 1 + int rand 65536);
		close $s;
	}
}
answers($first, 'in the midst of them');
wait_for_slot($node, 'first');
answers($first, 'all rows are delivered');
cmp_ok(descriptors(), '<=', $descriptors + 8, 'it holds few of them');
wait_until('those that said nothing are sent away',
	sub { return descriptors() <= $descriptors; }, 40);
ok(!grep({ !is_closed($_) } @idle, @half), 'all of them');
my $sent = () = slurp(glob launch_dir() . '/sink0/public.t.jsonl') =~ /"Insert"/g;
is($sent, $rows + 1, 'each row went out once');

# --- the socket is taken away ---
unlink $path;
$first->wait_for_log(qr/was removed or replaced/);
wait_until('there is another', sub { return eval { ask("{}\n") } });
answers($first, 'removed and made anew');

# --- two with one path ---
my $second = shipper('second');
$second->init;
$second->start;
$second->wait_for_log(qr/another process takes commands at "\Q$path\E"/);
$second->wait_for_log(qr/streaming slot/);
answers($first, 'beside another');
{
	my ($status, $output) = $second->command('status');
	is($status, 0, 'status of the other');
	unlike($output, qr/^shipper/m, 'asks no shipper of another slot');
	($status, $output) = $first->command('status');
	like($output, qr/^shipper +process @{[ $first->pid ]}, wal2kafka \d/m,
		'status names the process');
	($status, $output) = $first->command('status', '--json');
	is(JSON::PP::decode_json($output)->{shipper}{pid}, $first->pid, 'as JSON, too');
}
is($first->stop, 0, 'the first ends');
$second->wait_for_log(qr/commands are taken at/);
answers($second, 'the other has it now');

# --- killed, and another in its place ---
$second->kill9;
ok(-S $path, 'a process that was killed leaves it behind');
$first->start;
wait_until('the next one has it', sub { return eval { ask("{}\n") } });
answers($first, 'after a kill');
rename $path, "$path.old";
spit($path, 'precious');
is($first->stop, 0, 'stopped');
is(slurp($path), 'precious', 'what is not its own is not removed');
unlink $path, "$path.old";

# --- one slot, two shippers: it goes with the slot ---
# What one of them knew of the slot would be old when it takes over again.
$first = shipper('first', state => 'none');
my $standby = shipper('first', state => 'none');
$first->start;
wait_until('it has the slot',
	sub { return slot_field($node, 'first', 'active') eq 't'; });
wait_until('the active one has it', sub { return -S $path; });
$standby->start;
$standby->wait_for_log(qr/another/);
answers($first, 'the active one');
$first->kill9;
wait_until('the standby has the slot',
	sub { return slot_field($node, 'first', 'active') eq 't'; });
wait_until('the standby has the socket', sub { return eval { ask("{}\n") } });
answers($standby, 'the one that took over');

# frozen, and without the slot when it wakes up
my $from = $first->log_size;
my $reader = slot_field($node, 'first', 'active_pid');
$first->start;
$first->wait_for_log(qr/standing by/, $from);
freeze_process($standby->pid);
sql(q(SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
	WHERE slot_name = 'first'));
wait_until(
	'the other has the slot',
	sub {
		my $now = slot_field($node, 'first', 'active_pid');
		return $now ne '' && $now != $reader;
	});
kill 'CONT', $standby->pid;
wait_until('the one that woke up leaves the socket to it',
	sub { return eval { JSON::PP::decode_json(ask(qq({"command":"status"}\n)))->{pid} == $first->pid }; });
is($first->stop, 0, 'stopped');
is($standby->stop, 0, 'stopped');
ok(!-e $path, 'and nothing is left');

done_testing();
