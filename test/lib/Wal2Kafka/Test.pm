# What every story starts from: an ordinary user, a folder of its own, the
# server's Perl modules, and the two ways to wait.
#
# "use Wal2Kafka::Test" comes first in a story.  Environment:
#	PG_CONFIG				the server to test with (default: pg_config)
#	WAL2KAFKA_BUILD			folder of wal2kafka.so (default: the top folder)
#	WAL2KAFKA_SHIPPER		the program (default: shipper/wal2kafka)
#	PG_TEST_NOCLEAN			keep the folder of a story that passed
package Wal2Kafka::Test;

use strict;
use warnings;

our ($top, $dir);

BEGIN
{
	require Cwd;
	require File::Basename;
	require File::Temp;

	$top = Cwd::realpath(File::Basename::dirname(__FILE__) . '/../../..');
	exec("$top/test/bin/as-user", $^X, Cwd::realpath($0), @ARGV)
	  or die "could not become an ordinary user: $!"
	  if $> == 0;

	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $pgxs = `$pg_config --pgxs`);
	chomp(my $bindir = `$pg_config --bindir`);
	die "no PostgreSQL here: $pg_config\n" if $pgxs eq '' || $bindir eq '';
	(my $tests = $pgxs) =~ s{/makefiles/pgxs\.mk$}{/test};

	$dir = File::Temp::tempdir('wal2kafka.XXXXXX', TMPDIR => 1);
	$ENV{HOME} = $dir;
	$ENV{TESTDIR} = $dir;
	$ENV{PATH} = "$bindir:$ENV{PATH}";
	$ENV{PG_REGRESS} = "$tests/regress/pg_regress";
	delete $ENV{TEMP_CONFIG};
	unshift @INC, "$tests/perl";
	chdir $dir or die "chdir $dir: $!";
}

use Carp;
use Exporter 'import';
use File::Path qw(rmtree);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT =
  qw(wait_until run_tool slurp spit spawn reap freeze_process launch_dir top_dir);

# Runs last: this module is loaded before all others.
END
{
	if ($dir && $$ == $Wal2Kafka::Test::owner)
	{
		chdir '/';
		my $passed = $? == 0 && Test::More->builder->is_passing;
		if ($passed && !$ENV{PG_TEST_NOCLEAN})
		{
			rmtree($dir);
		}
		else
		{
			diag("files of this story: $dir");
		}
	}
}

our $owner = $$;

# The server's modules send standard error into a log file; why a story ended
# should be seen where its results are.
$SIG{__DIE__} = sub { diag("died: $_[0]") if defined $^S && !$^S; };

sub top_dir    { return $top; }
sub launch_dir { return $dir; }

# Polls until the condition holds; fails the story, naming it, if it does not in
# so many seconds.  "nap" is how many lie between two polls.
sub wait_until
{
	my ($what, $condition, $seconds, $nap) = @_;
	my $end = time() + ($seconds || $ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);

	while (1)
	{
		my $value = $condition->();
		return $value if $value;
		croak "timed out waiting until $what" if time() > $end;
		select(undef, undef, undef, $nap // 0.02);
	}
}

# Runs a program of build/ and returns its output; dies when it fails, unless
# called in list context: then (status, output).
sub run_tool
{
	my ($name, @args) = @_;
	my $input = ref $args[-1] ? ${ pop @args } : '';
	my $out = '';

	IPC::Run::run([ "$top/build/$name", @args ],
		'<', \$input, '>', \$out, '2>', \my $err);
	my $status = $? >> 8;
	return ($status, $out . $err) if wantarray;
	croak "$name @args: status $status: $err" if $? != 0;
	diag($err) if $err ne '';
	return $out;
}

# Stops a process.  One thread hears of it and tells the others, which go on
# until then: returns when all stand still.
sub freeze_process
{
	my ($pid) = @_;

	kill 'STOP', $pid;
	wait_until(
		"process $pid stands still",
		sub {
			# a thread may end meanwhile
			return !grep { (eval { slurp($_) } // '') =~ /.*\) [^TZX]/s }
			  glob "/proc/$pid/task/*/stat";
		});
	return;
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or croak "$file: $!";
	local $/;
	return scalar <$fh>;
}

sub spit
{
	my ($file, $text) = @_;
	open my $fh, '>:raw', $file or croak "$file: $!";
	print $fh $text;
	close $fh or croak "$file: $!";
	return $file;
}

# Starts a program with its output in a file.  It dies with this process, even
# if that is killed.
sub spawn
{
	my ($log, @command) = @_;
	my $pid = fork // croak "fork: $!";

	return $pid if $pid;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', $log;
	open STDERR, '>&', \*STDOUT;
	exec('setpriv', '--pdeathsig', 'KILL', @command) or POSIX::_exit(127);
}

# Waits for a process to end and returns its status as the shell counts it.
sub reap
{
	my ($pid) = @_;
	wait_until("process $pid has ended",
		sub { return waitpid($pid, POSIX::WNOHANG()) == $pid; });
	return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

use IPC::Run ();
use POSIX    ();

1;
