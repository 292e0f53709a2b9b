# A wall clock that a test sets, for the programs started by run() alone.
package Wal2Kafka::Clock;

use strict;
use warnings;

use Wal2Kafka::Test;

my $count = 0;

sub new
{
	my ($class) = @_;
	my $self =
	  bless { file => launch_dir() . '/clock' . $count++ }, $class;

	spit($self->{file}, pack 'q', 0);
	return $self;
}

# ms that the clock is ahead, from now on
sub set
{
	my ($self, $ms) = @_;

	open my $fh, '+<:raw', $self->{file} or die "$self->{file}: $!";
	syswrite $fh, pack 'q', $ms;
	close $fh;
	return;
}

# What is started in there has this clock.
sub run
{
	my ($self, $start) = @_;
	local $ENV{LD_PRELOAD} = top_dir() . '/build/clock_skew.so';
	local $ENV{CLOCK_SKEW} = $self->{file};

	$start->();
	return;
}

1;
