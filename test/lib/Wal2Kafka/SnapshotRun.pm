# A snapshot beside the stream as a test drives it: through the socket of the
# shipper, which is started again whenever it ends, as by a service manager,
# with the writers of a Wal2Kafka::SnapshotLoad beside it.
package Wal2Kafka::SnapshotRun;

use strict;
use warnings;

use Carp;
use IO::Socket::UNIX;
use JSON::PP ();
use List::Util qw(sum0);
use Test::More;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Wal2Kafka::Test;

my $count = 0;

# load, or else what a Wal2Kafka::Shipper takes; options (of [wal2kafka]); slot;
# kafka and server, proxies to go through
sub new
{
	my ($class, %o) = @_;
	my $load = $o{load};
	my $socket = launch_dir() . '/control' . $count++;
	my %shipper = (
		$load ? $load->shipper_options : (),
		slot => 'wal2kafka',
		(map { $_ => $o{$_} } grep { !/^(?:load|server)$/ } keys %o),
		options =>
		  { control => $socket, release_after => 2, %{ $o{options} || {} } });

	$shipper{conninfo} = $o{server}->conninfo($load->{database}) if $o{server};
	return bless {
		%o,
		socket => $socket,
		node => $load ? $load->{node} : $o{node},
		shipper => Wal2Kafka::Shipper->new(%shipper),
	}, $class;
}

sub shipper { return $_[0]->{shipper}; }
sub load    { return $_[0]->{load}; }

# --- the socket ---

# The answer to a command, decoded; undef if nobody gives one.
sub ask
{
	my ($self, $command, %more) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or return;
	my $json = JSON::PP->new->canonical;

	local $SIG{PIPE} = 'IGNORE';
	$socket->sockopt(IO::Socket::SO_RCVTIMEO(), pack('l!l!', 10, 0));
	print $socket $json->encode({ command => $command, %more }), "\n";
	my $line = readline $socket;
	return if !defined $line || $line !~ /\n\z/;
	return $json->decode($line);
}

# Until somebody takes it, and its effect is on record: the answer.
sub insist
{
	my ($self, $command, %more) = @_;
	my $answer = $self->wait_for("$command is answered",
		sub { return $self->ask($command, %more); });

	return $answer if !$answer->{ok} || $command eq 'status';
	$self->wait_for("$command is on record",
		sub { return ($self->ask('status') // return)->{recorded} >= $answer->{change}; });
	return $answer;
}

# Wants a snapshot of these tables, of all if none are named.
sub want
{
	my ($self, @tables) = @_;
	my $answer = $self->insist('snapshot',
		@tables ? (tables => [ map { "public.$_" } @tables ]) : ());

	croak "no snapshot: $answer->{error}" if !$answer->{ok};
	return;
}

# What is known of the snapshot; undef if nobody answers.
sub status
{
	my ($self) = @_;
	my $answer = $self->ask('status') or return;
	return $answer->{snapshot};
}

sub state { my ($self) = @_; return ($self->status || {})->{state} // ''; }

# --- how far it is ---

# The messages in Kafka with a row of a snapshot.
sub copied
{
	my ($self) = @_;
	my $load = $self->{load};
	return grep { ($_->{value} // '') =~ /"snapshot":true/ }
	  $load->{kafka}->messages($load->topics);
}

# Rows that the state record has as copied.
sub on_record
{
	my ($self) = @_;
	my ($kafka, $prefix) = @{ $self->{load} }{qw(kafka prefix)};
	my $record = state_record($kafka, $self->{slot},
		$prefix ? "$prefix.$state_topic" : $state_topic) // {};

	return sum0(map { $_->{rows} } @{ ($record->{snapshot} // {})->{tables} // [] });
}

# --- what happens meanwhile ---

# Writers that lost the server, and a shipper that ended as one may, begin again.
sub tick
{
	my ($self) = @_;
	my $shipper = $self->{shipper};

	$self->{load}->tend if $self->{load};
	return if !$shipper->pid || !$shipper->has_ended;
	my $status = $shipper->wait_exit;
	die "the shipper ended with status $status\n" if $status != 2;
	$shipper->start;
	return;
}

sub wait_for
{
	my ($self, $what, $condition) = @_;
	return wait_until($what,
		sub { $self->tick; return $condition->(); }, $self->{patience});
}

# Until so many more rows were copied, or it is over; whether it is not.
sub wait_for_rows
{
	my ($self, $rows) = @_;
	my ($last, $seen) = (undef, 0);
	my $status;

	# a shipper that was started anew may count from another number
	$self->wait_for(
		"the snapshot copies $rows rows",
		sub {
			$status = $self->status or return;
			return 1 if $status->{state} =~ /^(?:done|failed|cancelled|none)$/;
			my $now = $status->{rows} // 0;
			$seen += $now - $last if defined $last && $now > $last;
			$last = $now;
			return $seen >= $rows;
		});
	return $status->{state} eq 'running';
}

sub wait_done
{
	my ($self) = @_;
	my $status;

	$self->wait_for(
		'the snapshot is done',
		sub {
			$status = $self->status or return;
			die 'the snapshot ' . JSON::PP->new->encode($status) . "\n"
			  if $status->{state} =~ /^(?:failed|cancelled|none)$/;
			return $status->{state} eq 'done';
		});
	return $status;
}

# Everything that was written is confirmed.
sub wait_confirmed
{
	my ($self) = @_;
	my $lsn = $self->{node}->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	my $slot = $self->{shipper}{slot};

	$self->wait_for(
		"slot $slot has confirmed $lsn",
		sub {
			slot_field($self->{node}, $slot,
				"confirmed_flush_lsn >= '$lsn'") eq 't';
		});
	return;
}

# From its next start on.
sub lift_rate
{
	my ($self) = @_;
	my $shipper = $self->{shipper};

	$shipper->configure(
		$shipper->config_text =~ s/(snapshot_rate = )\d+/${1}0/r);
	return;
}

# --- faults ---

sub kill_shipper
{
	my ($self) = @_;
	$self->{shipper}->kill9;
	$self->{shipper}->start;
	return;
}

# Writers and shipper see a server that crashed.
sub crash_server
{
	my ($self) = @_;
	$self->{node}->stop('immediate');
	$self->{node}->start;
	return;
}

sub crash_broker
{
	my ($self) = @_;
	my $kafka = $self->{load}{kafka};
	$kafka->kill9;
	$kafka->start;
	return;
}

# --- the judgement ---

# Writing has ended: what is wrong, or ''.  "options" are more of the consumer's.
sub judge
{
	my ($self, @options) = @_;
	my $load = $self->{load};

	$self->wait_confirmed;
	my $applied = $load->consume(@options);
	my $checked = $load->check;
	my $different = $load->differences;

	@{$self}{qw(applied checked)} = ($applied, $checked);
	($self->{copied}) = $checked =~ /of snapshots (\d+)/;
	return $different;
}

1;
