# What the stories of processing_guarantee = exactly_once share: whether it can
# be had here, a shipper that is set so, and the judgement.
package Wal2Kafka::ExactlyOnce;

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Test;
use Wal2Kafka::Workload;

our @EXPORT =
  qw(why_not_once once_shipper is_once position kills_survived $state_topic);

our $state_topic = 'wal2kafka.state';

# Why there is no exactly once here; undef if there is.
sub why_not_once
{
	my $why = Wal2Kafka::Kafka::why_mock();
	return "no real Kafka: $why" if $why;
	my ($status, $output) = once_shipper(
		conninfo => 'host=/nonexistent',
		broker => { 'bootstrap.servers' => '127.0.0.1:1' })
	  ->command('status');
	return $1 if $output =~ /"exactly_once" (with librdkafka .*)$/m;
	return;
}

# As Wal2Kafka::Shipper's.
sub once_shipper
{
	my (%o) = @_;
	return Wal2Kafka::Shipper->new(
		%o,
		options => {
			processing_guarantee => 'exactly_once',
			%{ $o{options} || {} }
		});
}

# A read_committed consumer of the topics sees everything that the ledger has,
# each record once.
sub is_once
{
	my ($node, $kafka, @topics) = @_;
	my ($status, $output) = run_tool(
		'checker', '--brokers', $kafka->brokers, '--exactly-once',
		'--ledger', write_ledger($node, 'postgres'), @topics);

	is($status, 0, 'everything is there, in order, each record once')
	  or diag($output);
	note($output);
	return;
}

# The position that is committed: (commit LSN as a number, ordinal).
sub position
{
	my ($kafka, $slot) = @_;
	my %topics = $kafka->topics;

	return if !$topics{$state_topic};
	my @records = grep { $_->{key} eq $slot } $kafka->records($state_topic);

	return if !@records;
	my ($high, $low, $ordinal) = split m{/}, $records[-1]{json}{delivered};
	return ((hex($high) << 32) + hex $low, $ordinal);
}

# Kills shipper, server and broker that many times while rows are written, in
# an order and at moments that the seed decides, as far as timing lets it;
# judges every "every" kills and at the end.  Returns victim => kills.
sub kills_survived
{
	my ($kills, $seed, $every) = @_;
	diag("seed $seed") if srand($seed) || 1;
	my $kafka = Wal2Kafka::Kafka->new;
	my $node = new_server('source', conf => "wal_sender_timeout = 5s\n");
	my $load = Wal2Kafka::Workload->new($node, $kafka);
	my $shipper = once_shipper(
		node => $node,
		kafka => $kafka,
		publication => 'p',
		options => { max_in_flight => '1MB', release_after => 2 });
	my %kill = (
		shipper => sub { $shipper->kill9; $shipper->start; },
		server => sub { $node->stop('immediate'); $node->start; },
		broker => sub { $kafka->kill9; $kafka->start; });
	my @victims = qw(shipper server broker);
	my %count = map { $_ => 0 } @victims;

	$shipper->init;
	$shipper->start;
	for my $n (1 .. $kills)
	{
		# of each kind at least one, and twice as many shippers
		my $victim = $victims[ $n <= 3 ? $n - 1 : rand(5) % 4 % 3 ];
		my $writers = $load->start_writers(int(rand(1_000_000)), 120);
		my $wanted = $kafka->count($load->topics) + int(rand(300));

		wait_until("there are $wanted records", sub {
			return $kafka->count($load->topics) >= $wanted
			  || !$writers->pumpable;
		});
		note("kill $n: $victim");
		$kill{$victim}->();
		$count{$victim}++;
		$writers->finish;
		next if $n % $every != 0 && $n != $kills;
		wait_for_slot($node, 'wal2kafka');
		$load->consume;
		$load->judge;
		is_once($node, $kafka, $load->topics);
		last if !Test::More->builder->is_passing;
	}
	is($shipper->stop, 0, 'stopped');
	return %count;
}

1;
