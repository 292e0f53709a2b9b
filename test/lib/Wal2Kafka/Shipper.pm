# The shipper as an operator has it: a config file and a process.
package Wal2Kafka::Shipper;

use strict;
use warnings;

use Carp;
use HTTP::Tiny ();
use IPC::Run   ();
use POSIX      ();
use PostgreSQL::Test::Cluster;
use Test::More;
use Wal2Kafka::Test;

my $count = 0;
my %running;

# node, kafka, slot, publication; conninfo overrides node; "postgres", "broker"
# and "options" are more keys of [postgres], [kafka] and [wal2kafka]; routes is
# table => {topic, key}; program another binary; http => 1 has it answer HTTP,
# for what stands at "as seen from outside".
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

	if ($self->{http})
	{
		$self->{http_port} = PostgreSQL::Test::Cluster::get_free_port();
		$self->{options} =
		  { %{ $self->{options} || {} }, http => $self->{http_port} };
	}
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
	# the mock can neither create a compacted topic nor say that one is
	my %options = (
		$self->{kafka} && $self->{kafka}->is_mock ? (state => 'none') : (),
		%{ $self->{options} || {} });
	my $routes = $self->{routes} || {};

	return
		section('postgres', %postgres)
	  . section('kafka', %kafka)
	  . section('wal2kafka', %options)
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

# --- as seen from outside ---

# Whether the program was built to answer HTTP; a story that needs it is
# skipped where it was not.
sub can_http
{
	my ($class) = @_;
	my $program = ref $class ? $class->{program} : $ENV{WAL2KAFKA_SHIPPER}
	  || top_dir() . '/shipper/wal2kafka';
	return scalar(`'$program' --version` =~ /^with libmicrohttpd/m);
}

sub http_port { return $_[0]->{http_port}; }

# Status and body of a page; status 599 if nobody answers.
sub page
{
	my ($self, $path) = @_;
	my $answer = HTTP::Tiny->new(timeout => 10)
	  ->get("http://127.0.0.1:$self->{http_port}$path");
	return ($answer->{status}, $answer->{content});
}

sub live { my ($self) = @_; return ($self->page('/live'))[0] == 200; }

# Whether it is ready; in list context also what /ready says.
sub ready
{
	my ($self) = @_;
	my ($status, $text) = $self->page('/ready');
	return wantarray ? ($status == 200, $text) : $status == 200;
}

sub wait_ready
{
	my ($self) = @_;
	wait_until('the shipper is ready', sub { return scalar $self->ready; });
	return;
}

# Until it is not ready and says something like this.
sub wait_not_ready
{
	my ($self, $pattern) = @_;
	wait_until(
		"the shipper is not ready: $pattern",
		sub {
			my ($ready, $text) = $self->ready;
			return !$ready && $text =~ $pattern;
		});
	return;
}

# Every sample of /metrics: 'name{label="value"}' => value, the name without
# "wal2kafka_" in front.
sub metrics
{
	my ($self) = @_;
	my ($status, $text) = $self->page('/metrics');
	croak "/metrics: $status: $text" if $status != 200;
	return { $text =~ /^wal2kafka_(\S+?(?:\{.*\})?) (\S+)$/mg };
}

# One of them, as in metric('records_produced_total'), or undef.
sub metric
{
	my ($self, $name) = @_;
	return $self->metrics->{$name};
}

# The sum over all label values: sum('producer_restarts_total').
sub metric_sum
{
	my ($self, $name) = @_;
	my $metrics = $self->metrics;
	my $sum = 0;
	$sum += $metrics->{$_} for grep { /^\Q$name\E(?:\{|$)/ } keys %$metrics;
	return $sum;
}

# Until a metric is what the function wants, which gets its value.  One that
# has just been started may not answer yet.
sub wait_metric
{
	my ($self, $name, $wanted) = @_;
	my $seen = '';
	wait_until(
		"metric $name is as wanted",
		sub {
			local $_ = eval { $self->metric($name) };
			$seen = $_;
			return defined && $wanted->($_);
		});
	return $seen;
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
