# Stands between the shipper and the server, or Kafka, and spoils the link: a
# process of build/fault_proxy.  Every method returns once its fault is in
# place.  A fault lasts, for new connections too, until pass().
#
#	my $proxy = Wal2Kafka::FaultProxy->postgres($node);
#	Wal2Kafka::Shipper->new(conninfo => $proxy->conninfo('postgres'), ...);
#
#	my $kafka = Wal2Kafka::Kafka->new(proxied => 1);    # not the mock
#	my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
#	Wal2Kafka::Shipper->new(kafka => $proxy, ...);
#
# Directions are "up" (shipper to server), "down" and "both".
package Wal2Kafka::FaultProxy;

use strict;
use warnings;

use Carp;
use IPC::Open2;
use PostgreSQL::Test::Cluster;
use Wal2Kafka::Test;

my %running;    # pid => 1, to be killed at the end
my %api = (
	Produce => 0,
	Fetch => 1,
	Metadata => 3,
	FindCoordinator => 10,
	InitProducerId => 22,
	AddPartitionsToTxn => 24,
	AddOffsetsToTxn => 25,
	EndTxn => 26,
	TxnOffsetCommit => 28);

# target is HOST:PORT or the path of a socket.
sub new
{
	my ($class, %o) = @_;
	my $port = $o{port} || PostgreSQL::Test::Cluster::get_free_port();
	my $self = bless { port => $port }, $class;

	$self->{pid} = open2(
		$self->{from}, $self->{to},
		'setpriv', '--pdeathsig',
		'KILL', top_dir() . '/build/fault_proxy',
		$port, $o{target},
		$o{kafka} ? 'kafka' : ());
	$running{ $self->{pid} } = 1;
	$self->_answer('start');
	return $self;
}

sub postgres
{
	my ($class, $node) = @_;
	return $class->new(target => $node->host . '/.s.PGSQL.' . $node->port);
}

# In front of one broker (the first) of those made with proxied => 1: what it
# tells its clients leads here.
sub kafka
{
	my ($class, $kafka, $id) = @_;
	my $broker = $kafka->broker($id || 1);
	return $class->new(
		port => $broker->proxy_port,
		target => $broker->address('PROXIED'),
		kafka => 1);
}

# never stands in front of the mock
sub is_mock { return 0; }

sub port    { return $_[0]->{port}; }
sub brokers { return "127.0.0.1:$_[0]->{port}"; }

sub conninfo
{
	my ($self, $db, $more) = @_;
	return "host=127.0.0.1 port=$self->{port} dbname=$db " . ($more // '');
}

# --- what happens to bytes ---

# No fault any more; what was held goes on.
sub pass { return $_[0]->_tell('pass'); }

# Each piece takes so long, more or less; order is kept.
sub delay
{
	my ($self, $way, $ms, $jitter) = @_;
	return $self->_tell("delay $way $ms " . ($jitter // 0));
}

sub throttle { return $_[0]->_tell("throttle $_[1] $_[2]"); }

# Nothing arrives until pass(): a frozen peer, whose TCP still answers.
sub hold { return $_[0]->_tell("hold $_[1]"); }

# What is sent vanishes; only reset() mends that.
sub drop { return $_[0]->_tell("drop $_[1]"); }

# A black hole: packets are lost, and not even TCP answers.
sub dead { return $_[0]->_tell('dead'); }

# All connections are reset after so many more bytes in this direction.
sub cut { return $_[0]->_tell("cut $_[1] $_[2]"); }

# --- what happens to connections ---

sub reset  { return $_[0]->_tell('reset'); }     # both ends see RST
sub close  { return $_[0]->_tell('close'); }     # both ends see FIN
sub refuse { return $_[0]->_tell('refuse'); }    # new ones, until listen()
sub listen { return $_[0]->_tell('listen'); }

# Half open: "server" or "client" has gone without a word to the other, which a
# client learns by a reset when it sends again.
sub vanish { return $_[0]->_tell("vanish $_[1]"); }

# --- Kafka ---

# Of the next requests of an API: drop, hold, delay (argument: ms) or reset in
# place of the answer; hold-request, reset-request; error (Produce only: the
# request is not passed on, argument: the code).
sub answer
{
	my ($self, $api, $action, %o) = @_;
	return $self->_tell(
		join ' ', 'answer', $api{$api} // $api,
		$action,
		$o{count}    // 1,
		$o{skip}     // 0,
		$o{argument} // 0);
}

# The first Produce request of each producer id to each partition is not passed
# on but gets this error, as soon as there is a second or after so many ms.
sub first_produce
{
	my ($self, $code, $wait) = @_;
	return $self->_tell("first $code " . ($wait // 300));
}

# --- what was seen ---

sub links    { return $_[0]->_tell('links'); }          # open now
sub accepted { return $_[0]->_tell('accepted'); }       # ever
sub fired    { return $_[0]->_tell('fired'); }          # faults that hit
sub bytes    { return $_[0]->_tell("bytes $_[1]"); }    # passed on

sub requests
{
	return $_[0]->_tell('requests ' . ($api{ $_[1] } // $_[1]));
}

# Until so many cuts, refused or spoiled requests have happened since $from.
sub wait_fired
{
	my ($self, $from, $count) = @_;
	wait_until('the fault has struck',
		sub { $self->fired >= $from + ($count // 1) });
	return;
}

sub _tell
{
	my ($self, $line) = @_;
	my $to = $self->{to};
	print $to "$line\n";
	$to->flush;
	return $self->_answer($line);
}

sub _answer
{
	my ($self, $line) = @_;
	my $answer = readline $self->{from};
	croak "the proxy refused \"$line\""
	  if !defined $answer || $answer !~ /^ok(?: (\d+))?$/;
	return $1;
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
