# A broker that asks who one is: TLS, a login that ends, a password that is
# changed, access rules taken away and put back.  What never worked ends with
# status 3 and a clear message; what worked is tried again until it does.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Secure;
use Wal2Kafka::Shipper;
use Test::More;

plan skip_all => 'the mock lets everybody in' if Wal2Kafka::Kafka::why_mock();
plan skip_all => 'no openssl' if system('command -v openssl >/dev/null');

my $kafka = secure_kafka('first', 3000);
my $admin = $kafka->admin;
my $node  = new_server('source');
$node->safe_psql('postgres', <<'END');
CREATE TABLE t (id int PRIMARY KEY, v bigint);
CREATE TABLE u (id int PRIMARY KEY, v bigint);
CREATE PUBLICATION p FOR TABLE t, u;
END
add_ledger($node, 'postgres', 't', 'u');
$kafka->create_topic("public.$_", 1) for 't', 'u';
$kafka->create_topic('wal2kafka.state', 1, 'cleanup.policy' => 'compact');
$admin->allow('shipper', $_, 'topic', 'wal2kafka.state')
  for 'read', 'write', 'describe';

my %login = (
	'bootstrap.servers'        => $kafka->brokers('SECURE'),
	'broker.address.family'    => 'v4',
	'security.protocol'        => 'SASL_SSL',
	'ssl.ca.location'          => launch_dir() . '/broker.crt',
	'sasl.mechanism'           => 'PLAIN',
	'reconnect.backoff.max.ms' => 1000,
	'sasl.username'            => 'shipper',
	'sasl.password'            => 'first');

sub shipper
{
	my ($slot, %other) = @_;
	my $shipper = Wal2Kafka::Shipper->new(
		node        => $node,
		slot        => $slot,
		publication => 'p',
		options     => { shutdown_timeout => 1, state => 'none' },
		http        => Wal2Kafka::Shipper->can_http,
		broker      => { %login, %other });
	$shipper->init;
	return $shipper;
}

my $next = 1;

# Rows of a table, returns the end of the log then.
sub write_rows
{
	my ($table, $count) = @_;
	my $first = $next;
	$next += $count;
	return $node->safe_psql('postgres', <<"END");
INSERT INTO $table SELECT g, 0 FROM generate_series($first, $next - 1) g;
SELECT pg_current_wal_lsn();
END
}

sub is_confirmed
{
	my ($end) = @_;
	return slot_field($node, 'wal2kafka', "confirmed_flush_lsn >= '$end'") eq
	  't';
}

# --- at the first start ---
my $shipper = shipper('wal2kafka');
my $other   = shipper('other',
	'ssl.ca.location' => make_certificate(launch_dir() . '/other'));
$other->start;
my $guess = shipper('wrong', 'sasl.password' => 'guess');
$guess->start;
write_rows('t', 10);
is($other->wait_exit, 3,
	'a certificate that the CA has not signed: status 3');
like(
	$other->log,
	qr/certificate verify failed.*hint.*ssl\. keys/s,
	'the log says so');
my ($status, $output) = $other->command('check');
like(
	$output,
	qr/PROBLEM.*certificate.*\n.*remedy: .*ssl\.ca\.location/,
	'and so does check');

is($guess->wait_exit, 3, 'a wrong password: status 3');
like(
	$guess->log,
	qr/error .*uthentication failed.*hint.*sasl\./s,
	'the log says so');
unlike($guess->log, qr/guess/, 'without the password');

# --- not the broker that was meant, or not its language ---
my ($port) = $kafka->brokers('SECURE') =~ /(\d+)$/;
# versions from 2.11 on do not tell why they are sent away
my $terse = `pkg-config --modversion rdkafka` =~ /^2\.1[1-9]\./;
my $tls = qr/hint +Check security\.protocol .*the port is the one with TLS/;
for my $case (
	[
		'another name than the certificate has',
		{ 'bootstrap.servers' => "127.0.0.1:$port" },
		qr/certificate verify failed.*$tls/s
	],
	# newer versions of librdkafka know what it is
	[
		'TLS to who speaks none',
		{ 'bootstrap.servers' => $kafka->brokers },
		qr/$tls|connecting to a PLAINTEXT broker listener/
	],
	[
		'no TLS to who speaks it',
		{ 'security.protocol' => 'SASL_PLAINTEXT' },
		$terse
		? qr/no Kafka broker can be reached/
		: qr/no Kafka broker can be reached: .*security\.protocol/
	])
{
	my ($what, $broker, $words) = @$case;
	my $lost = shipper('lost', %$broker);
	$lost->start;
	$lost->wait_for_log($words);
	pass("$what: the log says what it may be");
	$lost->has_ended ? $lost->wait_exit : $lost->kill9;
}

$shipper->start;
is($shipper->wait_exit, 3, 'a topic that may not be used: status 3');
like(
	$shipper->log,
	qr/topic "public\.t" may not be used.*\n.*WRITE and DESCRIBE/,
	'topic and rights are named');

# --- while it runs ---
$admin->allow('shipper', $_, 'topic', 'public.t') for 'write', 'describe';
$admin->allow('shipper', $_, 'topic', 'public.u') for 'write', 'describe';
$shipper->start;
wait_for_slot($node, 'wal2kafka');
pass('TLS and a password: everything arrives');

for my $rights ([qw(write)], [qw(write describe)])
{
	my $from = $shipper->log_size;
	$admin->forbid('shipper', $_, 'topic', 'public.t') for @$rights;
	write_rows('u', 10);
	my $lsn = write_rows('t', 10);
	$shipper->wait_for_log(qr/Topic authorization failed/, $from);
	if ($shipper->{http})
	{
		$shipper->wait_not_ready(qr/Kafka refuses access to a topic/);
		cmp_ok($shipper->metric_sum('kafka_errors_total'),
			'>', 0, 'it is counted');
	}
	ok(!is_confirmed($lsn), "no more @$rights: nothing is confirmed");
	$admin->allow('shipper', $_, 'topic', 'public.t') for @$rights;
	wait_for_slot($node, 'wal2kafka');
	pass('put back: everything arrives');
	$shipper->wait_ready if $shipper->{http};
}

# --- another password ---
my $from = $shipper->log_size;
$kafka->stop;
my $password = 'second-Sesame';
set_password($kafka, $password);
$kafka->start;
my $lsn = write_rows('t', 10);
$shipper->wait_for_log(
	qr/Kafka refuses the connection: .*uthentication failed/i, $from);
$shipper->wait_not_ready(qr/Kafka/) if $shipper->{http};
ok(!is_confirmed($lsn),  'another password: nothing is confirmed');
ok(!$shipper->has_ended, 'it is tried again');
is($shipper->stop, 0, 'it lived through all of it');
$shipper = shipper('wal2kafka', 'sasl.password' => $password);
$shipper->start;
write_rows('t', 10);
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'a start with the new password goes on');

# --- whatever librdkafka tells of what it does ---
$shipper = shipper('wal2kafka', 'sasl.password' => $password, debug => 'all');
$shipper->{options}{log_level} = 'debug';
$shipper->configure($shipper->config_text);
$shipper->start;
$node->safe_psql('postgres', 'INSERT INTO t VALUES (1234567891)');
wait_for_slot($node, 'wal2kafka');
is($shipper->stop, 0, 'with every message of librdkafka');
like($shipper->log, qr/debug +Kafka: /, 'they are there');
unlike($shipper->log, qr/\Q$password\E|1234567891/, 'and tell no password and no row');

($status, $output) =
  run_tool('checker', '--brokers', $kafka->brokers,
	'--ledger', write_ledger($node, 'postgres'),
	'public.t', 'public.u');
is($status, 0, 'nothing lost, nothing out of order') or diag($output);

done_testing();
