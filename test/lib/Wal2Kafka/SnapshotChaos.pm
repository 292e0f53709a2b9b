# Runs of snapshots beside the stream: what each does is drawn from the seed and
# its number before it begins.
package Wal2Kafka::SnapshotChaos;

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Test::More;
use Time::HiRes qw(time);
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::SnapshotLoad;
use Wal2Kafka::SnapshotRun;
use Wal2Kafka::Test;

# What may happen in the middle: name => [weight, what it does to a run and the
# chaos, with a number drawn for it].
my %events = (
	'shipper killed' => [ 4, sub { $_[0]->kill_shipper; } ],
	'shipper killed twice' => [
		2,
		sub {
			my ($run, undef, $draw) = @_;
			$run->kill_shipper;
			pause($draw % 800 / 1000);
			$run->kill_shipper;
		}
	],
	'shipper stopped' => [
		2,
		sub {
			my ($run) = @_;
			my $status = $run->shipper->stop;
			die "asked to stop, the shipper ended with status $status\n"
			  if $status;
			$run->shipper->start;
		}
	],
	'shipper frozen' => [
		1,
		sub {
			my ($run, undef, $draw) = @_;
			freeze_process($run->shipper->pid);
			pause($draw % 2000 / 1000);
			kill 'CONT', $run->shipper->pid;
		}
	],
	'server crashed' => [ 3, sub { $_[0]->crash_server; } ],
	'server restarted' => [ 1, sub { $_[0]{node}->restart; } ],
	'broker killed' => [ 2, sub { $_[0]->crash_broker; } ],
	'broker frozen' => [
		1,
		sub {
			my (undef, $chaos, $draw) = @_;
			$chaos->{kafka}->freeze;
			pause($draw % 3000 / 1000);
			$chaos->{kafka}->thaw;
		}
	],
	'broker frozen, shipper killed' => [
		1,
		sub {
			my ($run, $chaos, $draw) = @_;
			$chaos->{kafka}->freeze;
			pause($draw % 500 / 1000);
			$run->kill_shipper;
			pause($draw % 900 / 1000);
			$chaos->{kafka}->thaw;
		}
	],
	'sessions ended' => [
		3,
		sub {
			my ($run) = @_;
			$run->{node}->safe_psql('postgres', <<'EOF');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name ~ 'wal2kafka' AND backend_type = 'client backend'
EOF
		}
	],
	'walsender ended' => [
		2,
		sub {
			my ($run) = @_;
			$run->{node}->safe_psql('postgres', <<'EOF');
SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active
EOF
		}
	],
	'link to the server reset' => [ 2, sub { $_[1]{to_server}->reset; } ],
	'link to the server cut' => [
		2,
		sub {
			my ($run, $chaos, $draw) = @_;
			$chaos->{to_server}->cut('down', $draw % 100_000);
			pause(0.5);
			$chaos->{to_server}->pass;
		}
	],
	'link to Kafka reset' => [ 2, sub { $_[1]{to_kafka}->reset; } ],
	'link to Kafka slow' => [
		1,
		sub {
			my ($run, $chaos, $draw) = @_;
			$chaos->{to_kafka}->delay(both => 50, 40);
			pause(1 + $draw % 2);
			$chaos->{to_kafka}->pass;
		}
	],
	'answers of Kafka lost' => [
		2,
		sub {
			my ($run, $chaos, $draw) = @_;
			$chaos->{to_kafka}->answer(Produce => 'reset', count => 1 + $draw % 3);
		}
	],
	'paused' => [
		3,
		sub {
			my ($run, undef, $draw) = @_;
			$run->insist('pause');
			pause($draw % 1000 / 1000);
			$run->kill_shipper if $draw % 3 == 0;
			$run->insist('resume');
		}
	],
	'another one wanted' => [
		2,
		sub {
			my ($run, undef, $draw) = @_;
			my @tables = $run->load->tables;
			$run->ask('snapshot',
				tables => [ "public.$tables[$draw % @tables]" ]);
		}
	],
	'cancelled and begun again' => [
		1,
		sub {
			my ($run) = @_;
			$run->insist('cancel');
			$run->want;
		}
	],
	'a table rewritten' => [
		1,
		sub {
			my ($run, undef, $draw) = @_;
			my $table = ($run->load->tables)[ $draw % 5 ];
			eval { $run->load->source("VACUUM FULL $table"); };
		}
	],
	'a table locked' => [
		1,
		sub {
			my ($run, undef, $draw) = @_;
			my $table = ($run->load->tables)[ $draw % 5 ];
			my $seconds = $draw % 1500 / 1000;
			eval {
				$run->load->source("BEGIN; LOCK $table IN ACCESS EXCLUSIVE MODE;
					SELECT pg_sleep($seconds); COMMIT");
			};
		}
	],
	'nothing' => [ 2, sub { } ]);

sub new
{
	my ($class, %o) = @_;
	my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
	my $node = new_extension_server('source',
		conf => "wal_sender_timeout = 5s\nmax_wal_size = 256MB\nautovacuum = off\n");
	my $self = bless {
		%o,
		kafka => $kafka,
		node => $node,
		to_kafka => Wal2Kafka::FaultProxy->kafka($kafka),
		to_server => Wal2Kafka::FaultProxy->postgres($node),
		started => time(),
		struck => {},
		runs => 0,
		copied => 0,
	}, $class;

	diag("SEED=$self->{seed}");
	return $self;
}

sub pause { select(undef, undef, undef, $_[0]); return; }

sub pick { return $_[ rand @_ ]; }

# What a run does.
sub draw
{
	my ($self, $number) = @_;
	my @names = map { ($_) x $events{$_}[0] } sort keys %events;

	# seeds side by side begin with numbers side by side
	srand(hex substr(md5_hex("$self->{seed} $number"), 0, 8));
	my %plan = (
		partitions => pick(1, 1, 3, 6),
		rows => pick(5_000, 10_000, 20_000),
		rate => pick(0, 0, 500, 2000),
		forgetful => pick(0, 1),
		again => rand() < 0.2,
		options => {
			snapshot_chunk_rows => pick(100, 200, 500, 1000, 3000),
			snapshot_connections => pick(1, 2, 3),
			snapshot_rate => pick(0, 0, 0, 20_000),
			max_in_flight => pick('1MB', '4MB'),
		});
	$plan{events} = [
		map {
			{ name => pick(@names), draw => int rand 1_000_000, at => 0.02 + rand(0.3) }
		} 1 .. 1 + int rand 3
	];
	return %plan;
}

sub run
{
	my ($self, $number) = @_;
	my %plan = $self->draw($number);
	my $start = time();
	my $run = $self->_begin($number, %plan);

	$self->_strike($run, %plan);
	my $status = $run->wait_done;
	if ($plan{again})
	{
		$run->want;
		$run->wait_done;
	}
	$run->load->stop_writing;
	my $different = $run->judge;
	die $different if $different ne '';
	$self->_end($run);
	$self->{runs}++;
	$self->{copied} += $run->{copied};
	diag(sprintf 'run %d: %s; %d rows in %.1f s; %s', $number,
		told(%plan), $run->{copied}, time() - $start, $run->{applied} =~ s/\n//r);
	return;
}

sub told
{
	my (%plan) = @_;
	my $o = $plan{options};
	return join(', ', map { $_->{name} } @{ $plan{events} })
	  . ($plan{again} ? ', then again' : '')
	  . "; $plan{partitions} partitions, 5 x $plan{rows} rows,"
	  . " chunks of $o->{snapshot_chunk_rows} by $o->{snapshot_connections}"
	  . ($o->{snapshot_rate} ? ", $o->{snapshot_rate}/s" : '')
	  . ($plan{forgetful} ? ', forgetful' : '')
	  . ($plan{rate} ? ", $plan{rate} transactions/s" : '');
}

sub _begin
{
	my ($self, $number, %plan) = @_;
	my $load = Wal2Kafka::SnapshotLoad->new(
		node => $self->{node},
		kafka => $self->{kafka},
		database => "run_$number",
		copy => "copy_$number",
		prefix => "r$number",
		partitions => $plan{partitions},
		forgetful => $plan{forgetful},
		rows => $plan{rows});
	my $run = Wal2Kafka::SnapshotRun->new(
		load => $load,
		slot => "run_$number",
		kafka => $self->{to_kafka},
		server => $self->{to_server},
		broker => {
			'socket.timeout.ms' => 5000,
			'reconnect.backoff.max.ms' => 1000,
			# of a broker that was frozen it remembers partitions without leader
			'topic.metadata.refresh.interval.ms' => 2000,
		},
		options => $plan{options});

	$load->publish;
	$run->shipper->init;
	$load->watch("run_$number");
	$run->shipper->start;
	$load->write($self->{seed} % 10_000 + $number, $plan{rate});
	$run->want;
	return $run;
}

# An event when so many rows more were copied.  One that comes too late for the
# snapshot strikes all the same.
sub _strike
{
	my ($self, $run, %plan) = @_;

	for my $event (@{ $plan{events} })
	{
		my $running = $run->wait_for_rows(5 * $plan{rows} * $event->{at});
		$events{ $event->{name} }[1]->($run, $self, $event->{draw});
		$self->{struck}{ $event->{name} . ($running ? '' : ' (late)') }++;
	}
	return;
}

# Neither disk nor memory grows with the runs.
sub _end
{
	my ($self, $run) = @_;
	my ($load, $slot) = ($run->load, $run->shipper->{slot});
	my $status = $run->shipper->stop;

	die "asked to stop, the shipper ended with status $status\n" if $status;
	$load->{witness}->stop;
	$self->{node}->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
	$self->{node}->safe_psql('postgres', "DROP DATABASE $_ WITH (FORCE)")
	  for @{$load}{qw(database copy)};
	$self->{kafka}->delete_topic($_) for $load->topics;
	return;
}

sub report
{
	my ($self) = @_;
	diag(sprintf '%d runs in %d s, %d rows copied', $self->{runs},
		time() - $self->{started}, $self->{copied});
	diag('struck: ' . join ', ',
		map { "$_ $self->{struck}{$_}" } sort keys %{ $self->{struck} });
	return;
}

1;
