# A server, a backlog, and contenders that decode it in turns.
package Bench::Component;

use strict;
use warnings;

use Bench::Contender;
use Bench::Cpu;
use Bench::Workload;
use Exporter 'import';
use Wal2Kafka::Cluster;
use Wal2Kafka::Test;

our @EXPORT = qw(run_workload);

my $db = 'bench';
my ($node, $calls);

sub start_server
{
	my $build = $ENV{WAL2KAFKA_BUILD} || top_dir();

	$calls = spit(launch_dir() . '/calls', '');
	local $ENV{COUNT_CALLS} = $calls;
	local $ENV{LD_PRELOAD} = top_dir() . '/build/count_calls.so';
	$node = new_server('source', plugins => [ libraries() ], conf => <<"EOF");
listen_addresses = '127.0.0.1'
dynamic_library_path = '$build:${\top_dir()}/bench/null:\$libdir'
shared_buffers = 256MB
max_wal_size = 16GB
checkpoint_timeout = 1h
autovacuum = off
wal_sender_timeout = 0
EOF
	return;
}

# Writes a workload and has each contender read it, once and then $rounds times
# that count.  Returns these runs, hashes of workload, contender, round, figures.
# "more" is called before the backlog goes, with server, database and its end, for
# more such runs.
sub run_workload
{
	my ($workload, $rounds, $contenders, $more) = @_;
	my @runs;

	start_server() if !$node;
	my $end = write_backlog($workload);
	copy_slot($_) for @$contenders;
	for my $round (0 .. $rounds)
	{
		for my $contender (@$contenders)
		{
			my $run = measure($workload, $contender, $end, $round);
			push @runs, $run if $round > 0;
		}
	}
	push @runs, $more->($node, $db, $end) if $more;
	drop_backlog();
	return @runs;
}

sub drop_backlog
{
	$node->safe_psql('postgres', <<'EOF');
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
EOF
	$node->safe_psql('postgres', "DROP DATABASE $db");
	return;
}

sub copy_slot
{
	my ($contender) = @_;
	$node->safe_psql($db, <<"EOF");
SELECT pg_copy_logical_replication_slot('base', '$contender->{name}', false,
	'$contender->{plugin}')
EOF
	return;
}

# Returns where it ends: every commit is in the log by then, for none of them was
# asynchronous.
sub write_backlog
{
	my ($workload) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, $workload->{setup});
	$node->safe_psql($db,
		q{SELECT pg_create_logical_replication_slot('base', 'bench_null')}
	);
	$node->safe_psql($db, $workload->{load});
	return $node->safe_psql($db, 'SELECT pg_current_wal_lsn()');
}

sub measure
{
	my ($workload, $contender, $end, $round) = @_;
	my $name = $contender->{name};
	my $n = $workload->{rows};
	my $told = $contender->{filters} ? $workload->{published} : $n;

	steal();
	my $got = drain(
		$contender,
		conninfo => 'host=127.0.0.1 sslmode=disable port='
		  . $node->port
		  . " dbname=$db",
		slot => $name,
		end => $end,
		rows => $name eq 'null' ? 0 : $told,
		verify => $round == 0 && $name eq 'frames',
		calls => $calls);
	my %figures = (
		workload => $workload->{name},
		contender => $name,
		round => $round,
		rows => $n,
		rows_per_s => $n / $got->{seconds},
		sender_us => $got->{sender_cpu} / $n * 1e6,
		client_us => $got->{client_cpu} / $n * 1e6,
		anon_mb => $got->{anon_kb} / 1024,
		steal => steal());
	$figures{$_} = $got->{$_} / $n for qw(bytes messages sends recvs sleeps);
	return \%figures;
}

1;
