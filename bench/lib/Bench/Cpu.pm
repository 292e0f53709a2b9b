# What processes cost, by the kernel's own accounts.
#
# CPU is what the scheduler counted (schedstat, nanoseconds), of all threads
# that a process has now: read it before the process ends.
package Bench::Cpu;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(cpu cpu_by_thread peak_rss_kb anon_kb steal);

my @before;

# Seconds of one or several processes, so far; 0 when there is none.
sub cpu
{
	my $ns = 0;
	$ns += thread_ns($_) for map { glob "/proc/$_/task/*" } @_;
	return $ns / 1e9;
}

# { name of the thread => seconds }; threads of one name are added up.
sub cpu_by_thread
{
	my ($pid) = @_;
	my %seconds;

	for my $task (glob "/proc/$pid/task/*")
	{
		my $name = read_file("$task/comm") // next;
		chomp $name;
		$seconds{$name} += thread_ns($task) / 1e9;
	}
	return \%seconds;
}

# The largest resident set it ever had, shared memory included.
sub peak_rss_kb { return status_kb($_[0], 'VmHWM'); }

# What it has now that is its own: no shared buffers, no files.
sub anon_kb { return status_kb($_[0], 'RssAnon'); }

# Which part of the machine's time a hypervisor has given to others since the
# last call, 0 to 1; 0 at the first.
sub steal
{
	my @now = (split ' ', read_file('/proc/stat'))[ 1 .. 8 ];
	my $total = 0;
	my $stolen;

	if (@before)
	{
		$total += $now[$_] - $before[$_] for 0 .. $#now;
		$stolen = $now[7] - $before[7];
	}
	@before = @now;
	return $total ? $stolen / $total : 0;
}

sub status_kb
{
	my ($pid, $field) = @_;
	my $status = read_file("/proc/$pid/status") // return 0;
	return $status =~ /^$field:\s*(\d+) kB/m ? $1 : 0;
}

sub thread_ns
{
	my ($task) = @_;
	return (split ' ', read_file("$task/schedstat") // '0')[0];
}

# Nothing when the process is gone meanwhile.
sub read_file
{
	my ($file) = @_;
	open my $fh, '<', $file or return;
	local $/;
	return scalar readline $fh;
}

1;
