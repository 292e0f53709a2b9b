# All that can die in a chaos run, and who sees to it: one server, one broker,
# two shippers on one slot, the writers.  tick() is called all the time; what
# must never happen makes it die.
package Wal2Kafka::Chaos::World;

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(time);
use Wal2Kafka::Chaos::Load;
use Wal2Kafka::Clock;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Test;
use Wal2Kafka::Witness;

my $slot = 'wal2kafka';

# What a shipper may hold: 64 MB, what is in flight, and twice the largest
# record.
my $in_flight_mb = 1;
my $rss_max_kb = (64 + $in_flight_mb + 2) * 1024;

# Seconds for what must end by itself.
my %patience = (catch_up => 180, shutdown => 40);

my $server_conf = <<'EOF';
wal_sender_timeout = 5s
max_wal_size = 128MB
checkpoint_timeout = 30s
restart_after_crash = on
log_line_prefix = '%m [%p] %a %e '
EOF

# shippers: how many (2)
sub new
{
	my ($class, %o) = @_;
	my $kafka = Wal2Kafka::Kafka->new(
		proxied => 1,
		settings => {
			# what was deleted stays so after a crash
			'log.flush.start.offset.checkpoint.interval.ms' => 200,
			'log.initial.task.delay.ms' => 200,
			'log.retention.check.interval.ms' => 10000,
			'log.segment.delete.delay.ms' => 1000,
			'log.segment.bytes' => 8 * 1024 * 1024,
		});
	my $node = new_server('source', conf => $server_conf);
	my $self = bless {
		kafka => $kafka,
		node => $node,
		to_kafka => Wal2Kafka::FaultProxy->kafka($kafka),
		to_server => Wal2Kafka::FaultProxy->postgres($node),
		load => Wal2Kafka::Chaos::Load->new($node, $kafka),
		clock => Wal2Kafka::Clock->new,
		log_at => 0,
		caused => 0,    # signals 9 that the server's log will tell of
		rss => 0,
		took => {},     # the longest of what must end by itself
		ticked => sub { },
	}, $class;

	$self->{shippers} = [ map { $self->_shipper } 1 .. $o{shippers} || 2 ];
	$self->{shippers}[0]->init;
	return $self;
}

sub _shipper
{
	my ($self) = @_;
	return Wal2Kafka::Shipper->new(
		conninfo => $self->{to_server}->conninfo('postgres'),
		kafka => $self->{to_kafka},
		slot => $slot,
		publication => 'p',
		broker => {
			'socket.timeout.ms' => 5000,
			'reconnect.backoff.max.ms' => 1000,
			'topic.metadata.refresh.interval.ms' => 2000
		},
		options => {
			max_in_flight => "${in_flight_mb}MB",
			release_after => 2,
			shutdown_timeout => 5
		});
}

sub node { return $_[0]->{node}; }
sub kafka { return $_[0]->{kafka}; }
sub load { return $_[0]->{load}; }
sub to_kafka { return $_[0]->{to_kafka}; }       # the links of the shippers
sub to_server { return $_[0]->{to_server}; }
sub clock { return $_[0]->{clock}; }    # the shippers'
sub shippers { return @{ $_[0]->{shippers} }; }
sub shipper { return $_[0]->{shippers}[ $_[1] % @{ $_[0]->{shippers} } ]; }

sub start_shipper
{
	my ($self, $shipper) = @_;
	$self->clock->run(sub { $shipper->start; }) if !$shipper->pid;
	return;
}

# Asked to stop, it does so with status 0, whatever is down.
sub stop_shipper
{
	my ($self, $shipper) = @_;
	my $status;

	$self->timed('shutdown', sub { $status = $shipper->stop; });
	die "asked to stop, a shipper ended with status $status\n" if $status;
	return;
}

# Runs it and keeps the longest time it took; dies if that was too long.
sub timed
{
	my ($self, $what, $act) = @_;
	my $start = time();

	$act->();
	my $took = time() - $start;
	$self->{took}{$what} = $took if $took > ($self->{took}{$what} || 0);
	die sprintf("%s took %.1f s\n", $what, $took)
	  if $took > $patience{$what};
	return;
}

# The one way in which time passes on purpose.
sub pause
{
	my ($self, $seconds) = @_;
	my $end = time() + $seconds;

	while (time() < $end)
	{
		$self->tick;
		select(undef, undef, undef, 0.05);
	}
	return;
}

sub tick
{
	my ($self) = @_;

	$self->load->tend;
	for my $shipper (grep { $_->pid } $self->shippers)
	{
		$self->_watch($shipper);
	}
	$self->{ticked}->();
	return;
}

# A shipper that ends by itself is started again, as a service manager would;
# only one status of its own is worth that.
sub _watch
{
	my ($self, $shipper) = @_;
	my ($kb) =
	  slurp('/proc/' . $shipper->pid . '/status') =~ /^VmHWM:\s+(\d+)/m;

	$self->{rss} = $kb if $kb && $kb > $self->{rss};
	die "a shipper takes $kb kB of memory\n" if $kb && $kb > $rss_max_kb;
	return if !$shipper->has_ended;
	my $status = $shipper->wait_exit;
	die "a shipper ended with status $status\n" if $status != 2;
	$self->{restarted}++;
	$self->start_shipper($shipper);
	return;
}

# A row that is written now has arrived, and all before it.
sub catch_up
{
	my ($self) = @_;

	$self->insist(q{INSERT INTO events VALUES (-1, 0, 'beat', NULL, 0)});
	$self->wait_confirmed;
	return;
}

# All of the log so far is confirmed, which may take a while.
sub wait_confirmed
{
	my ($self) = @_;
	my $lsn = $self->insist('SELECT pg_current_wal_lsn()');
	my $end = time() + $patience{catch_up};

	$self->timed(
		'catch_up',
		sub {
			while (($self->ask("SELECT confirmed_flush_lsn >= '$lsn'
				FROM pg_replication_slots") // '') ne 't')
			{
				die "nothing moves any more: $lsn is not confirmed\n"
				  if time() > $end;
				$self->pause(0.2);
			}
		});
	return;
}

# Bytes of WAL that are not confirmed; -1 when nobody knows.
sub lag
{
	my ($self) = @_;
	return $self->ask('SELECT pg_current_wal_lsn() - confirmed_flush_lsn
			FROM pg_replication_slots') || -1;
}

# From here on a server that crashes does not go back behind this place, and
# not a row was written since.  It saves how far the slot is confirmed only when
# it may also read from a later place.
sub anchor
{
	my ($self) = @_;
	my $lsn = $self->insist('SELECT pg_current_wal_lsn()');

	do
	{
		$self->insist('CHECKPOINT');
		$self->wait_confirmed;
	} while (slot_field($self->node, $slot, "restart_lsn >= '$lsn'") ne 't');
	return;
}

# Nothing is on its way to the topics: what a shipper that was frozen, or let
# go of the slot, still had in its queue has arrived as well.
sub settle
{
	my ($self) = @_;
	my @topics = $self->load->topics;
	my $count = -1;

	while ((my $now = $self->kafka->count(@topics)) != $count)
	{
		$count = $now;
		$self->pause(1.5);
	}
	return;
}

# --- the server ---

# One more process of it dies by a signal of ours.
sub caused { $_[0]->{caused}++; return; }

sub stop_server
{
	my ($self, $mode) = @_;

	$self->timed('shutdown',
		sub { $self->node->stop($mode, fail_ok => 1) or die "no $mode stop\n"; }
	);
	return;
}

# kill -9 of the postmaster; its children notice by themselves.
sub kill_server
{
	my ($self) = @_;
	my $pid = $self->postmaster;
	my @children = $self->children;

	$self->node->kill9;
	wait_until(
		'all processes of the server are gone',
		sub {
			return !grep { -e "/proc/$_" && !is_zombie($_) } $pid, @children;
		});
	# whoever inherits it may be slow to bury it, and then it seems alive
	unlink $self->node->data_dir . '/postmaster.pid',
	  $self->node->host . '/.s.PGSQL.' . $self->node->port . '.lock';
	return;
}

sub postmaster
{
	my ($self) = @_;
	return (split /\n/, slurp($self->node->data_dir . '/postmaster.pid'))[0];
}

sub children
{
	my ($self) = @_;
	my $pid = $self->postmaster;
	return split /\n/, slurp("/proc/$pid/task/$pid/children") =~ s/ +/\n/gr;
}

sub is_zombie
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return 1;
	return (readline($fh) // ') Z') =~ /\) Z/;
}

sub start_server { $_[0]->node->start; return; }

# After a crash that it mends by itself.
sub wait_for_server
{
	my ($self) = @_;
	wait_until('the server takes connections again',
		sub { return ($self->ask('SELECT 1') // '') eq '1'; });
	return;
}

# The answer of a server that may be about to notice that it crashed.
sub insist
{
	my ($self, $sql) = @_;
	my $answer;

	wait_until("the server does: $sql",
		sub { return defined($answer = $self->ask($sql)); });
	return $answer;
}

# The answer of a server that may be down, undef then.
sub ask
{
	my ($self, $sql) = @_;
	my ($status, $answer) = eval { $self->node->psql('postgres', $sql) };

	return defined $status && $status == 0 ? $answer : undef;
}

# --- at the end of a round ---

# The server's log tells of no crash but those that we caused.
sub check_server_log
{
	my ($self) = @_;
	my $new = substr slurp($self->node->logfile), $self->{log_at};
	my @killed = $new =~ /terminated by signal (\d+)/g;
	my ($bad) =
	  $new =~ /^(.*(?:PANIC|TRAP:|VALGRINDERROR| XX000 ).*)$/m;

	$self->{log_at} += length $new;
	die "the server's log: $bad\n" if defined $bad;
	die "processes of the server ended by signals @killed\n"
	  if @killed > $self->{caused} || grep { $_ != 9 } @killed;
	$self->{caused} = 0;
	return;
}

# A round begins: what is confirmed from now on, and what Kafka had then.
sub witness
{
	my ($self) = @_;
	$self->{witness} =
	  Wal2Kafka::Witness->new($self->node, $self->kafka, $slot,
		$self->load->topics);
	return;
}

sub judge
{
	my ($self) = @_;

	$self->load->stop;
	$self->catch_up;
	$self->settle;
	$self->anchor;
	$self->{witness}->wait_for_sample;
	my $verdict = $self->load->judge_round($self->{witness}->options);
	$self->{witness}->stop;
	$self->check_server_log;
	$self->load->forget;
	$self->pause(1);
	return $verdict;
}

1;
