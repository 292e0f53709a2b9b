# A peer: a command that reads a slot and writes its rows to a topic until it
# gets SIGTERM.  Its orders come in the environment, see "Other peers" in
# bench/README.md.
package Bench::Peer;

use strict;
use warnings;

use Bench::Cpu ();
use Carp;
use PostgreSQL::Test::Cluster;
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

my %running;

# All that are known, with "missing" why one cannot be run here.
sub known
{
	my $jars = debezium_jars();
	my @all = (
		_own('wal2kafka', 'wal2kafka'),
		_own('debezium', 'pgoutput', $jars ? undef : 'Debezium'),
		_own('pipeline', 'wal2json', _missing_pipeline()));

	push @all,
	  {
		name => 'peer',
		command => $ENV{PEER},
		plugin => $ENV{PEER_PLUGIN} || 'pgoutput'
	  }
	  if $ENV{PEER};
	return @all;
}

sub _own
{
	my ($name, $plugin, $missing) = @_;
	return {
		name => $name,
		command => 'exec ' . top_dir() . "/bench/peers/$name",
		plugin => $plugin,
		missing => $missing
	};
}

sub debezium_jars
{
	return $ENV{DEBEZIUM_JARS} if $ENV{DEBEZIUM_JARS};
	my $deps = top_dir() . '/test/deps';
	chomp(my $cache = `$deps cache`);
	for my $home ($cache, '/var/cache/wal2kafka')
	{
		my ($done) = glob("$home/debezium-*/complete") or next;
		return $done =~ s{/complete$}{}r;
	}
	return;
}

sub _missing_pipeline
{
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $libraries = `$pg_config --pkglibdir`);

	return 'kcat' if system('command -v kcat >/dev/null 2>&1');
	return 'wal2json' if !-f "$libraries/wal2json.so";
	return;
}

# name, command (for a shell) and plugin of its slot
sub new
{
	my ($class, $peer) = @_;
	return bless {%$peer}, $class;
}

sub name { return $_[0]->{name}; }
sub log  { return slurp($_[0]->{log}); }

# Makes its slot, a copy of another or a new one, and starts it.  Takes node,
# kafka, slot, like (a slot), table, topic, and goal: throughput or latency.
sub start
{
	my ($self, %o) = @_;
	my $folder = launch_dir() . "/$o{slot}";

	$o{node}->safe_psql(
		'postgres',
		'SELECT '
		  . (
			$o{like}
			? "pg_copy_logical_replication_slot('$o{like}', '$o{slot}', false, "
			: "pg_create_logical_replication_slot('$o{slot}', ")
		  . "'$self->{plugin}')");
	mkdir $folder or croak "$folder: $!";
	$self->{folders}{ $o{goal} } = $folder;
	$self->{log} = "$folder/log";
	$self->{seen} = {};
	$self->{orders} = {%o};
	local %ENV = (
		%ENV,
		BENCH_SLOT => $o{slot},
		BENCH_PUBLICATION => 'p',
		BENCH_TABLE => $o{table},
		BENCH_TOPIC => $o{topic},
		BENCH_BROKERS => $o{kafka}->brokers,
		BENCH_GOAL => $o{goal},
		BENCH_FOLDER => $folder,
		BENCH_PORT => PostgreSQL::Test::Cluster::get_free_port(),
		BENCH_TOP => top_dir(),
		DEBEZIUM_JARS => debezium_jars() // '',
		PGHOST => '127.0.0.1',
		PGPORT => $o{node}->port,
		PGDATABASE => 'postgres',
		PGUSER => scalar getpwuid $>);
	$self->{pid} =
	  spawn($self->{log}, 'setsid', 'bash', '-c', $self->{command});
	$running{ $self->{pid} } = $self;
	return;
}

# What it wrote last to configure itself for a goal, if its files are called so.
sub settings
{
	my ($self, $goal) = @_;
	my $folder = $self->{folders}{$goal} or return;
	return glob "$folder/*.{conf,properties}";
}

# Dies with its log when its command has ended.
sub check
{
	my ($self) = @_;
	croak "$self->{name} has ended: " . substr($self->log, -2000)
	  if waitpid($self->{pid}, POSIX::WNOHANG()) != 0;
	return;
}

# The server's process that serves its slot, once there is one.
sub wait_for_sender
{
	my ($self) = @_;
	return wait_until(
		"slot $self->{orders}{slot} is read",
		sub {
			$self->check;
			return $self->sender;
		});
}

sub sender
{
	my ($self) = @_;
	return slot_field($self->{orders}{node}, $self->{orders}{slot},
		'active_pid');
}

# All processes that it has, wherever in its tree.
sub pids
{
	my ($self) = @_;
	my @pids;

	for my $file (glob '/proc/[0-9]*/stat')
	{
		my $stat = Bench::Cpu::read_file($file) // next;
		my ($pid, $session) = $stat =~ /^(\d+) .*\) \S \d+ \d+ (\d+) /s;
		push @pids, $pid if $session == $self->{pid};
	}
	return @pids;
}

# CPU seconds so far of threads that send to Kafka in a client library, and of
# all others.  A thread that has ended counts as when it was last looked at.
sub cpu_split
{
	my ($self) = @_;
	my $seen = $self->{seen};
	my %split = (application => 0, library => 0);

	for my $task (map { glob "/proc/$_/task/*" } $self->pids)
	{
		my $name = Bench::Cpu::read_file("$task/comm") // next;
		$seen->{$task} = [
			$name =~ /^(?:rdk:|kafka-producer)/ ? 'library' : 'application',
			Bench::Cpu::thread_ns($task) / 1e9
		];
	}
	$split{ $_->[0] } += $_->[1] for values %$seen;
	return \%split;
}

sub peak_rss_mb
{
	my ($self) = @_;
	my $kb = 0;
	$kb += Bench::Cpu::peak_rss_kb($_) for $self->pids;
	return $kb / 1024;
}

# Asks it to stop, waits until all of it is gone and drops its slot.  Connect
# may take a minute or two for it, so that ends otherwise.
sub stop
{
	my ($self) = @_;
	my ($node, $slot) = @{ $self->{orders} }{qw(node slot)};
	my $patience = time + 10;

	kill 'TERM', $self->{pid};
	wait_until(
		"$self->{name} has ended",
		sub {
			waitpid $self->{pid}, POSIX::WNOHANG();
			kill 'KILL', $self->pids if time > $patience;
			return !$self->pids;
		});
	delete $running{ $self->{pid} };
	wait_until("slot $slot is free",
		sub { return slot_field($node, $slot, 'active') eq 'f' });
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
	return;
}

END
{
	if ($$ == $Wal2Kafka::Test::owner)
	{
		my $status = $?;
		kill 'KILL', $_->pids for values %running;
		$? = $status;
	}
}

1;
