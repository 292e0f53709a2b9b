# The state record: what one start tells the next.  A slot that somebody else
# moved is noticed, however the shipper ended; what a crash leaves is not taken
# for that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $kafka = Wal2Kafka::Kafka->new;
my $node  = new_server('source');
my $slot  = 'wal2kafka';
my $topic = 'wal2kafka.state';
my $next  = 1;

$node->safe_psql('postgres', <<'EOF');
CREATE TABLE t (id int PRIMARY KEY, pad text);
CREATE PUBLICATION p FOR TABLE t;
EOF
$kafka->create_topic('public.t', 1);
my $shipper =
  Wal2Kafka::Shipper->new(node => $node, kafka => $kafka, publication => 'p');
$shipper->init;

# The last record of the slot, decoded.
sub record
{
	my ($last) =
	  (grep { ($_->{key} // '') eq $slot } $kafka->records($topic))[-1];
	return $last->{json};
}

sub insert
{
	my ($rows) = @_;
	$node->safe_psql('postgres',
		"INSERT INTO t SELECT g, 'x' FROM generate_series($next, "
		  . ($next + $rows - 1) . ") g");
	$next += $rows;
	return;
}

# Starts it, expects status 3, and returns what it logged.
sub refused
{
	my ($name) = @_;
	my $from = $shipper->log_size;
	$shipper->start;
	is($shipper->wait_exit, 3, "$name: left to a person");
	return substr($shipper->log, $from);
}

# --- what is in it ---
$shipper->start;
insert(10);
wait_for_slot($node, $slot);
my $record = record();
my $fields = $node->safe_psql('postgres', <<"EOF");
SELECT system_identifier || ' ' || ('$record->{confirmed}'::pg_lsn >= confirmed_flush_lsn)
FROM pg_control_system(), pg_replication_slots WHERE slot_name = '$slot'
EOF
is($fields, "$record->{system_identifier} true",
	'it names the server, and the slot stands no further');
is($record->{clean}, JSON::PP::false, 'while running it is not final');
my %topics = $kafka->topics;
is($topics{$topic}, 1, 'its topic was made, with one partition');

is($shipper->stop, 0, 'stopped');
$record = record();
is($record->{clean}, JSON::PP::true, 'a clean stop is on record');
like($record->{delivered}, qr{^[0-9A-F]+/[0-9A-F]+/9$}, 'with the last record');

# --- moved by somebody else ---
insert(5);
$node->safe_psql('postgres',
	"SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())");
my $log = refused('moved after a clean stop');
like($log, qr/stands at .* confirmed no more than \Q$record->{confirmed}\E/,
	'what is known to be delivered is said');

done_testing();
