# A single Kafka broker of one's own: the real one (KRaft, from a folder of
# jars) where there is Java, else librdkafka's mock cluster, said plainly.
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
use PostgreSQL::Test::Cluster;
use Test::More;
use Wal2Kafka::Test;

my @java = qw(-Xms256m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
  -XX:-UsePerfData -Xshare:auto);
my %running;    # pid => 1, to be killed at the end

# Whether a real broker can be had here, and else why not.
sub why_mock
{
	return 'TEST_BROKER=mock' if ($ENV{TEST_BROKER} || '') eq 'mock';
	return 'no java' if system('command -v java >/dev/null 2>&1');
	return 'no Kafka jars' if !jars();
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

# start => 0 leaves it down; partitions etc. are settings of the broker.
sub new
{
	my ($class, %options) = @_;
	my $why = why_mock();
	my $dir = File::Temp::tempdir('kafka.XXXXXX', DIR => launch_dir());
	my $self = bless { dir => $dir, log => "$dir/log", mock => $why ? 1 : 0 },
	  $class;

	if ($why)
	{
		diag("mock broker of librdkafka stands in for Apache Kafka: $why");
		$self->_start_mock;
		return $self;
	}
	$self->{port} = PostgreSQL::Test::Cluster::get_free_port();
	$self->_format(%{ $options{settings} || {} });
	$self->start if $options{start} // 1;
	return $self;
}

sub is_mock { return $_[0]->{mock}; }
sub brokers { return $_[0]->{brokers} || "127.0.0.1:$_[0]->{port}"; }
sub pid     { return $_[0]->{pid}; }

sub start
{
	my ($self) = @_;
	return $self->_tell('up') if $self->{mock};
	my $dir = $self->{dir};
	$self->{pid} = spawn(
		$self->{log}, 'java',
		@java, "-Dlog4j2.configurationFile=$dir/log4j2.properties",
		'-cp', jars() . '/*',
		'kafka.Kafka', "$dir/server.properties");
	$running{ $self->{pid} } = 1;
	my ($status, $output) = run_tool('kafka_tool', $self->brokers, 'wait');
	croak "Kafka did not start: $output" . slurp($self->{log}) if $status;
	return;
}

# An orderly stop.
sub stop
{
	my ($self) = @_;
	return $self->_tell('down') if $self->{mock};
	return $self->_end('TERM');
}

# A crash.
sub kill9
{
	my ($self) = @_;
	return $self->_tell('down') if $self->{mock};
	return $self->_end('KILL');
}

# Connections stay open and nothing answers.
sub freeze { my ($self) = @_; kill 'STOP', $self->{pid}; return; }
sub thaw   { my ($self) = @_; kill 'CONT', $self->{pid}; return; }

sub create_topic
{
	my ($self, $name, $partitions, %config) = @_;
	return $self->_tell("topic $name $partitions") if $self->{mock};
	run_tool('kafka_tool', $self->brokers, 'create', $name, $partitions,
		map { "$_=$config{$_}" } sort keys %config);
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
		push @messages, \%message;
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

sub _end
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} or return;
	kill $signal, $pid;
	reap($pid);
	delete $running{$pid};
	return;
}

sub _format
{
	my ($self, %settings) = @_;
	my $dir = $self->{dir};
	my $controller = PostgreSQL::Test::Cluster::get_free_port();
	my %all = (
		'process.roles' => 'broker,controller',
		'node.id' => 1,
		'controller.quorum.voters' => "1\@127.0.0.1:$controller",
		'controller.listener.names' => 'CONTROLLER',
		'listeners' => "PLAINTEXT://127.0.0.1:$self->{port}"
		  . ",CONTROLLER://127.0.0.1:$controller",
		'advertised.listeners' => "PLAINTEXT://127.0.0.1:$self->{port}",
		'log.dirs' => "$dir/data",
		'num.network.threads' => 2,
		'num.io.threads' => 2,
		'log.cleaner.dedupe.buffer.size' => 4194304,
		'offsets.topic.replication.factor' => 1,
		'offsets.topic.num.partitions' => 1,
		'transaction.state.log.replication.factor' => 1,
		'transaction.state.log.min.isr' => 1,
		'transaction.state.log.num.partitions' => 1,
		'group.initial.rebalance.delay.ms' => 0,
		# a killed broker may come back once its old session is over
		'broker.session.timeout.ms' => 2000,
		'broker.heartbeat.interval.ms' => 300,
		%settings);

	spit("$dir/server.properties",
		join('', map { "$_=$all{$_}\n" } sort keys %all));
	spit("$dir/log4j2.properties", <<'EOF');
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %c %m%n
EOF
	reap(
		spawn(
			"$dir/format.log",
			'java',
			@java,
			"-Dlog4j2.configurationFile=$dir/log4j2.properties",
			'-cp',
			jars() . '/*',
			'kafka.tools.StorageTool',
			'format',
			'-t',
			'dGVzdHMtb2Ytd2FsMmthZg',
			'-c',
			"$dir/server.properties")) == 0
	  or croak 'could not format: ' . slurp("$dir/format.log");
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
