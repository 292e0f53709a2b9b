# Where it listens, what it says when it cannot, and that /live tells of a loop
# that stands still, whatever else is well.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use Test::More;

my $node = new_server('source');

sub shipper
{
	my ($slot, %o) = @_;
	return Wal2Kafka::Shipper->new(
		node => $node,
		slot => $slot,
		%o,
		options => { sink => 'stdout', %{ $o{options} || {} } });
}

my $port = PostgreSQL::Test::Cluster::get_free_port();
if (!Wal2Kafka::Shipper->can_http)
{
	my ($status, $output) =
	  shipper('a', options => { http => $port })->command('run');
	is($status, 1, 'built without libmicrohttpd: refused');
	like($output, qr/built without libmicrohttpd.*libmicrohttpd-dev/,
		'and what helps is said');
	done_testing();
	exit 0;
}
$node->safe_psql('postgres', 'CREATE TABLE t (id int, v text)');

# --- without the option, nothing listens ---
sub listeners
{
	my ($pid) = @_;
	my %sockets = map { (readlink || '') =~ /^socket:\[(\d+)\]$/ ? ($1 => 1) : () }
	  glob "/proc/$pid/fd/*";
	return grep { (split ' ')[3] eq '0A' && $sockets{ (split ' ')[9] } }
	  map { split /\n/, slurp($_) } grep { -e } '/proc/net/tcp', '/proc/net/tcp6';
}
my $first = shipper('a');
$first->init;
$first->start;
$first->wait_for_log(qr/streaming slot/);
is(scalar listeners($first->pid), 0, 'by default nothing listens');
is($first->stop, 0, 'stopped');

# --- a port alone is one of loopback ---
$first = shipper('a', http => 1);
$first->start;
$first->wait_ready;
my @listeners = listeners($first->pid);
is(@listeners, 1, 'one socket listens');
like($listeners[0], qr/^\s*\d+: 0100007F:/, 'on loopback');

# --- an address in use ---
my ($status, $output) =
  shipper('a', options => { http => $first->http_port })->command('run');
is($status, 1, 'an address in use: status 1');
like(
	$output,
	qr/could not listen at "http" = \d+: Address already in use/,
	'the address is named');
like($output, qr/hint +Another program has that port/, 'and what helps');
unlike($output, qr/streaming slot/, 'before anything else is done');
ok($first->ready, 'the other is not disturbed');
is($first->stop, 0, 'stopped');
($status, $output) =
  shipper('a', options => { http => "203.0.113.7:$port" })->command('run');
is($status, 1, 'an address that is not of this machine: status 1');
like($output, qr/"http" = 203\.0\.113\.7:\d+: Cannot assign/, 'it is named');

# --- all addresses, and the same port again at once ---
$first = shipper(
	'a',
	http_port => $first->http_port,
	options => { http => '0.0.0.0:' . $first->http_port });
$first->start;
$first->wait_ready;
like((listeners($first->pid))[0], qr/^\s*\d+: 00000000:/, 'all addresses');
is($first->stop, 0, 'stopped');

# --- a loop that stands still: its log is a pipe that nobody reads ---
$node->safe_psql('postgres',
	"SELECT pg_create_logical_replication_slot('b', 'wal2kafka')");
my $stuck = shipper('b', http => 1, options => { log_level => 'debug', flush => 'commit' });
pipe(my $from, my $to) or die "pipe: $!";
my $pid = fork // die "fork: $!";
if ($pid == 0)
{
	open STDOUT, '>', launch_dir() . '/stuck.out';
	open STDERR, '>&', $to;
	exec('setpriv', '--pdeathsig', 'KILL', $stuck->{program}, 'run', '-c',
		$stuck->{file})
	  or POSIX::_exit(127);
}
close $to;
wait_until('it is ready', sub { return scalar $stuck->ready; });
ok($stuck->live, 'live');
my $told = $stuck->metrics;
$node->safe_psql('postgres', <<'EOS');
DO $$ BEGIN
	FOR i IN 1 .. 3000 LOOP
		INSERT INTO t VALUES (i, 'a line of the log'); COMMIT;
	END LOOP;
END $$
EOS
wait_until('/live tells of it', sub { return !$stuck->live; });
like(($stuck->page('/live'))[1], qr/^the main loop stands still since \d+ s$/,
	'/live says what it is');
ok(!$stuck->ready, 'and it is not ready');
my $page = $stuck->metrics;
cmp_ok($page->{loop_idle_seconds}, '>=', 10, '/metrics says so too');
cmp_ok($page->{records_received_total},
	'>=', $told->{records_received_total}, 'as of when it stood');
{
	my $reader = fork // die "fork: $!";
	if ($reader == 0)
	{
		1 while sysread $from, my $bytes, 65536;
		POSIX::_exit(0);
	}
	close $from;
	wait_until('it is live again', sub { return scalar $stuck->live; });
	$stuck->wait_metric('records_acknowledged_total', sub { $_ == 3000 });
	pass('once somebody reads, it goes on');
	kill 'TERM', $pid;
	is(reap($pid), 0, 'stopped');
	waitpid $reader, 0;
}

done_testing();
