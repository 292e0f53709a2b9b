# What the operator types and writes: each mistake is named, with the line or
# the option, and ends with status 1 before anything is connected to.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Shipper;
use IPC::Run ();
use Test::More;

my $program = $ENV{WAL2KAFKA_SHIPPER} || top_dir() . '/shipper/wal2kafka';

sub run_program
{
	my (@args) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $program, @args ],
		'<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	return ($? >> 8, $out, $err);
}

sub usage_like
{
	my ($args, $pattern, $what) = @_;
	my ($status, $out, $err) = run_program(@$args);
	is($status, 1, "$what: status 1");
	like($err, $pattern, "$what: named");
	is($out, '', "$what: nothing on standard output");
	return;
}

my ($status, $out, $err) = run_program('--help');
is($status, 0, '--help: status 0');
cmp_ok(scalar(split /\n/, $out), '<=', 40, '--help is one screen');
like($out, qr/^  $_ /m, "--help names $_") for qw(init run check status snapshot drop);
ok(!grep({ length > 80 } split /\n/, $out), 'of 80 columns');

open my $meta, '<', top_dir() . '/META.json' or die $!;
my ($version) = map { /^\t"version": "(.*)"/ ? $1 : () } <$meta>;
($status, $out) = run_program('run', '--version', '--nonsense');
like(
	"$status $out",
	qr/\A0 wal2kafka \Q$version\E\nwith(out)? libmicrohttpd \("http"\)\n\z/,
	'--version wins over the rest');
($status, $out) = run_program('--keys');
like(
	$out,
	qr/^  max_in_flight .*\[32MB\]$/m,
	'--keys lists keys and defaults');

# what people read is what the program knows
my $manual = slurp(top_dir() . '/shipper/wal2kafka.1');
my $sample = slurp(top_dir() . '/wal2kafka.conf.sample');
my $readme = slurp(top_dir() . '/README.md');
for my $key ($out =~ /^  (\w+)/mg)
{
	like($manual, qr/^\.BR? .*\b$key\b/m, "the manual has $key");
	like($sample, qr/^#?$key = /m, "the sample has $key");
	like($readme, qr/^\| `\[.*\b$key`/m, "the README has $key");
}
for my $word (map { /--(\w+)/g } (run_program('--help'))[1])
{
	like($manual, qr/\\-\\-$word\b/, "the manual has --$word");
}

usage_like([], qr/no command given.*--help/s, 'nothing');
usage_like(['sned'], qr/unknown command "sned".*--help/s, 'unknown command');
usage_like(
	[ '-c', 'x', 'run' ],
	qr/a command must come before "-c"/,
	'option first');
usage_like(
	[ 'run', '--bla' ],
	qr/unknown option "--bla".*--help/s,
	'unknown option');
usage_like(
	[ 'run', '--json' ],
	qr/"wal2kafka run" takes no option "--json"/,
	'option of another command');
usage_like([ 'run', '-c' ], qr/option "-c" needs a value/, 'no value');
usage_like([ 'run', 'x.conf' ], qr/takes no argument "x.conf"/,
	'an argument');
usage_like(
	[ 'run', '-c', '/none' ],
	qr/could not open "\/none"/,
	'no such file');

my $shipper = Wal2Kafka::Shipper->new(
	conninfo => 'host=127.0.0.1 port=1',
	broker => { 'bootstrap.servers' => '127.0.0.1:1' });
my $good = $shipper->config_text;

sub config_like
{
	my ($text, $pattern, $what, @args) = @_;
	$shipper->configure($text);
	for my $command (qw(run init check))
	{
		my ($code, $output) = $shipper->command($command, @args);
		is($code, 1, "$what: $command ends with status 1");
		like($output, $pattern, "$what: $command names it");
	}
	return;
}

config_like(
	"$good\[wal2kafka]\nmax_inflight = 1MB\n",
	qr/shipper0\.conf:7: unknown key "max_inflight" in \[wal2kafka\]; the nearest is "max_in_flight"/,
	'unknown key');
config_like(
	"$good\[wal2kafka]\nrelease_after=1\nrelease_after=2\n",
	qr/:8: key "release_after" of \[wal2kafka\] is repeated; it was set on line 7/,
	'repeated key');
config_like(
	"$good\[wal2kafka]\nshutdown_timeout = soon\n",
	qr/"shutdown_timeout" cannot be "soon"; it must be a number from 0 to 86400/,
	'bad number');
config_like(
	"[postgres]\nconninfo = host=127.0.0.1\nslot = s\n",
	qr/"bootstrap\.servers" of section \[kafka\] is missing/,
	'missing section');
config_like(
	$good =~ s/slot = .*\n//r,
	qr/"slot" of section \[postgres\] is missing/,
	'missing key');
config_like(
	$good =~ s/bootstrap/bootstrp/r,
	qr/bootstrap\.servers.* missing/,
	'missing because misspelt');
config_like(
	$good . "linger.mss = 5\n",
	qr/shipper0\.conf:6: unknown property "linger\.mss" in \[kafka\]; the nearest is "linger\.ms"/,
	'misspelt Kafka property');
config_like(
	$good,
	qr/-X: unknown property "linger\.mss" in \[kafka\]/,
	'misspelt in -X',
	'-X', 'linger.mss=5');
config_like(
	$good,
	qr/-X sasl\.password: everybody on this machine/,
	'a secret in -X',
	'-X', 'sasl.password=hunter2');
config_like(
	$good . "acks = 1\n",
	qr/shipper0\.conf:6: \[kafka\] acks must be "all"/,
	'unsafe property');
for my $unsafe (
	'enable.idempotence = false', 'message.timeout.ms = 1',
	'enable.gapless.guarantee = false', 'allow.auto.create.topics = true',
	'delivery.report.only.error = true')
{
	my ($name) = split / /, $unsafe;
	config_like(
		$good . "$unsafe\n",
		qr/:6: \[kafka\] \Q$name\E must be "/,
		"unsafe: $unsafe");
}
config_like(
	$good . "$_ = x\n",
	qr/\[kafka\] \Q$_\E is not allowed/,
	"$_, which loads code, runs a command or belongs to another mode")
  for 'plugin.library.paths', 'sasl.kerberos.kinit.cmd', 'ssl.engine.location',
  'transactional.id', 'queuing.strategy';
config_like(
	$good . "linger.ms = never\n",
	qr/shipper0\.conf:6: \[kafka\] linger\.ms: Invalid value/,
	'bad value of a property');
config_like(
	$good =~ s/conninfo = .*/conninfo = hots=a/r,
	qr/"conninfo" is not a connection string: invalid connection option "hots"/,
	'bad connection string');
config_like(
	$good =~ s/conninfo = .*/conninfo = host=a password=hun ter2/r,
	qr/"conninfo" is not a connection string: it is malformed/,
	'malformed connection string');
unlike(($shipper->command('status'))[1],
	qr/ter2/, 'half a password is not shown');
config_like($good =~ s/127\.0\.0\.1:1/kafka.example:9092/r,
	qr/plaintext/, 'plaintext to another machine');

# the sample works as it is, as far as the server that it names
$shipper->configure($sample);
my ($sampled, $reaction) = $shipper->command('status');
is($sampled, 2, 'the sample config is understood');
like($reaction, qr/"db\.example"/, 'and names the server');

# secrets and who may read them
my $secret =
	$good
  . "security.protocol = sasl_plaintext\n"
  . "sasl.mechanism = PLAIN\nsasl.username = u\nsasl.password = hunter2\n";
$shipper->configure($secret);
chmod 0644, $shipper->{file};
my ($code, $output) = $shipper->command('check');
is($code, 1, 'a secret that others may read: status 1');
like(
	$output,
	qr/holds a secret \("sasl\.password"\).*chmod 600 \S*shipper0\.conf/,
	'names the key and chmod');
unlike($output, qr/hunter2/, 'and not the secret');
$shipper->configure($secret . "sasl.pasword = hunter2\n");
($code, $output) = $shipper->command('check');
unlike($output, qr/hunter2/, 'nor a misspelt one\'s value') if $code == 1;

# a link leads to a file like any other: what counts is that file's mode
chmod 0644, $shipper->{file};
my $link = launch_dir() . '/link.conf';
symlink $shipper->{file}, $link or die "symlink: $!";
($status, $out, $err) = run_program('status', '-c', $link);
is($status, 1, 'a link to a secret that others may read: status 1');
like($err, qr/holds a secret/, 'which is said');

# it needs nothing of its surroundings, and takes no numbers or letters from them
{
	$shipper->configure("$good\[wal2kafka]\nmax_in_flight = 2MB\n");
	local %ENV = (LC_ALL => 'tr_TR.UTF-8', LC_NUMERIC => 'de_DE.UTF-8', TZ => ':nowhere');
	($status, $out, $err) = run_program('status', '-c', $shipper->{file});
	is($status, 2, 'an environment of nonsense alone: the server is tried');
	like($err, qr/port 1 failed: Connection refused/, 'and named');
}

# not as root, which it is in a namespace of its own
SKIP:
{
	skip 'no user namespaces here', 2 if system('unshare -Ur true 2>/dev/null');
	my $said = `unshare -Ur '$program' status -c '$shipper->{file}' 2>&1`;
	is($? >> 8, 1, 'root: status 1');
	like($said, qr/does not run as root/, 'which is said');
}

# everything from the environment
{
	local $ENV{WAL2KAFKA_POSTGRES_CONNINFO} = 'host=127.0.0.1 port=1';
	local $ENV{WAL2KAFKA_POSTGRES_SLOT} = 's';
	local $ENV{WAL2KAFKA_KAFKA_BOOTSTRAP_SERVERS} = '127.0.0.1:1';
	($status, $out, $err) = run_program('status');
	is($status, 2, 'no config file: the environment is enough')
	  if !-e '/etc/wal2kafka/wal2kafka.conf';
	like($err, qr/port 1 failed: Connection refused/, 'as far as the server');
	local $ENV{WAL2KAFKA_POSTGRES_SLOTT} = 's';
	usage_like(
		['status'],
		qr/WAL2KAFKA_POSTGRES_SLOTT: unknown key "slott".*"slot"/,
		'unknown variable');
}

done_testing();
