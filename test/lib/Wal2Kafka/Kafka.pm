# Kafka brokers of one's own, one or several: the real ones (KRaft, from a
# folder of jars) where there is Java, else librdkafka's mock cluster, said
# plainly.
#
# Environment: KAFKA_JARS, a folder of jars (default: where test/deps puts
# them); TEST_BROKER=mock forces the mock.
package Wal2Kafka::Kafka;

use strict;
use warnings;

use Carp;
use File::Temp ();
use IPC::Open2;
use JSON::PP ();
use POSIX    ();
use Test::More;
use Wal2Kafka::Admin;
use Wal2Kafka::Broker;
use Wal2Kafka::Test;

my %running;    # pid of a mock => 1, to be killed at the end

# Whether a real broker can be had here, and else why not.
sub why_mock
{
	return 'TEST_BROKER=mock' if ($ENV{TEST_BROKER} || '') eq 'mock';
	return 'no java'          if system('command -v java >/dev/null 2>&1');
	return 'no Kafka jars'    if !jars();
	return;
}

sub jars
{
	return $ENV{KAFKA_JARS} if $ENV{KAFKA_JARS};
	my $deps = top_dir() . '/test/deps';
	chomp(my $cache = `$deps cache`);
	for my $home ($cache, '/var/cache/wal2kafka')
	{
		my ($done) = glob("$home/kafka-*/complete") or next;
		$done =~ s{/complete$}{};
		return $done;
	}
	return;
}

# start => 0 leaves it down; brokers => 3 makes a cluster, whose topics have
# three replicas; settings are those of the brokers, listeners (name =>
# protocol) what they listen to beside PLAINTEXT, through which we speak, and
# topic the settings of every topic that is made here; proxied => 1 adds a
# listener whose clients are sent to a Wal2Kafka::FaultProxy; java is more of
# its flags.
sub new
{
	my ($class, %options) = @_;
	my $why  = why_mock();
	my $dir  = File::Temp::tempdir('kafka.XXXXXX', DIR => launch_dir());
	my $self = bless {
		dir   => $dir,
		mock  => $why ? 1 : 0,
		topic => $options{topic} || {}
	}, $class;

	if ($why)
	{
		diag("mock broker of librdkafka stands in for Apache Kafka: $why");
		$self->{log} = "$dir/log";
		$self->_start_mock;
		return $self;
	}
	$self->_make($options{brokers} || 1, %options);
	$self->start if $options{start} // 1;
	return $self;
}

sub is_mock { return $_[0]->{mock}; }

# The addresses, of a listener.
sub brokers
{
	my ($self, $listener) = @_;
	return $self->{brokers} if $self->{mock};
	return join ',', map { $_->address($listener) } $self->_list;
}

# One of them, by its number from 1.
sub broker { return $_[0]->{list}[ $_[1] - 1 ]; }
sub pid    { return $_[0]->{mock} ? $_[0]->{pid} : $_[0]->broker(1)->pid; }

# What an administrator does to it, see Wal2Kafka::Admin.
sub admin
{
	my ($self) = @_;
	return $self->{admin} ||= Wal2Kafka::Admin->new(
		sub {
			map { $_->address } grep { $_->is_up } $self->_list;
		});
}

sub log
{
	return join '', map { $_->log } $_[0]->_list;
}

# With numbers: these brokers, else all.
sub start
{
	my ($self, @ids) = @_;
	return $self->_tell('up') if $self->{mock};
	$_->start for $self->_list(@ids);
	$self->wait_for_brokers;
	return;
}

# Until every broker that runs is one of the cluster.
sub wait_for_brokers
{
	my ($self) = @_;
	my @up = grep { $_->pid } $self->_list;
	my ($status, $output) =
	  run_tool('kafka_tool', join(',', map { $_->address } @up),
		'wait', scalar @up);
	croak "Kafka did not start: $output" . $self->log if $status;
	return;
}

# An orderly stop.
sub stop
{
	my ($self, @ids) = @_;
	return $self->_tell('down') if $self->{mock};
	return $self->_end('TERM', @ids);
}

# A crash.
sub kill9
{
	my ($self, @ids) = @_;
	return $self->_tell('down') if $self->{mock};
	return $self->_end('KILL', @ids);
}

# Connections stay open and nothing answers.
sub freeze
{
	my ($self, @ids) = @_;
	$_->freeze for $self->_list(@ids);
	return;
}
sub thaw { my ($self, @ids) = @_; $_->thaw for $self->_list(@ids); return; }

sub create_topic
{
	my ($self, $name, $partitions, @config) = @_;
	my %config = (%{ $self->{topic} }, @config);
	return $self->_tell("topic $name $partitions") if $self->{mock};
	run_tool('kafka_tool', $self->brokers, 'create', $name, $partitions,
		map { "$_=$config{$_}" } sort keys %config);
	return;
}

# Until every replica of the topics is in sync again.
sub wait_for_replicas
{
	my ($self, @topics) = @_;

	for my $topic (@topics)
	{
		wait_until(
			"all replicas of $topic are in sync",
			sub {
				return !grep { @{ $_->{isr} } < @{ $_->{replicas} } }
				  $self->admin->partitions($topic);
			});
	}
	return;
}

sub add_partitions
{
	my ($self, $name, $total) = @_;
	run_tool('kafka_tool', $self->brokers, 'add-partitions', $name, $total);
	return;
}

sub delete_topic
{
	my ($self, $name) = @_;
	run_tool('kafka_tool', $self->brokers, 'delete', $name);
	return;
}

# name => number of partitions
sub topics
{
	my ($self) = @_;
	return map { split /\t/ }
	  split /\n/, run_tool('kafka_tool', $self->brokers, 'list');
}

# Every record: hashes of topic, partition, offset, key, value (as text) and
# json (the value, decoded).
sub records
{
	my ($self, @topics) = @_;
	my $json = JSON::PP->new->utf8;
	my @records =
	  map { $json->decode($_) }
	  split /\n/, run_tool('kafka_tool', $self->brokers, 'read', @topics);

	for my $record (@records)
	{
		next unless defined $record->{value};
		$record->{json} = JSON::PP->new->decode($record->{value});
	}
	return @records;
}

# How many records a read_uncommitted consumer sees.
sub count_uncommitted
{
	my ($self, @topics) = @_;
	return run_tool('kafka_tool', $self->brokers, 'read-all', @topics) =~
	  tr/\n//;
}

# Every record as bytes: key, value (undef for null) and headers, a list of
# [name, value].
sub messages
{
	my ($self, @topics) = @_;
	my @messages;

	for (split /\n/, run_tool('kafka_tool', $self->brokers, 'dump', @topics))
	{
		my ($topic, $partition, $offset, @bytes) = split /\t/, $_, -1;
		my ($key, $value, @headers) =
		  map { $_ eq '\N' ? undef : pack 'H*', $_ } @bytes;
		my %message = (
			topic     => $topic,
			partition => $partition,
			offset    => $offset,
			key       => $key,
			value     => $value);

		push @{ $message{headers} }, [ splice @headers, 0, 2 ] while @headers;
		push @messages,              \%message;
	}
	return @messages;
}

# How many records the topics hold, from the high watermarks.
sub count
{
	my ($self, @topics) = @_;
	my $count = 0;
	my ($status, $output) =
	  run_tool('kafka_tool', $self->brokers, 'ends', @topics);

	croak $output if $status;
	$count += (split /\t/)[2] for split /\n/, $output;
	return $count;
}

sub wait_for_count
{
	my ($self, $wanted, @topics) = @_;
	wait_until("@topics hold $wanted records",
		sub { $self->count(@topics) >= $wanted });
	return;
}

# Lines are [partition, key, value].
sub produce
{
	my ($self, $topic, @lines) = @_;
	my $input = join '', map {
		join("\t", map { $_ // '\\N' } @$_) . "\n"
	} @lines;
	run_tool('kafka_tool', $self->brokers, 'produce', $topic, \$input);
	return;
}

# The mock only: the next answers to Produce requests are this error.
sub fail_produce
{
	my ($self, $times, $code) = @_;
	return $self->_tell("fail $times $code");
}

sub _list
{
	my ($self, @ids) = @_;
	return @{ $self->{list} || [] } if !@ids;
	return map { $self->broker($_) } @ids;
}

sub _end
{
	my ($self, $signal, @ids) = @_;
	$_->end($signal) for $self->_list(@ids);
	return;
}

sub _make
{
	my ($self, $count, %options) = @_;
	my @memory = $count > 1 ? qw(-Xms64m -Xmx256m) : qw(-Xms256m -Xmx384m);
	my %shared = (
		'default.replication.factor'               => $count,
		'transaction.state.log.replication.factor' => $count,
		'transaction.state.log.min.isr'            => $count > 2 ? 2 : 1,
		%{ $options{settings} || {} });

	$self->{list} = [
		map {
			Wal2Kafka::Broker->new(
				id        => $_,
				dir       => "$self->{dir}/$_",
				jars      => jars(),
				memory    => \@memory,
				java      => $options{java},
				wrapper   => $options{wrapper},
				listeners => {
					PLAINTEXT => 'PLAINTEXT',
					$options{proxied} ? (PROXIED => 'PLAINTEXT') : (),
					%{ $options{listeners} || {} }
				})
		} 1 .. $count
	];
	my $voters = join ',', map { $_->voter } $self->_list;
	my ($first, @others) = $self->_list;

	$_->configure($voters, %shared) for $self->_list;
	$first->format;
	$_->format($first) for @others;
	return;
}

sub _start_mock
{
	my ($self) = @_;
	$self->{pid} = open2($self->{from}, $self->{to},
		'setpriv', '--pdeathsig', 'KILL', top_dir() . '/build/mock_kafka');
	$running{ $self->{pid} } = 1;
	chomp($self->{brokers} = readline $self->{from});
	return;
}

sub _tell
{
	my ($self, $line) = @_;
	my $to = $self->{to};
	print $to "$line\n";
	$to->flush;
	my $answer = readline $self->{from};
	croak "mock broker refused \"$line\"" if $answer ne "ok\n";
	return;
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
