# What talks to the HTTP port is not trusted: slow, huge, malformed and many
# clients are answered in a word or sent away, and never delay shipping.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

plan skip_all => 'built without libmicrohttpd'
  if !Wal2Kafka::Shipper->can_http;

my $kafka = Wal2Kafka::Kafka->new;
my $node = new_server('source');
my $slot = 'wal2kafka';
my $rows = $kafka->is_mock ? 5000 : 200_000;

$node->safe_psql('postgres', <<'EOS');
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE PUBLICATION p FOR TABLE t;
EOS
$kafka->create_topic('public.t', 2);
my $shipper = Wal2Kafka::Shipper->new(
	node => $node,
	kafka => $kafka,
	publication => 'p',
	http => 1);
$shipper->init;
$shipper->start;
$shipper->wait_ready;
my $descriptors = descriptors();

sub descriptors
{
	my @open = glob '/proc/' . $shipper->pid . '/fd/*';
	return scalar @open;
}

sub connect_to
{
	my (@options) = @_;
	my $socket = IO::Socket::INET->new(
		PeerAddr => '127.0.0.1',
		PeerPort => $shipper->http_port,
		@options) or die "connect: $!";
	$socket->autoflush(1);
	return $socket;
}

# What comes until the other side closes.
sub read_all
{
	my ($socket) = @_;
	my $text = '';

	$socket->blocking(0);
	wait_until(
		'the connection is closed',
		sub {
			my $got = sysread $socket, $text, 65536, length $text;
			return defined $got ? $got == 0 : !$!{EAGAIN};
		},
		30);
	return $text;
}

# Sends as much as is taken, and returns the answer.
sub send_request
{
	my ($request) = @_;
	my $socket = connect_to();
	local $SIG{PIPE} = 'IGNORE';
	print $socket $request;
	return read_all($socket);
}

# --- what may be asked ---
my $good = "Host: x\r\n\r\n";
like(send_request("GET /live HTTP/1.1\r\n$good"),
	qr{^HTTP/1.1 200 OK\r\n.*\r\n\r\nlive\n\z}s, 'GET');
like(send_request("HEAD /live HTTP/1.1\r\n$good"),
	qr{^HTTP/1.1 200 OK\r\n.*Content-Length: 5\r\n\r\n\z}s,
	'HEAD has no body');
like(send_request("GET /live HTTP/1.0\r\n\r\n"),
	qr{^HTTP/1.[01] 200 OK\r\n.*live\n\z}s, 'HTTP/1.0');
like(send_request("GET /metrics HTTP/1.1\r\n$good"),
	qr{^Content-Type: text/plain; version=0.0.4; charset=utf-8\r$}m,
	'the type of /metrics');
my $twice = send_request("GET /live HTTP/1.1\r\n$good" x 20);
like($twice, qr{^HTTP/1.1 200 OK\r\n.*\nlive\n\z}s, 'pipelining: one answer');
is(() = $twice =~ /^HTTP/mg, 1, 'and no more');

# --- what may not, and nothing of it comes back ---
my $word = 'mirror';
my %refused = (
	"POST /live HTTP/1.1\r\nContent-Length: 6\r\n$good$word" => 405,
	"POST /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${good}fffffff\r\n$word" => 405,
	"PUT /ready HTTP/1.1\r\nContent-Length: 99999999999\r\n$good" => 405,
	"DELETE /metrics HTTP/1.1\r\n$good" => 405,
	"$word /live HTTP/1.1\r\n$good" => 405,
	"GET /$word HTTP/1.1\r\n$good" => 404,
	"GET / HTTP/1.1\r\n$good" => 404,
	"GET /live/../ready HTTP/1.1\r\n$good" => 404,
	"GET /../../etc/passwd HTTP/1.1\r\n$good" => 404,
	"GET /%00%0d%0a$word HTTP/1.1\r\n$good" => '40[04]',
	"GET /$word<script> HTTP/1.1\r\nX: $word\r\n$good" => 404);
for my $request (sort keys %refused)
{
	my $answer = send_request($request);
	my ($line) = $request =~ /^(.*?)\r/;
	like($answer, qr{^HTTP/1.1 $refused{$request} }, "$refused{$request}: $line");
	unlike($answer, qr/$word|root:/, 'nothing is sent back');
}
like(
	send_request("PATCH /live HTTP/1.1\r\n$good"),
	qr{^Allow: GET, HEAD\r$}m,
	'what is allowed is said');

my %malformed = (
	'a header of 1 MB' => "GET /live HTTP/1.1\r\nX: " . 'x' x 1_000_000,
	'10,000 headers' => "GET /live HTTP/1.1\r\n" . "X: x\r\n" x 10_000,
	'a path of 1 MB' => 'GET /' . 'x' x 1_000_000,
	'1 MB without a newline' => 'x' x 1_000_000,
	'NUL bytes' => "\0" x 1000,
	'every byte' => join('', map { chr } 0 .. 255) x 100,
	'a request for TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" x 9,
	'newlines' => "\r\n" x 10_000);
for my $what (sort keys %malformed)
{
	my $answer = send_request($malformed{$what});
	like($answer, qr{^(?:HTTP/1.[01] [45]\d\d .*)?\z}s, "$what: sent away");
}
like(send_request("GET /live HTTP/1.1\r\nX: " . 'x' x 3500 . "\r\n$good"),
	qr{^HTTP/1.1 200 }, 'a request of 3.5 kB is one');
like(send_request("GET /live HTTP/1.1\r\nX: " . 'x' x 5200 . "\r\n$good"),
	qr{^HTTP/1.1 431 }, 'one of 5.2 kB is too large');
ok($shipper->live, 'it lives');

# --- many, and slow, while a backlog is shipped ---
my @idle = map { connect_to() } 1 .. 50;
my @half = map { connect_to() } 1 .. 50;
print $_ "GET /live HTTP/1.1\r\nX: " for @half;
my @deaf = map { connect_to() } 1 .. 20;
for my $socket (@deaf)
{
	local $SIG{PIPE} = 'IGNORE';
	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'i', 1024;
	print $socket "GET /metrics HTTP/1.1\r\n$good";
}
$node->safe_psql('postgres',
	"INSERT INTO t SELECT g, 0 FROM generate_series(1, $rows) g");
my ($connects, $probes, $lived, $most) = (0, 0, 0, 0);
my @recent;
wait_until(
	'the backlog is shipped, and 1,000 clients came',
	sub {
		# they come and stay, or leave without a word
		push @recent, connect_to() for 1 .. 20;
		$connects += 20;
		shift @recent while @recent > 100;
		$probes++;
		$lived++ if $shipper->live;
		$most = descriptors() if descriptors() > $most;
		return $connects >= 1000
		  && slot_field($node, $slot,
			'confirmed_flush_lsn >= pg_current_wal_lsn()') eq 't';
	});
is($kafka->count('public.t'), $rows, 'all records arrived meanwhile');
is($lived, $probes, "among $connects clients each of $probes probes is answered");
cmp_ok($most - $descriptors, '<=', 40, 'few descriptors are used');
is($shipper->metric('records_acknowledged_total'), $rows, 'counted right');
is($shipper->metric('streams_started_total'), 1, 'never reconnected');

# --- each of them is sent away, without any other that would push ---
my $drip = connect_to();
print $drip 'GET /';
wait_until(
	'slowloris is sent away',
	sub {
		local $SIG{PIPE} = 'IGNORE';
		select undef, undef, undef, 0.2;
		return !syswrite $drip, 'x';
	});
pass('a byte now and then is not enough to stay');
is(read_all(connect_to()), '', 'who says nothing is sent away');
@idle = @half = @deaf = @recent = ();
wait_until('all descriptors are free again',
	sub { return descriptors() <= $descriptors + 2; });
ok($shipper->live, 'it lives');
is($shipper->stop, 0, 'stopped');
unlike($shipper->log, qr/$word/, 'no client writes into the log');

done_testing();
