# One process of Apache Kafka, broker and controller in one, in a folder of its
# own.  Wal2Kafka::Kafka makes one or several of them.
package Wal2Kafka::Broker;

use strict;
use warnings;

use Carp;
use MIME::Base64 ();
use PostgreSQL::Test::Cluster;
use Wal2Kafka::Test;

my @java = qw(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
  -Xshare:auto);
my $cluster_id = 'dGVzdHMtb2Ytd2FsMmthZg';
my %running;    # pid => 1, to be killed at the end

# id, dir, jars, memory (flags of java), java (more of them, for the broker
# alone), wrapper (a command that starts java, if it must be started elsewhere),
# listeners (name => protocol).  One that is called PROXIED says that it is
# where a proxy is.
sub new
{
	my ($class, %o) = @_;
	my $self = bless {%o}, $class;

	mkdir $self->{dir} or croak "$self->{dir}: $!" if !-d $self->{dir};
	$self->{log}   = "$self->{dir}/log";
	$self->{ports} = {
		map { $_ => PostgreSQL::Test::Cluster::get_free_port() } 'CONTROLLER',
		sort keys %{ $o{listeners} }
	};
	$self->{proxy_port} = PostgreSQL::Test::Cluster::get_free_port()
	  if $o{listeners}{PROXIED};
	return $self;
}

sub id         { return $_[0]->{id}; }
sub dir        { return $_[0]->{dir}; }
sub pid        { return $_[0]->{pid}; }
sub log        { return slurp($_[0]->{log}); }
sub proxy_port { return $_[0]->{proxy_port}; }
sub voter      { return "$_[0]->{id}\@" . $_[0]->address('CONTROLLER'); }

# Where test/kafka/keep.pl leaves what saves brokers time; may be missing.
sub kept { return top_dir() . '/build/kafka'; }

# Of a listener.  A certificate is for a name: old clients compare no address.
sub address
{
	my ($self, $name) = @_;
	my $protocol = $self->{listeners}{ $name ||= 'PLAINTEXT' } || '';
	my $host     = $protocol =~ /SSL$/ ? 'localhost' : '127.0.0.1';
	return "$host:$self->{ports}{$name}";
}

# Writes its settings; those of %more win.
sub configure
{
	my ($self, $voters, %more) = @_;
	my $dir     = $self->{dir};
	my %listens = (CONTROLLER => 'PLAINTEXT', %{ $self->{listeners} });
	my %all     = (
		'process.roles'             => 'broker,controller',
		'node.id'                   => $self->{id},
		'controller.quorum.voters'  => $voters,
		'controller.listener.names' => 'CONTROLLER',
		'listeners'                 =>
		  join(',', map { "$_://" . $self->address($_) } sort keys %listens),
		'advertised.listeners' => join(',',
			map { "$_://" . $self->_advertised($_) }
			sort keys %{ $self->{listeners} }),
		'listener.security.protocol.map' =>
		  join(',', map { "$_:$listens{$_}" } sort keys %listens),
		'inter.broker.listener.name'           => 'PLAINTEXT',
		'log.dirs'                             => "$dir/data",
		'num.network.threads'                  => 2,
		'num.io.threads'                       => 2,
		'log.cleaner.dedupe.buffer.size'       => 4194304,
		'offsets.topic.replication.factor'     => 1,
		'offsets.topic.num.partitions'         => 1,
		'transaction.state.log.num.partitions' => 1,
		'group.initial.rebalance.delay.ms'     => 0,
		# a killed broker may come back once its old session is over
		'broker.session.timeout.ms'    => 2000,
		'broker.heartbeat.interval.ms' => 300,
		%more);

	spit("$dir/server.properties",
		join('', map { "$_=$all{$_}\n" } sort keys %all));
	spit("$dir/log4j2.properties", <<'END');
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %c %m%n
END
	return;
}

# Changes settings from its next start on.
sub reconfigure
{
	my ($self, %changes) = @_;
	my $file = "$self->{dir}/server.properties";
	my $text = slurp($file);

	for my $name (keys %changes)
	{
		$text =~ s/^\Q$name\E=.*\n//m;
		$text .= "$name=$changes{$name}\n";
	}
	spit($file, $text);
	return;
}

sub _advertised
{
	my ($self, $name) = @_;
	return $self->address($name) if $name ne 'PROXIED';
	return "127.0.0.1:$self->{proxy_port}";
}

# Makes its data folder; a copy of another broker's saves a start of java.
sub format
{
	my ($self, $like) = @_;
	my $dir  = $self->{dir};
	my $kept = kept();

	# what starts java elsewhere may have another folder there
	$like ||= { dir => $kept } if -d "$kept/data" && !$self->{wrapper};
	if ($like)
	{
		my $meta = slurp("$like->{dir}/data/meta.properties");
		my $uuid =
		  MIME::Base64::encode_base64url("broker number $self->{id} ");

		$meta =~ s/^node\.id=.*/node.id=$self->{id}/m;
		$meta =~ s/^directory\.id=.*/directory.id=$uuid/m;
		mkdir "$dir/data" or croak "$dir/data: $!";
		spit("$dir/data/meta.properties", $meta);
		spit("$dir/data/bootstrap.checkpoint",
			slurp("$like->{dir}/data/bootstrap.checkpoint"));
		return;
	}
	my $status = reap(
		spawn(
			"$dir/format.log", $self->_java, 'kafka.tools.StorageTool',
			'format', '-t', $cluster_id, '-c', "$dir/server.properties"));
	croak 'could not format: ' . slurp("$dir/format.log") if $status;
	return;
}

# Does not wait until it answers.
sub start
{
	my ($self) = @_;
	return if $self->{pid};
	$self->{pid} = spawn($self->{log}, $self->_java(@{ $self->{java} || [] }),
		'kafka.Kafka', "$self->{dir}/server.properties");
	$running{ $self->{pid} } = 1;
	return;
}

# Ends it by a signal and waits for that.
sub end
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} or return;
	$self->{frozen} = 0;
	kill $signal, $pid;
	reap($pid);
	delete $running{$pid};
	return;
}

# Connections stay open and nothing answers.
sub freeze
{
	my ($self) = @_;
	freeze_process($self->{pid});
	$self->{frozen} = 1;
	return;
}

sub thaw
{
	my ($self) = @_;
	kill 'CONT', $self->{pid};
	$self->{frozen} = 0;
	return;
}

# Whether it may answer.
sub is_up { return $_[0]->{pid} && !$_[0]->{frozen}; }

sub _java
{
	my ($self, @flags) = @_;
	my $classes = kept() . '/classes.jsa';

	return (
		@{ $self->{wrapper} || [] }, 'java',
		-f $classes ? "-XX:SharedArchiveFile=$classes" : (),
		@{ $self->{memory} }, @java, @flags,
		"-Dlog4j2.configurationFile=$self->{dir}/log4j2.properties", '-cp',
		"$self->{jars}/*");
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
