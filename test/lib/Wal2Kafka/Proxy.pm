# Stands between shipper and server on a unix socket and does to their
# conversation what a server may do: hold back what it has to send while its
# keepalives tell how far the log goes.
#
# The server with a batch in its plugin's buffer behaves like this for a moment
# too short to hit on purpose.
package Wal2Kafka::Proxy;

use strict;
use warnings;

use Carp;
use IO::Select;
use IO::Socket::UNIX;
use POSIX      ();
use Socket     ();
use Test::More ();
use Wal2Kafka::Test;

my $frame_header = 32;    # plugin/wire.h
my $data_header = 25;     # of CopyData 'w'

sub new
{
	my ($class, $node) = @_;
	my $dir = launch_dir() . '/proxy';
	mkdir $dir;
	my $port = $node->port;
	my $target = $node->host . "/.s.PGSQL.$port";
	unlink "$dir/.s.PGSQL.$port";
	my $server =
		 IO::Socket::UNIX->new(Local => "$dir/.s.PGSQL.$port", Listen => 5)
	  or croak "listen: $!";
	socketpair(my $near, my $far, Socket::AF_UNIX(), Socket::SOCK_STREAM(), 0)
	  or croak "socketpair: $!";
	$near->autoflush(1);

	my $pid = fork // croak "fork: $!";
	if ($pid == 0)
	{
		close $near;
		$SIG{PIPE} = 'IGNORE';
		eval { serve($server, $target, $far); };
		Test::More::diag("proxy: $@") if $@;
		POSIX::_exit(0);
	}
	close $far;
	return bless { pid => $pid, to => $near, dir => $dir, port => $port },
	  $class;
}

sub conninfo
{
	my ($self, $db) = @_;
	return "host=$self->{dir} port=$self->{port} dbname=$db";
}

# From now on nothing that the plugin writes reaches the shipper.
sub hold { return $_[0]->_ask('hold'); }

# Waits until a frame with records has been held back.
sub wait_held { return $_[0]->_ask('wait'); }

# Sends a keepalive that wants an answer, with this end of the log, and returns
# the LSN that the shipper then confirms as flushed.
sub keepalive { return $_[0]->_ask("keepalive $_[1]"); }

# Cuts all connections, what was held is gone; later ones pass.
sub cut { return $_[0]->_ask('cut'); }

sub DESTROY
{
	my ($self) = @_;
	return if $$ != $Wal2Kafka::Test::owner;
	local ($?, $!);
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

sub _ask
{
	my ($self, $line) = @_;
	my $to = $self->{to};
	print $to "$line\n";
	my $answer = '';
	wait_until(
		"the proxy answers \"$line\"",
		sub {
			my $ready = '';
			vec($ready, fileno($to), 1) = 1;
			return 0 if select($ready, undef, undef, 0) < 1;
			sysread $to, $answer, 1000, length $answer;
			return $answer =~ /\n$/;
		});
	chomp $answer;
	return $answer;
}

# --- in the process of the proxy ---

my (%peer, %toward_client, %buffer);    # by descriptor
my ($holding, $held, $asked) = (0, 0, '');
my $select;

sub serve
{
	my ($server, $target, $control) = @_;
	$select = IO::Select->new($server, $control);

	while (1)
	{
		for my $fh ($select->can_read)
		{
			if ($fh == $server)
			{
				connect_pair(scalar $server->accept, $target);
			}
			elsif ($fh == $control)      { obey($control) or return; }
			elsif ($select->exists($fh)) { relay($fh, $control); }
		}
	}
}

sub connect_pair
{
	my ($client, $target) = @_;
	my $upstream = IO::Socket::UNIX->new(Peer => $target);

	# a server that is down looks like one to the client
	return close $client if !$upstream;
	$peer{$client} = $upstream;
	$peer{$upstream} = $client;
	$toward_client{$upstream} = 1;
	@buffer{ $client, $upstream } = ('', '');
	$select->add($client, $upstream);
	return;
}

sub disconnect
{
	my ($fh) = @_;
	my $other = delete $peer{$fh} or return;
	delete $peer{$other};
	# a later handle may get the name of one that is gone
	delete @toward_client{ $fh, $other };
	delete @buffer{ $fh, $other };
	$select->remove($fh, $other);
	close $fh;
	close $other;
	return;
}

sub relay
{
	my ($fh, $control) = @_;
	my $read = sysread $fh, my $bytes, 65536;

	return disconnect($fh) if !$read;
	my $other = $peer{$fh};
	if (!$toward_client{$fh})
	{
		watch_answer($bytes, $control);
		return send_all($other, $bytes);
	}

	$buffer{$fh} .= $bytes;
	while (length $buffer{$fh} >= 5)
	{
		my ($type, $len) = unpack 'aN', $buffer{$fh};
		last if length $buffer{$fh} < $len + 1;
		my $message = substr $buffer{$fh}, 0, $len + 1, '';
		pass($other, $message, $control);
	}
	return;
}

sub pass
{
	my ($client, $message, $control) = @_;
	my $is_data =
	  substr($message, 0, 1) eq 'd' && substr($message, 5, 1) eq 'w';

	return send_all($client, $message) if !$holding || !$is_data;
	my $frame = substr $message, 5 + $data_header;
	$held = 1 if length $frame > $frame_header && unpack('x8V', $frame) > 0;
	answer_held($control);
	return;
}

sub answer_held
{
	my ($control) = @_;
	return if $asked ne 'wait' || !$held;
	$asked = '';
	send_all($control, "held\n");
	return;
}

# A status update is one small CopyData message: 'd', length, 'r', three LSNs.
sub watch_answer
{
	my ($bytes, $control) = @_;
	return if $asked ne 'keepalive' || $bytes !~ /^d\0\0\0\x26r/;
	my ($hi, $lo) = unpack 'x14NN', $bytes;
	$asked = '';
	send_all($control, sprintf("%X/%X\n", $hi, $lo));
	return;
}

sub obey
{
	my ($control) = @_;
	sysread($control, my $line, 1000) or return 0;
	chomp $line;

	if ($line eq 'hold')
	{
		($holding, $held) = (1, 0);
		send_all($control, "ok\n");
	}
	elsif ($line eq 'wait')
	{
		$asked = 'wait';
		answer_held($control);
	}
	elsif ($line =~ m{^keepalive ([0-9A-F]+)/([0-9A-F]+)$})
	{
		my $body = pack 'aNNNNC', 'k', hex $1, hex $2, 0, 0, 1;
		$asked = 'keepalive';
		send_all($peer{$_}, pack('aN', 'd', 4 + length $body) . $body)
		  for grep { $toward_client{$_} } $select->handles;
	}
	elsif ($line eq 'cut')
	{
		$holding = 0;
		disconnect($_) for grep { $toward_client{$_} } $select->handles;
		send_all($control, "ok\n");
	}
	return 1;
}

sub send_all
{
	my ($fh, $bytes) = @_;
	while (length $bytes)
	{
		my $written = syswrite $fh, $bytes;
		return if !$written;
		substr $bytes, 0, $written, '';
	}
	return;
}

1;
