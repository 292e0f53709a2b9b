# Replication origins in a walsender: asked about while a slot is created, when
# the plugin has no state; origin = none stops what came from elsewhere.  And
# what check says about message_topics.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Test::More;

my $server = new_extension_server('source');

sub sql { return $server->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION wal2kafka; CREATE TABLE t (id int PRIMARY KEY, v text)');
sql("SELECT pg_replication_origin_create('elsewhere')");

# --- a slot that waits for two transactions, one after the other, while rows
# --- with an origin are written: that is when the server asks ---
sub writer
{
	my $session = $server->background_psql('postgres');
	$session->query_safe('BEGIN; SELECT pg_current_xact_id()');
	return $session;
}

sub wait_for_creator
{
	my ($session) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	wait_until(
		'the slot waits for a transaction',
		sub {
			sql("SELECT count(*) FROM pg_locks l JOIN pg_locks h USING (locktype, transactionid)
				WHERE NOT l.granted AND h.granted AND h.pid = $pid AND l.locktype = 'transactionid'") > 0;
		});
	return;
}

my $first   = writer();
my $creator = spawn(launch_dir() . '/creator.log', 'psql', '-X', '-d',
	$server->connstr('postgres'), '-c',
	"SELECT pg_create_logical_replication_slot('late', 'wal2kafka')");
wait_for_creator($first);
my $second = writer();
$first->query_safe('COMMIT');
wait_for_creator($second);
sql(<<'SQL');
SELECT pg_replication_origin_session_setup('elsewhere');
INSERT INTO t VALUES (1, 'from elsewhere');
SELECT pg_logical_emit_message(true, 'wal2kafka', 'x'), pg_logical_emit_message(false, 'wal2kafka', 'x');
SQL
$second->query_safe('COMMIT');
is(reap($creator), 0, 'a slot is created while origins write');
unlike(slurp($server->logfile), qr/was terminated by signal/, 'the server lives');
$_->quit for $first, $second;

# --- to Kafka, only what was made here ---
my $kafka = Wal2Kafka::Kafka->new;
$kafka->create_topic($_, 1) for qw(public.t out);
my $shipper = Wal2Kafka::Shipper->new(
	node    => $server,
	kafka   => $kafka,
	options => {
		origin         => 'none',
		include_origin => 'on',
		message_topics => 'out, outer , others.*' });
$shipper->init;

my ($status, $report) = $shipper->command('check');
is($status, 3, 'check finds a problem');
like($report, qr/topic "outer" does not exist/, 'a topic of messages that is missing');
unlike($report, qr/topic "out" does not exist/, 'not the one that is there');
like($report, qr/message_topics lists "others\.\*": any role/, 'a glob is warned of');

$shipper->start;
sql("INSERT INTO t VALUES (2, 'here')");
sql(<<'SQL');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
INSERT INTO t VALUES (3, 'from elsewhere');
SELECT wal2kafka.emit_message('out', 'k', 'from elsewhere');
SELECT pg_replication_origin_xact_setup('0/1234', now());
COMMIT;
SELECT wal2kafka.emit_message('out', 'k', 'from elsewhere', NULL, false);
SQL
sql("SELECT wal2kafka.emit_message('out', 'k', 'here', NULL, false)");
sql("INSERT INTO t VALUES (4, 'here')");
wait_for_slot($server, 'wal2kafka');
is(join(' ', map { $_->{key} } $kafka->records('public.t')), '2 4', 'rows made here');
is(join(' ', map { $_->{value} } $kafka->messages('out')), 'here', 'messages too');
is($shipper->stop, 0, 'status 0');

$shipper->{options}{message_topics} = 'out,,x';
$shipper->configure($shipper->config_text);
($status, $report) = $shipper->command('run');
is($status, 1, 'no list of topics: status 1');
like($report, qr/"message_topics" cannot be "out,,x"/, 'named');

done_testing();
