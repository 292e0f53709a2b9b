# What an administrator does to a Kafka cluster while it is used, in Kafka's own
# protocol: the tools that come with Kafka take a second each, and the library
# for C of Debian 12 knows half of this.
package Wal2Kafka::Admin;

use strict;
use warnings;

use Carp;
use IO::Socket::INET;
use Wal2Kafka::Test;

my %resource = (topic => 2, cluster => 4, broker => 4, transactional_id => 5);
my %operation = (
	all              => 2,
	read             => 3,
	write            => 4,
	create           => 5,
	describe         => 8,
	describe_configs => 10,
	idempotent_write => 12);

# addresses: a function that lists those of the brokers that run
sub new
{
	my ($class, $addresses) = @_;
	return bless { addresses => $addresses }, $class;
}

# --- leaders ---

# For each partition of a topic: leader (-1: none), replicas, isr, lists of
# broker numbers.
sub partitions
{
	my ($self, $topic) = @_;
	my $in = $self->_ask(3, 1, 0, pack('N', 1) . _string($topic));

	for (1 .. _int($in))
	{
		_int($in), _text($in), _int($in), _text($in);
	}
	_int($in);
	_int($in);    # one topic
	my $error = _short($in);
	croak "metadata of $topic: error $error" if $error;
	_text($in);
	_take($in, 1);
	my @partitions;

	for (1 .. _int($in))
	{
		_short($in);
		my $number = _int($in);
		$partitions[$number] = {
			leader   => _signed(_int($in)),
			replicas => [ map { _int($in) } 1 .. _int($in) ],
			isr      => [ map { _int($in) } 1 .. _int($in) ]
		};
	}
	return @partitions;
}

sub leader
{
	my ($self, $topic, $partition) = @_;
	return ($self->partitions($topic))[ $partition || 0 ]{leader};
}

# The number of the active controller.
sub controller
{
	my ($self) = @_;
	my $in = $self->_ask(55, 0, 1,
			"\x02"
		  . _compact('__cluster_metadata') . "\x02"
		  . pack('N', 0)
		  . "\0\0\0");

	_short($in);
	_take($in, 1 + 1 + length('__cluster_metadata') + 1);
	_int($in);
	_short($in);
	return _signed(_int($in));
}

# How many producers the leader of a partition remembers.
sub producers
{
	my ($self, $topic, $partition) = @_;
	my $in = $self->_ask(61, 0, 1,
		"\x02" . _compact($topic) . "\x02" . pack('N', $partition) . "\0\0");

	_int($in);
	_take($in, 1 + 1 + length($topic) + 1);
	_int($in);
	my $error = _short($in);
	croak "producers of $topic/$partition: error $error" if $error;
	_take($in, 1);
	return unpack('C', _take($in, 1)) - 1;
}

# Makes a broker the leader of a partition, whose replicas stay as they are.
sub move_leader
{
	my ($self, $topic, $partition, $to) = @_;
	my @replicas = @{ ($self->partitions($topic))[$partition]{replicas} };

	$self->reassign($topic, $partition, $to, grep { $_ != $to } @replicas);
	wait_until(
		"broker $to leads $topic/$partition",
		sub {
			$self->_elect($topic, $partition);
			return $self->leader($topic, $partition) == $to;
		});
	return;
}

# Gives a partition these replicas, the preferred leader first.
sub reassign
{
	my ($self, $topic, $partition, @replicas) = @_;
	my $in = $self->_ask(45, 0, 1,
			pack('N', 60000) . "\x02"
		  . _compact($topic) . "\x02"
		  . pack('N',  $partition)
		  . pack('C',  @replicas + 1)
		  . pack('N*', @replicas)
		  . "\0\0\0\0");

	_int($in);
	my $error = _short($in);
	croak "reassign $topic/$partition: error $error" if $error;
	return;
}

# A replica leads that may lack records, where the topic allows it.
sub elect_unclean
{
	my ($self, $topic, $partition) = @_;
	return $self->_elect($topic, $partition, 1);
}

# The preferred replica, if it can, or one that is not in sync.  That one leads
# already is an error to Kafka, and none here.
sub _elect
{
	my ($self, $topic, $partition, $unclean) = @_;
	$self->_ask(43, 1, 0,
			pack('CN', $unclean || 0, 1)
		  . _string($topic)
		  . pack('NN', 1, $partition)
		  . pack('N',  10000));
	return;
}

# --- settings ---

# of a topic; undef takes one back
sub configure_topic
{
	my ($self, @rest) = @_;
	return $self->_configure('topic', @rest);
}

# of a broker by number, or '' for all
sub configure_broker
{
	my ($self, @rest) = @_;
	return $self->_configure('broker', @rest);
}

sub _configure
{
	my ($self, $kind, $name, %settings) = @_;
	my $body =
		pack('NC', 1, $resource{$kind})
	  . _string($name)
	  . pack('N', scalar keys %settings);

	$body .=
		_string($_)
	  . (defined $settings{$_} ? "\0" : "\x01")
	  . _string($settings{$_})
	  for sort keys %settings;
	my $in = $self->_ask(44, 0, 0, "$body\0");
	_int($in);
	_int($in);
	my $error = _short($in);
	croak "configure $kind $name: error $error " . _text($in) if $error;
	return;
}

# Bytes a second that a client may produce; undef: as many as it likes.
sub throttle
{
	my ($self, $client, $rate) = @_;
	my $in = $self->_ask(49, 0, 0,
			pack('N', 1)
		  . pack('N', 1)
		  . _string('client-id')
		  . _string($client)
		  . pack('N', 1)
		  . _string('producer_byte_rate')
		  . pack('d>', $rate || 0)
		  . (defined $rate ? "\0" : "\x01")
		  . "\0");

	_int($in);
	_int($in);
	my $error = _short($in);
	croak "quota of $client: error $error" if $error;
	return;
}

# --- access ---

# A user may do this to a resource (topic, cluster, transactional_id); the
# cluster's name is kafka-cluster.
sub allow
{
	my ($self, $user, $what, $kind, $name) = @_;
	my $in = $self->_ask(30, 1, 0,
			pack('NC', 1, $resource{$kind})
		  . _string($name) . "\x03"
		  . _string("User:$user")
		  . _string('*')
		  . pack('CC', $operation{$what}, 3));

	_int($in);
	_int($in);
	my $error = _short($in);
	croak "allow $user $what $kind $name: error $error" if $error;
	return;
}

sub forbid
{
	my ($self, $user, $what, $kind, $name) = @_;
	$self->_ask(31, 1, 0,
			pack('NC', 1, $resource{$kind})
		  . _string($name) . "\x03"
		  . _string("User:$user")
		  . _string('*')
		  . pack('CC', $operation{$what}, 3));
	return;
}

# --- the protocol ---

# A request to a broker that answers: a reference to the answer's body, from
# which _take() and its kin cut.
sub _ask
{
	my ($self, $api, $version, $flexible, $body) = @_;
	my $request =
		pack('nnN', $api, $version, 7)
	  . _string('tests')
	  . ($flexible ? "\0" : '')
	  . $body;

	return wait_until(
		'a broker answers',
		sub {
			for my $address ($self->{addresses}->())
			{
				my $answer = _exchange($address, $request) // next;
				$answer = substr $answer, $flexible ? 5 : 4;
				return \$answer;
			}
			return;
		});
}

sub _exchange
{
	my ($address, $request) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $address, Timeout => 5)
	  // return;
	my $answer = '';
	my $wanted = 4;

	# a frozen broker takes connections too
	$socket->sockopt(IO::Socket::SO_RCVTIMEO(), pack('l!l!', 20, 0));
	syswrite $socket, pack('N', length $request) . $request;
	while (length $answer < $wanted)
	{
		sysread($socket, $answer, $wanted - length $answer, length $answer)
		  or return;
		$wanted = 4 + unpack 'N', $answer if length $answer == 4;
	}
	return substr $answer, 4;
}

sub _string
{
	my ($text) = @_;
	return defined $text ? pack('n', length $text) . $text : pack('n', 65535);
}

sub _compact { return pack('C', 1 + length $_[0]) . $_[0]; }

sub _take   { return substr ${ $_[0] }, 0, $_[1], ''; }
sub _int    { return unpack 'N',  _take($_[0], 4); }
sub _short  { return unpack 's>', _take($_[0], 2); }
sub _signed { return unpack 'l',  pack 'l', $_[0]; }

sub _text
{
	my $length = _short($_[0]);
	return $length < 0 ? '' : _take($_[0], $length);
}

1;
