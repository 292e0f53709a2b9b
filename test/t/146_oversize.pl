# A record that is larger than its topic takes: found before anything of it is
# sent where the topic tells its limit, by the broker's refusal where it does not
# or where compression may make it fit.  Either way the stream halts with its
# address, and the stub line in the log lets exactly this one record through.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::FaultProxy;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $why = Wal2Kafka::Kafka::why_mock();
plan skip_all => "the mock takes any size: $why" if $why;

my $kafka = Wal2Kafka::Kafka->new(proxied => 1);
my $proxy = Wal2Kafka::FaultProxy->kafka($kafka);
my $node = new_server('source');
my $limit = 20_000;
my $describe_configs = 32;    # of the API

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE doc (id int PRIMARY KEY, body text, n int);
CREATE PUBLICATION p FOR TABLE doc;
CREATE FUNCTION noise(n int) RETURNS text LANGUAGE sql AS
$$ SELECT left(string_agg(md5(random()::text), ''), n) FROM generate_series(1, n / 32 + 1) $$;
EOF

# One topic and one slot for each case; every one reads the same transaction.
sub shipper
{
	my ($slot, %broker) = @_;
	$kafka->create_topic($slot, 1, 'max.message.bytes' => $limit);
	my $shipper = Wal2Kafka::Shipper->new(
		node => $node,
		kafka => $proxy,
		slot => $slot,
		publication => 'p',
		http => Wal2Kafka::Shipper->can_http,
		broker => \%broker,
		routes => { 'public.doc' => { topic => $slot } });
	$shipper->init;
	return $shipper;
}

my $known = shipper('known');
my $compressed = shipper('compressed', 'compression.type' => 'gzip');
# a small batch holds little else, and is soon as small as it can be
my $unknown = shipper('unknown', 'batch.size' => 60_000);
$node->safe_psql('postgres', <<'EOF');
INSERT INTO doc VALUES (1, 'small', 1);
INSERT INTO doc VALUES (2, repeat('x', 50000), 1);
EOF
$node->safe_psql('postgres', <<'EOF');
BEGIN;
INSERT INTO doc VALUES (3, 'before', 1);
INSERT INTO doc VALUES (4, noise(60000), 1);
INSERT INTO doc VALUES (5, 'behind', 1);
COMMIT;
EOF

# What may be there twice: what was not confirmed when the stream halted.
sub keys_of
{
	my %seen;
	return [
		grep { !$seen{$_}++ }
		map { $_->{key} } $kafka->records($_[0])
	];
}

# Starts it once more with what the log says, and each record is there.
sub let_through
{
	my ($shipper, $topic, $name, $max) = @_;
	$shipper->{options} =
	  { %{ $shipper->{options} || {} }, max_record => "${max}B", stub => $name };
	$shipper->configure($shipper->config_text);
	$shipper->start;
	wait_for_slot($node, $shipper->{slot});
	is($shipper->metric('stubs_total'), 1, "$topic: the stub is counted")
	  if $shipper->{http};
	is($shipper->stop, 0, "$topic: goes on with stub = $name");
	my %stubs = map { $_->{key} => $_->{json}{omitted} }
	  grep { exists $_->{json}{omitted} } $kafka->records($topic);
	is_deeply(
		\%stubs,
		{ 4 => { body => 60000 } },
		"$topic: the record named is a stub, and no other");
	is_deeply(keys_of($topic), [ 1 .. 5 ],
		"$topic: everything is there, in order");
	return;
}

# --- what the topic takes is known: it is not even tried ---
$known->start;
is($known->wait_exit, 3, 'the limit is known: status 3');
like(
	$known->log,
	qr{record of table public\.doc at LSN [0-9A-F]+/[0-9A-F]+, seq_id 0 has 50\d\d\d bytes, and topic "known" takes 18976; nothing of it is sent},
	'table, place, size, topic and limit are named');
is_deeply(keys_of('known'), ['1'], 'what lies before has arrived');
my ($max, $name) =
  $known->log =~ m{max_record = (\d+) and stub = (\S+) in \[wal2kafka\]};
$kafka->admin->configure_topic('known', 'max.message.bytes' => 55_000);
$known->start;
is($known->wait_exit, 3, 'a larger limit lets the first one through');
is_deeply(keys_of('known'), [ 1 .. 3 ], 'and halts at the next');
($max, $name) =
  $known->log =~ m{.*max_record = (\d+) and stub = (\S+/1) in \[wal2kafka\]}s;
is($max, 53_976, 'with the limit as it is now');
let_through($known, 'known', $name, $max);

# --- compressed it may fit: the broker decides ---
$compressed->start;
is($compressed->wait_exit, 3, 'compressed, but not enough: status 3');
is_deeply(keys_of('compressed'), [ 1 .. 3 ],
	'what compression makes fit has arrived');
like(
	$compressed->log,
	qr{record at LSN [0-9A-F]+/[0-9A-F]+, seq_id 1 has 60\d\d\d bytes, and topic "compressed" does not take it},
	"the broker's refusal has the record's address too");
($name) = $compressed->log =~ m{stub = (\S+/1) in \[wal2kafka\]};
let_through($compressed, 'compressed', $name, 55_000);

# --- the limit is not told: likewise ---
$proxy->answer($describe_configs => 'drop', count => 100);
$unknown->start;
is($unknown->wait_exit, 3, 'the limit is not known: status 3');
$proxy->pass;
like(
	$unknown->log,
	qr{record at LSN [0-9A-F]+/[0-9A-F]+, seq_id 0 has 50\d\d\d bytes, and topic "unknown" does not take it},
	'and the address');
is_deeply(keys_of('unknown'), ['1'], 'nothing of it, and nothing behind it');

done_testing();
