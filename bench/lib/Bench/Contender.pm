# Output plugins that decode the same log, and the program that reads them.
package Bench::Contender;

use strict;
use warnings;

use Bench::Cpu;
use Carp;
use Exporter 'import';
use IPC::Open2;
use Wal2Kafka::Test;

our @EXPORT = qw(contender_names contender available libraries drain);

my $SAMPLE = 0.05;    # seconds between two looks at the walsender's memory

# plugin: the library (default: the name); filters: only what is published
# comes; options: as the shipper or another reader of it would give them.
my @CONTENDERS = (
	{ name => 'null', plugin => 'bench_null' },
	{
		name => 'pgoutput',
		filters => 1,
		options => [ 'proto_version=1', 'publication_names=p' ]
	},
	{ name => 'test_decoding' },
	{ name => 'wal2json', options => ['format-version=2'] },
	{ name => 'decoderbufs' },
	{
		name => 'text',
		plugin => 'wal2kafka',
		filters => 1,
		options => ['publication_names=p']
	},
	{
		name => 'frames',
		plugin => 'wal2kafka',
		filters => 1,
		options => [ 'proto_version=1', 'publication_names=p' ]
	},);

sub contender_names
{
	return map { $_->{name} } @CONTENDERS;
}

sub contender
{
	my ($name) = @_;
	my ($found) = grep { $_->{name} eq $name } @CONTENDERS;
	croak "no contender \"$name\": it is one of "
	  . join(' ', contender_names())
	  if !$found;
	return { plugin => $name, options => [], %$found };
}

# What a server must allow.
sub libraries
{
	my %seen;
	return grep { !$seen{$_}++ }
	  map { contender($_)->{plugin} } contender_names();
}

# Whether the server has the library.
sub available
{
	my ($contender) = @_;
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $libdir = `$pg_config --pkglibdir`);
	return 1 if $contender->{plugin} =~ /^(?:bench_null|wal2kafka)$/;
	return -e "$libdir/$contender->{plugin}.so";
}

# Reads a slot up to an LSN and returns the figures; dies when the number of
# rows is another.  The job: conninfo, slot, end, rows, verify, calls (the file
# of count_calls.so).
sub drain
{
	my ($contender, %job) = @_;
	my @command = (
		top_dir() . '/build/drain', @job{qw(conninfo slot)},
		$contender->{name}, @job{qw(end rows)},
		$job{verify} ? 1 : 0, @{ $contender->{options} });
	my $pid =
	  open2(my $from, my $to, 'setpriv', '--pdeathsig', 'KILL', @command);
	my ($sender, $line, $anon_kb) = watch($from);
	my %figures = (split(' ', $line // ''), anon_kb => $anon_kb);

	@figures{qw(sends recvs)} = calls($job{calls}, $sender) if $sender;
	close $to;
	waitpid $pid, 0;
	croak "$contender->{name} has no number" if $? || !defined $line;
	wait_until("walsender $sender has ended",
		sub { return !-e "/proc/$sender" });
	return \%figures;
}

# Reads what drain prints, which may come at once: the walsender's process, the
# line of figures (undef if it ended before), the most memory of that process.
sub watch
{
	my ($from) = @_;
	my ($text, $most) = ('', 0);
	my $sender;

	while ($text !~ /\n.*\n/)
	{
		my $bits = '';
		vec($bits, fileno $from, 1) = 1;
		if (select($bits, undef, undef, $SAMPLE))
		{
			sysread $from, $text, 4096, length $text or last;
		}
		($sender) = $text =~ /^pid (\d+)\n/ or next;
		my $now = anon_kb($sender);
		$most = $now if $now > $most;
	}
	my ($line) = $text =~ /\n(.*)\n/;
	return ($sender, $line, $most);
}

# What count_calls.so counted of a process: (sends, receives).
sub calls
{
	my ($file, $pid) = @_;
	open my $fh, '<:raw', $file or croak "$file: $!";
	sysseek $fh, $pid * 16, 0;
	sysread $fh, my $bytes, 16;
	return unpack 'Q2', $bytes;
}

1;
