#!/usr/bin/perl
# Component bench: output plugins that decode the same log, and a reader that
# throws away what they send.  See README.md.
#
#	perl bench/component.pl		after "make" and "make -C bench"
use strict;
use warnings;
use IO::Handle;

# the server's modules send standard output into a log file
our $out;
BEGIN { open $out, '>&', \*STDOUT; $out->autoflush; }

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../test/lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Bench::Contender;
use Bench::Cpu;
use Bench::Results;
use Bench::Summary;
use Bench::Table;
use Bench::Workload;
use Test::More ();

Test::More->builder->output('/dev/null');

my $short = $ENV{SHORT};
my $rows = $ENV{ROWS} || ($short ? 100_000 : 500_000);
my $rounds = $ENV{ROUNDS} || ($short ? 3 : 5);
my @workloads = split ' ', $ENV{WORKLOADS} || join ' ', workload_names();
my @wanted = split ' ', $ENV{CONTENDERS} || join ' ', contender_names();
my @contenders;
for my $contender (map { contender($_) } @wanted)
{
	if (available($contender)) { push @contenders, $contender; }
	else { print $out "$contender->{name} is not installed: left out\n"; }
}

my $calls = spit(launch_dir() . '/calls', '');
my $node = start_server();
my $conninfo =
  'host=127.0.0.1 port=' . $node->port . ' dbname=postgres sslmode=disable';

sub start_server
{
	my $build = $ENV{WAL2KAFKA_BUILD} || top_dir();
	my $null = "$FindBin::RealBin/null";

	local $ENV{COUNT_CALLS} = $calls;
	local $ENV{LD_PRELOAD} = top_dir() . '/build/count_calls.so';
	return new_server('source', conf => <<"EOF" . allow_list());
listen_addresses = '127.0.0.1'
dynamic_library_path = '$build:$null:\$libdir'
shared_buffers = 256MB
max_wal_size = 16GB
checkpoint_timeout = 1h
autovacuum = off
synchronous_commit = off
wal_sender_timeout = 0
EOF
}

# An older minor does not know it, and would not start.
sub allow_list
{
	return '' if !Wal2Kafka::Cluster::knows_allow_list();
	return "output_plugin_libraries = '" . join(', ', libraries()) . "'\n";
}

sub sql { return $node->safe_psql('postgres', $_[0]); }

# One contender reads all of a workload.
sub measure
{
	my ($workload, $contender, $end, $round) = @_;
	my $name = $contender->{name};
	my $n = $workload->{rows};
	my $told = $contender->{filters} ? $workload->{published} : $n;

	steal();
	my $figures = drain(
		$contender,
		conninfo => $conninfo,
		slot => $name,
		end => $end,
		rows => $name eq 'null' ? 0 : $told,
		verify => $round == 0 && $name eq 'frames',
		calls => $calls);
	return {
		workload => $workload->{name},
		contender => $name,
		round => $round,
		rows => $n,
		rows_per_s => $n / $figures->{seconds},
		sender_us => $figures->{sender_cpu} / $n * 1e6,
		client_us => $figures->{client_cpu} / $n * 1e6,
		bytes => $figures->{bytes} / $n,
		messages => $figures->{messages} / $n,
		sends => $figures->{sends} / $n,
		recvs => $figures->{recvs} / $n,
		anon_mb => $figures->{anon_kb} / 1024,
		steal => steal()
	};
}

# Everything a workload gives: a hash for each run, the first round left out.
sub run_workload
{
	my ($workload) = @_;
	my @runs;

	sql($workload->{setup});
	sql(q{SELECT pg_create_logical_replication_slot('base', 'test_decoding')}
	);
	sql($workload->{load});
	my $end = sql('SELECT pg_current_wal_lsn()');
	sql("SELECT pg_copy_logical_replication_slot('base', '$_->{name}', false, '$_->{plugin}')"
	) for @contenders;
	for my $round (0 .. $rounds)
	{
		for my $contender (@contenders)
		{
			my $run = measure($workload, $contender, $end, $round);
			push @runs, $run if $round > 0;
		}
	}
	sql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots'
	);
	sql(<<'EOF');
DROP PUBLICATION p;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
EOF
	return @runs;
}

my @columns = (
	[ 'contender', 'contender', '%s' ],
	[ 'rows_per_s', 'rows/s', '%.0f' ],
	[ 'sender_us', 'walsender', '%.2f' ],
	[ 'low', 'min', '%.2f' ],
	[ 'high', 'max', '%.2f' ],
	[ 'to_null', '/ null', '%.2f' ],
	[ 'to_pgoutput', '/ pgoutput', '%.3f' ],
	[ 'client_us', 'reader', '%.2f' ],
	[ 'bytes', 'bytes', '%.0f' ],
	[ 'sends', 'sends', '%.4f' ],
	[ 'recvs', 'recvs', '%.2f' ],
	[ 'anon_mb', 'MB', '%.1f' ]);

my ($folder, @runs) = (new_results('component'));
print $out "CPU of walsender and reader in us a row; bytes, sends and"
  . " receives a row; MB of the walsender's own memory\n";
for my $name (@workloads)
{
	my $workload = workload($name, $rows);
	my @mine = run_workload($workload);

	print $out "\n$name: $workload->{tells}, $workload->{rows} rows,"
	  . " median of $rounds rounds\n";
	print_table($out, \@columns, summarise(@mine));
	push @runs, @mine;
}
write_results($folder, @runs);
print $out "\nfigures: $folder\n";
