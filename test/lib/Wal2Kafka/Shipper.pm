# The shipper as an operator has it: a config file and a process.
package Wal2Kafka::Shipper;

use strict;
use warnings;

use Carp;
use IPC::Run ();
use POSIX    ();
use Test::More;
use Wal2Kafka::Test;

my $count = 0;
my %running;

# node, kafka, slot, publication; conninfo overrides node; "postgres", "broker"
# and "options" are more keys of [postgres], [kafka] and [wal2kafka]; routes is
# table => {topic, key}; program another binary.
sub new
{
	my ($class, %o) = @_;
	my $n = $count++;
	my $self = bless {
		%o,
		slot => $o{slot} || 'wal2kafka',
		file => launch_dir() . "/shipper$n.conf",
		log => launch_dir() . "/shipper$n.log",
		program => $o{program}
		  || $ENV{WAL2KAFKA_SHIPPER}
		  || top_dir() . '/shipper/wal2kafka',
	}, $class;

	spit($self->{log}, '');
	$self->configure($self->config_text);
	return $self;
}

sub config_text
{
	my ($self) = @_;
	my %postgres = (
		conninfo => $self->{conninfo} || $self->{node}->connstr('postgres'),
		slot => $self->{slot},
		defined $self->{publication}
		? (publication => $self->{publication})
		: (),
		%{ $self->{postgres} || {} });
	my %kafka = (
		$self->{kafka}
		? ('bootstrap.servers' => $self->{kafka}->brokers)
		: (),
		%{ $self->{broker} || {} });
	my $routes = $self->{routes} || {};

	return
		section('postgres', %postgres)
	  . section('kafka', %kafka)
	  . section('wal2kafka', %{ $self->{options} || {} })
	  . join('',
		map { section("route $_", %{ $routes->{$_} }) } sort keys %$routes);
}

sub section
{
	my ($name, %keys) = @_;
	return '' if !%keys;
	return "[$name]\n" . join('', map { "$_ = $keys{$_}\n" } sort keys %keys);
}

# Another text for the config file.
sub configure
{
	my ($self, $text) = @_;
	spit($self->{file}, $text);
	chmod 0600, $self->{file};
	return;
}

# Runs a subcommand to its end: (status, output).
sub command
{
	my ($self, $name, @args) = @_;
	my $output = '';

	IPC::Run::run([ $self->{program}, $name, '-c', $self->{file}, @args ],
		'<', \'', '>&', \$output, IPC::Run::timeout(60));
	note("$name: $output");
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $output);
}

# Makes slot and publication; dies if it cannot.
sub init
{
	my ($self) = @_;
	my ($status, $output) = $self->command('init');
	croak "init: status $status: $output" if $status;
	return;
}

sub start
{
	my ($self, @args) = @_;
	croak 'already running' if $self->{pid};
	$self->{pid} = spawn($self->{log}, $self->{program}, 'run', '-c',
		$self->{file}, @args);
	$running{ $self->{pid} } = 1;
	return;
}

sub pid { return $_[0]->{pid}; }
sub log { return slurp($_[0]->{log}); }

# How much has been logged, for wait_for_log() to look behind.
sub log_size { return -s $_[0]->{log}; }

sub wait_for_log
{
	my ($self, $pattern, $from) = @_;
	wait_until("the shipper logs $pattern",
		sub { return substr($self->log, $from || 0) =~ $pattern; });
	return;
}

# Asks it to stop and returns its status.
sub stop
{
	my ($self) = @_;
	kill 'TERM', $self->{pid};
	return $self->wait_exit;
}

sub kill9
{
	my ($self) = @_;
	kill 'KILL', $self->{pid};
	return $self->wait_exit;
}

# Whether it has ended by itself; wait_exit() then has the status.
sub has_ended
{
	my ($self) = @_;
	return slurp("/proc/$self->{pid}/stat") =~ /\) Z/;
}

# Waits for it to end and returns its status.
sub wait_exit
{
	my ($self) = @_;
	my $pid = $self->{pid};
	my $status = reap($pid);

	delete $running{$pid};
	delete $self->{pid};
	return $status;
}

END
{
	if ($$ == $Wal2Kafka::Test::owner)
	{
		my $status = $?;
		for my $pid (keys %running)
		{
			kill 'KILL', $pid;
			waitpid $pid, 0;
		}
		$? = $status;
	}
}

1;
