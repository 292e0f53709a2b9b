# The bench that goes into Kafka: a peer whose topic lacks a row, has one twice,
# out of order or made up, or that ends, has no figures; ours has, and the hook.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../../bench/lib";
use Wal2Kafka::Test;
use Bench::IntoKafka;
use Bench::OpenLoop;
use Bench::Peer;
use Test::More;
use Wal2Kafka::Kafka;

my $why = Wal2Kafka::Kafka->why_mock;
plan skip_all => "it needs the real Kafka: $why" if $why;

# so many that each process is seen at work
my $rows = 200_000;
my $top = top_dir();
is(system('make', '-s', '-C', "$top/bench/kafka"), 0, 'its programs');

my $kafka = Wal2Kafka::Kafka->new;
my $node = backlog_server($rows);

# What the judge says of a topic that holds these rows.
my $topics = 0;

sub tally
{
	my @lines = @_;
	my $topic = 'tally' . $topics++;

	$kafka->create_topic($topic, 2);
	$kafka->produce($topic, @lines);
	my ($status, $line) = run_tool('topic_tally', $kafka->brokers, $topic, 3);
	return ($status, $line);
}

sub judged
{
	my ($what, $wanted, @lines) = @_;
	my ($status, $line) = tally(@lines);

	isnt($status, 0, "$what: no figures");
	like($line, qr/\b$wanted\b/, "$what: said so");
	return;
}

my ($zero, $one, $two) =
  ([ 0, '0', 'v' ], [ 1, '{"id":1}', 'v' ], [ 0, '2', 'v' ]);
is((tally($zero, $one, $two))[0], 0, 'each row once, in order');
is( (   tally(
			map {
				[ 0, undef, qq({"name":"id","type":"integer","value":$_}) ]
			} 0 .. 2))[0],
	0,
	'rows without keys');
judged('a row is missing', 'lost=1', $zero, $two);
judged('a row is there twice', 'repeated=1', $zero, $one, $two, $two);
judged('one is out of order', 'reordered=1', $two, $one, $zero);
judged('one is there instead of another', 'lost=1', $zero, $one, $one);
judged('nobody wrote it', 'unknown=1', $zero, $one, $two, [ 0, '3', 'v' ]);

sub run_peer
{
	my ($slot, %peer) = @_;
	return drain(
		peer => Bench::Peer->new({ %peer, name => $slot }),
		node => $node,
		kafka => $kafka,
		rows => $rows,
		slot => $slot);
}

my ($ours) = Bench::Peer::known();
my @parts = run_peer('ours', %$ours);
is($parts[0]{rows}, $rows, 'ours: all rows');
ok($parts[0]{rate} > 0, 'at some rate');
ok($parts[0]{$_} > 0, "CPU of $_ was counted")
  for qw(sender application library broker);

# the hook: ours as somebody else's command, with a record too many
my $more = '$BENCH_TOP/build/kafka_tool $BENCH_BROKERS produce $BENCH_TOPIC';
ok( !eval {
		run_peer('liar', %$ours,
			command => "printf '0\\t7\\tx\\n' | $more; $ours->{command}");
	},
	'a peer that sends a row again');
like($@, qr/no figures for liar: .*repeated=1/, 'has no figures');
ok(!eval { run_peer('gone', %$ours, command => 'exit 1') },
	'a peer that ends');
like($@, qr/gone has ended/, 'has none either');

my ($row) = open_loop(
	peer => Bench::Peer->new($ours),
	node => $node,
	kafka => $kafka,
	warm => [ 200, 1 ],
	rates => [200],
	seconds => [ 0, 1 ]);
is($row->{missing}, 0, 'latency: all rows came');
ok( $row->{due_p50} <= $row->{due_p99}
	  && $row->{due_p99} <= $row->{due_max}
	  && $row->{consumed_p50} <= $row->{due_max},
	'and how long they took');

done_testing();
