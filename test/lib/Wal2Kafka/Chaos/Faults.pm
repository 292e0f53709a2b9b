# The faults: what each does to the world.  One with "lasts" begins, goes on for
# so many seconds at most, and ends; the others are over at once.  Two at a
# time are never of the same "on".  "draw" is a number drawn for it.
package Wal2Kafka::Chaos::Faults;

use strict;
use warnings;

use Exporter 'import';
use Wal2Kafka::Chaos::World;
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

our @EXPORT_OK = qw(faults draw_fault);

sub walsender
{
	my ($world, $function) = @_;
	$world->ask("SELECT $function(active_pid) FROM pg_replication_slots
		WHERE active");
	return;
}

# kill -9 of a process of the server, which then starts all others anew.
sub kill_backend
{
	my ($world, $condition) = @_;
	my $pid = $world->ask("SELECT pid FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND $condition ORDER BY pid LIMIT 1");

	return if !$pid;
	$world->caused;
	kill 'KILL', $pid;
	$world->wait_for_server;
	return;
}

# What any link may suffer: name, seconds, how.
sub links
{
	return (
		[ 'reset', 0, sub { $_[0]->reset; } ],
		[ 'closed', 0, sub { $_[0]->close; } ],
		[ 'half open', 2, sub { $_[0]->vanish('server'); } ],
		[
			'cut after some bytes', 2,
			sub { $_[0]->cut($_[1] % 2 ? 'up' : 'down', $_[1] % 3000); }
		],
		[ 'slow', 4, sub { $_[0]->delay(both => 100, 80); } ],
		[ 'thin', 4, sub { $_[0]->throttle(both => 100_000); } ],
		[ 'silent', 8, sub { $_[0]->hold('down'); } ],
		[ 'deaf', 8, sub { $_[0]->hold('up'); } ],
		[ 'refused', 2, sub { $_[0]->refuse; $_[0]->reset; } ]);
}

# What may become of Produce requests: name, how.
sub answers
{
	my @way = (
		[ 'answer lost, link too', 'reset' ],
		[ 'answer never given', 'drop' ],
		[ 'answer late', 'delay', argument => 1000 ],
		[ 'request lost', 'reset-request' ],
		[ 'not leader', 'error', argument => 6 ],
		[ 'timed out', 'error', argument => 7 ],
		[ 'too few replicas', 'error', argument => 19 ]);

	return map {
		my ($name, $action, @more) = @$_;
		[
			$name,
			sub {
				$_[0]->answer(
					Produce => $action,
					count => 1 + $_[1] % 3,
					skip => $_[1] % 2,
					@more);
			}
		]
	} @way;
}

sub link_fault
{
	my ($where, $name, $lasts, $how) = @_;
	my $proxy = $where eq 'Kafka' ? 'to_kafka' : 'to_server';

	return {
		name => "link to $where: $name",
		on => "link to $where",
		lasts => $lasts,
		begin => sub { $how->($_[0]->$proxy, $_[1]); },
		# what was cut or dropped does not come back by itself
		end => sub {
			my $link = $_[0]->$proxy;
			$link->listen;
			$link->pass;
			$link->reset if $name =~ /half open|never given/;
		},
	};
}

my @faults = (
	# --- shippers ---
	{
		name => 'shipper killed',
		on => 'shipper',
		lasts => 2,
		begin => sub { $_[0]->shipper($_[1])->kill9; },
		end => sub { $_[0]->start_shipper($_[0]->shipper($_[1])); },
	},
	{
		name => 'shipper stopped',
		on => 'shipper',
		lasts => 2,
		begin => sub { $_[0]->stop_shipper($_[0]->shipper($_[1])); },
		end => sub { $_[0]->start_shipper($_[0]->shipper($_[1])); },
	},
	{
		name => 'shipper frozen',
		on => 'shipper',
		lasts => 9,    # beyond wal_sender_timeout: the other takes over
		begin => sub { freeze_process($_[0]->shipper($_[1])->pid); },
		end => sub { kill 'CONT', $_[0]->shipper($_[1])->pid; },
	},
	{
		name => 'both shippers killed',
		on => 'shipper',
		lasts => 2,
		begin => sub { $_->kill9 for $_[0]->shippers; },
		end => sub { $_[0]->start_shipper($_) for $_[0]->shippers; },
	},
	{
		name => 'shipper killed while it starts',
		on => 'shipper',
		begin => sub {
			my ($world, $draw) = @_;
			my $shipper = $world->shipper($draw);

			for my $n (1 .. 5)
			{
				$shipper->kill9;
				$world->start_shipper($shipper);
				$world->pause(($draw * $n % 300) / 1000);
			}
		},
	},
	{
		name => 'clock set',
		on => 'clock',
		lasts => 3,
		begin => sub { $_[0]->clock->set($_[1] % 2 ? 3_600_000 : -3_600_000); },
		end => sub { $_[0]->clock->set(0); },
	},
	# --- server ---
	{
		name => 'walsender terminated',
		on => 'walsender',
		begin => sub { walsender($_[0], 'pg_terminate_backend'); },
	},
	{
		name => 'walsender canceled',
		on => 'walsender',
		begin => sub { walsender($_[0], 'pg_cancel_backend'); },
	},
	{
		name => 'walsender killed',
		on => 'server',
		begin => sub { kill_backend($_[0], q{backend_type = 'walsender'}); },
	},
	{
		name => 'backend killed',
		on => 'server',
		begin =>
		  sub { kill_backend($_[0], q{backend_type = 'client backend'}); },
	},
	{
		name => 'server stopped fast',
		on => 'server',
		lasts => 2,
		begin => sub { $_[0]->stop_server('fast'); },
		end => sub { $_[0]->start_server; },
	},
	{
		name => 'server stopped at once',
		on => 'server',
		lasts => 2,
		begin => sub { $_[0]->stop_server('immediate'); },
		end => sub { $_[0]->start_server; },
	},
	{
		name => 'postmaster killed',
		on => 'server',
		lasts => 2,
		begin => sub { $_[0]->kill_server; },
		end => sub { $_[0]->start_server; },
	},
	{
		name => 'checkpoint',
		on => 'checkpoint',
		begin => sub {
			$_[0]->ask('SELECT pg_switch_wal()');
			$_[0]->ask('CHECKPOINT');
		},
	},
	{
		name => 'definition changed',
		on => 'definition',
		begin => sub { $_[0]->load->alter($_[1]); },
	},
	# --- Kafka ---
	{
		name => 'Kafka killed',
		on => 'Kafka',
		lasts => 3,
		begin => sub { $_[0]->kafka->kill9; },
		end => sub { $_[0]->kafka->start; },
	},
	{
		name => 'Kafka stopped',
		on => 'Kafka',
		lasts => 3,
		begin => sub { $_[0]->kafka->stop; },
		end => sub { $_[0]->kafka->start; },
	},
	{
		name => 'Kafka frozen',
		on => 'Kafka',
		lasts => 8,
		begin => sub { $_[0]->kafka->freeze; },
		end => sub { $_[0]->kafka->thaw; },
	},
	# --- links ---
	(map { link_fault(server => $_->[0], $_->[1], $_->[2]) } links()),
	(map { link_fault(Kafka => $_->[0], $_->[1], $_->[2]) } links()),
	(map { link_fault(Kafka => $_->[0], 1, $_->[1]) } answers()));

sub faults { return @faults; }

# What strikes is drawn first, so that no kind is rare for there being many of
# another.
sub draw_fault
{
	my ($draw) = @_;
	my @kinds = (
		qr/^(?:shipper|clock)/, qr/^(?:server|walsender)/,
		qr/^Kafka/,             qr/^link to server/,
		qr/^link to Kafka/,     qr/^(?:checkpoint|definition)/);
	my $kind = $kinds[ $draw % @kinds ];
	my @of_kind = grep { $_->{on} =~ $kind } @faults;

	return $of_kind[ $draw / @kinds % @of_kind ];
}

1;
