# The state record against the server at the next start: another one, a promoted
# standby with and without all that was sent, a former primary, an older copy
# put back.  What consumers would drop in silence is refused, the rest goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Test::More;

my $slot   = 'wal2kafka';
my $folder = launch_dir() . '/sink';
my $rows   = 0;

my $first =
  new_server('first', conf => "autovacuum = off\nwal_keep_size = 256MB\n");
my $other = new_server('other');
my ($second, $third, $fourth) =
  map { PostgreSQL::Test::Cluster->new($_) } qw(second third fourth);
my $shipper = Wal2Kafka::Shipper->new(
	node        => $first,
	slot        => $slot,
	publication => 'p',
	options     => { sink => "file:$folder" });

sub look_at
{
	my ($node) = @_;
	$shipper->{node} = $node;
	$shipper->configure($shipper->config_text);
	return;
}

# With its slots, which before 17 only a copy can give to a standby.
sub copy_to
{
	my ($copy, $node, %options) = @_;
	$node->stop;
	$node->backup_fs_cold($copy->name);
	$node->start;
	$copy->init_from_backup($node, $copy->name, %options);
	return;
}

# A row, written and delivered.
sub ship_row
{
	my ($node) = @_;
	$rows++;
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($rows)");
	wait_until(
		"row $rows is delivered",
		sub {
			-e "$folder/public.t.jsonl"
			  && slurp("$folder/public.t.jsonl") =~ /"Insert":\["$rows"\]/;
		});
	wait_for_slot($node, $slot);
	return;
}

sub system_of
{
	return $_[0]->safe_psql('postgres',
		'SELECT system_identifier FROM pg_control_system()');
}

$_->safe_psql('postgres',
	'CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t')
  for $first, $other;
$shipper->init;
copy_to($second, $first, has_streaming => 1, has_restoring => 0);
$second->start;

# --- another server, with a slot of that name ---
goes_on($shipper, 'the first start');
ship_row($first) for 1 .. 3;
is($shipper->stop, 0, 'stopped');
$other->safe_psql('postgres',
	"SELECT pg_create_logical_replication_slot('$slot', 'wal2kafka')");
look_at($other);
my ($was, $is) = (system_of($first), system_of($other));
refused(
	$shipper,
	'another server',
	qr/another server: system identifier $was, and this one has $is/,
	qr/set "state" or "topic_prefix"/);

# --- a promoted standby that has all ---
look_at($first);
goes_on($shipper, 'back at the first');
ship_row($first);
$first->wait_for_catchup($second, 'replay', $first->lsn('flush'));
is($shipper->kill9, 137, 'killed');
$first->stop('immediate');
$second->promote;
look_at($second);
my $history = $second->data_dir . '/pg_wal/00000002.history';
rename $history, "$history.away" or die "rename: $!";
refused(
	$shipper,
	'a promoted standby without its history',
	qr/could not open file "pg_wal\/00000002\.history"/,
	qr/put it back into pg_wal/);
rename "$history.away", $history or die "rename: $!";
goes_on($shipper, 'a promoted standby, after a kill');
ship_row($second);
is($shipper->stop, 0, 'stopped');

# --- the former primary ---
copy_to($third, $second, has_streaming => 1, has_restoring => 0);
$first->start;
look_at($first);
refused(
	$shipper,
	'a former primary',
	qr/the server is on timeline 1, and records of timeline 2 were sent/,
	qr/connect to the present primary/);
$first->stop;

# --- a promoted standby that lacks what was sent ---
look_at($second);
goes_on($shipper, 'at the present primary');
ship_row($second);
is($shipper->stop, 0, 'stopped');
$second->stop('immediate');
$third->start;
$third->promote;
look_at($third);
refused(
	$shipper,
	'a standby that lacks what was sent',
	qr/timeline 3 left timeline 2 at .* the topics hold what this server never had/,
	qr/wal2kafka drop --state/);
is(($shipper->command('drop', '--state'))[0], 0, 'a person accepts it');
goes_on($shipper, 'and then it');
ship_row($third);
is($shipper->stop, 0, 'stopped');

# --- a promoted standby that has all, and a slot that is made on it late ---
copy_to($fourth, $third, has_streaming => 1, has_restoring => 0);
$fourth->start;
goes_on($shipper, 'with a standby');
ship_row($third);
$third->wait_for_catchup($fourth, 'replay', $third->lsn('flush'));
$fourth->stop;
$third->safe_psql('postgres',
	q{SELECT pg_logical_emit_message(true, '', repeat('x', 1000000))});
wait_for_slot($third, $slot);
is($shipper->stop, 0, 'stopped');
$third->stop('immediate');
$fourth->start;
$fourth->promote;
$fourth->safe_psql('postgres', $_)
  for 'INSERT INTO t VALUES (-1)',
  "SELECT pg_drop_replication_slot('$slot')",
  "SELECT pg_create_logical_replication_slot('$slot', 'wal2kafka')";
look_at($fourth);
refused(
	$shipper,
	'a slot that skips what the new primary wrote',
	qr/stands at .* and wal2kafka confirmed no more than .* of which timeline 4 has no more than .*: somebody moved it, or made it anew/,
	qr/changes between the two may not be: bring the tables over again/);
$fourth->stop;
$third->start;
look_at($third);

# --- an older copy put back ---
my $data = $third->data_dir;
$third->stop;
system('cp', '-a', $data, "$data.copy") == 0 or die 'no copy';
$third->start;
goes_on($shipper, 'before the copy is put back');
$third->safe_psql('postgres',
	q{SELECT pg_logical_emit_message(true, '', repeat('x', 100000))});
ship_row($third);
is($shipper->stop, 0, 'stopped');
$third->stop;
system('rm', '-rf', $data) == 0 && rename("$data.copy", $data)
  or die 'not put back';
$third->start;
refused(
	$shipper,
	'an older copy put back',
	qr/the server's log ends at .*, and everything was delivered up to/,
	qr/restored from an older copy, and consumers would drop/);

$_->stop for $third, $other;
done_testing();
