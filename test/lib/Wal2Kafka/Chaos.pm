# A run of chaos: rounds of faults under load, each judged when all is up
# again.  A round is drawn from the seed and its number before it begins, so
# SEED, and ROUND to begin with one, replay it as far as timing lets them.
package Wal2Kafka::Chaos;

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use Wal2Kafka::Chaos::Faults qw(faults draw_fault);
use Wal2Kafka::Chaos::World;
use Wal2Kafka::Test;

my $steps = 8;    # of a round

# seed; shippers: how many; quick: what takes seconds takes half a second
sub new
{
	my ($class, %o) = @_;
	my $self = bless {
		%o,
		world => Wal2Kafka::Chaos::World->new(shippers => $o{shippers}),
		started => time(),
		minutes => 0,
		survived => {},
		totals => {},
	}, $class;

	$self->{world}{ticked} = sub { $self->_tell_minute; };
	diag("SEED=$self->{seed}");
	$self->{world}->start_shipper($_) for $self->{world}->shippers;
	return $self;
}

sub world { return $_[0]->{world}; }
sub seconds { return time() - $_[0]->{started}; }

# What a round does, drawn in advance.
sub draw_round
{
	my ($self, $round) = @_;
	my @plan;

	srand($self->{seed} * 1000 + $round);
	for (1 .. $steps)
	{
		my ($first, $second) = map { { draw() } } 1, 2;
		$_->{fault} = draw_fault($_->{draw}) for $first, $second;
		my @phases = Wal2Kafka::Chaos::Load::phases();

		push @plan,
		  {
			first => $first,
			second => rand() < 0.3
			  && $first->{fault}{lasts}
			  && $first->{fault}{on} ne $second->{fault}{on}
			? $second
			: undef,
			phase => rand() < 0.5 ? $phases[ rand @phases ] : undef,
			before => rand(1.5),
			wait => rand() < 0.6,
		  };
	}
	$plan[0]{phase} ||= 'steady';
	return @plan;
}

sub draw
{
	return (draw => int rand 1_000_000, lasts => rand(), behind => rand(0.5));
}

# Every fault once, always in the same order: from the front of the list, and
# from its end what may strike meanwhile.
sub plan_of_all
{
	my @left = map {
		{ fault => $_, draw => 7, lasts => 0, behind => 0 }
	} faults();
	my @plan;

	while (my $first = shift @left)
	{
		my ($second) = grep {
			$first->{fault}{lasts} && $left[$_]{fault}{on} ne $first->{fault}{on}
		} reverse 0 .. $#left;

		push @plan,
		  {
			first => $first,
			second => defined $second ? splice(@left, $second, 1) : undef,
			before => 0.1,
		  };
	}
	$plan[0]{phase} = 'burst';
	return @plan;
}

# Dies at the first thing that is wrong.
sub run_round
{
	my ($self, $round, @plan) = @_;
	my $world = $self->world;

	$world->witness;
	for my $step (@plan)
	{
		$world->load->phase($step->{phase}, $self->{seed} + 100 * $round)
		  if $step->{phase};
		$world->pause($step->{before});
		$self->_strike($step->{first}, $step->{second});
		$world->catch_up if $step->{wait};
	}
	$self->_add($world->judge);
	return;
}

# The second fault, if there is one, strikes while the first lasts.
sub _strike
{
	my ($self, $one, $other) = @_;
	my $world = $self->world;
	my $fault = $one->{fault};

	note(sprintf '%.1f s: %s%s',
		$self->seconds, $fault->{name}, $other ? ' and' : '');
	$fault->{begin}->($world, $one->{draw});
	$self->{survived}{ $fault->{name} }++;
	$self->{struck} = $fault->{name};
	if ($other)
	{
		$world->pause($other->{behind});
		$self->_strike($other);
		$self->{survived}{'two at a time'}++;
	}
	return if !$fault->{lasts};
	$world->pause($self->{quick} ? 0.3 : 0.3 + $one->{lasts} * $fault->{lasts});
	$fault->{end}->($world, $one->{draw});
	return;
}

# The checker's line of totals, of a read_uncommitted consumer.
sub _add
{
	my ($self, $verdict) = @_;
	my ($line) = $verdict =~ /^read_uncommitted: (.*)$/m;

	$self->{totals}{$1} += $2 while $line =~ /\b([a-z][a-z ]+?) (\d+)/g;
	$self->{rounds}++;
	return;
}

sub _tell_minute
{
	my ($self) = @_;
	return if $self->seconds < 60 * ($self->{minutes} + 1);
	$self->{minutes} = int($self->seconds / 60);
	my $faults = 0;
	$faults += $_ for values %{ $self->{survived} };
	diag(
		sprintf
		  '%d min: round %d, %d faults, %d records, %d repeats, lag %d kB, shippers up to %d MB',
		$self->{minutes},
		($self->{rounds} || 0) + 1,
		$faults,
		$self->{totals}{records} || 0,
		$self->{totals}{repeats} || 0,
		$self->world->lag / 1024,
		$self->world->{rss} / 1024);
	return;
}

# What came of it, line by line.
sub report
{
	my ($self) = @_;
	my $world = $self->world;
	my %t = %{ $self->{totals} };
	my $faults = 0;

	for my $name (sort keys %{ $self->{survived} })
	{
		diag(sprintf 'survived %5d  %s', $self->{survived}{$name}, $name);
		$faults += $self->{survived}{$name} if $name ne 'two at a time';
	}
	diag(sprintf '%d faults in %d s and %d rounds, SEED=%s',
		$faults, $self->seconds, $self->{rounds} || 0, $self->{seed});
	diag(sprintf
		  'longest: caught up after %.1f s, shutdown %.1f s; shippers up to %d MB, %d ended by themselves',
		$world->{took}{catch_up} || 0,
		$world->{took}{shutdown} || 0,
		$world->{rss} / 1024,
		$world->{restarted} || 0);
	diag(
		sprintf
		  '%d records of %d transactions checked, %d repeats, %d positions of the slot',
		map { $t{$_} || 0 } qw(records transactions repeats samples));
	diag(sprintf 'lost %d, reordered %d, early confirms %d',
		map { $t{$_} || 0 }
		  ('lost', 'reordered', 'confirmed before acknowledged'));
	return;
}

1;
