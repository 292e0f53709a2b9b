# Runs beside a shipper and notes what was in Kafka when the slot was confirmed.
#
#	my $witness = Wal2Kafka::Witness->new($node, $kafka, 'slot', @topics);
#	...
#	run_tool('checker', ..., $witness->options, @topics);
package Wal2Kafka::Witness;

use strict;
use warnings;

use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

my $count = 0;
my %running;

# The topics must exist.
sub new
{
	my ($class, $node, $kafka, $slot, @topics) = @_;
	my $file = launch_dir() . '/witness' . $count++;
	my $pid = spawn($file, top_dir() . '/build/witness', '--brokers',
		$kafka->brokers, '--conninfo', $node->connstr('postgres'),
		'--slot', $slot, @topics);

	$running{$pid} = 1;
	return bless {
		node => $node, slot => $slot, file => $file, pid => $pid
	}, $class;
}

# Until it has seen the slot as it stands now, and Kafka after that.
sub wait_for_sample
{
	my ($self) = @_;
	my $now = slot_field($self->{node}, $self->{slot},
		"confirmed_flush_lsn - '0/0'");

	wait_until(
		"the witness has seen $now confirmed",
		sub {
			my ($last) = (slurp($self->{file}) =~ /^(\d+)[^\n]*\n\z/m);
			return defined $last && $last >= $now;
		});
	return;
}

# For the checker.
sub options { return ('--witness', $_[0]->{file}); }

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	delete $running{$pid};
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
