# Failover slots (PostgreSQL 17 and later): the primary dies under load, a
# standby is promoted, and the shipper goes on with the slot that the standby
# kept.  Nothing is in Kafka that the new primary lacks.  A plain slot is not
# there, and its shipper says so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Kafka;
use Wal2Kafka::Shipper;
use Wal2Kafka::Workload;
use Test::More;

my $slot    = 'wal2kafka';
my $primary = new_server('primary', conf => "autovacuum = off\n");

# --- what init and check say of it ---
my $wish = Wal2Kafka::Shipper->new(node => $primary, slot => 'wish', kafka => undef,
	postgres => { failover => 'true' }, options => { sink => 'stdout' });
if ($primary->pg_version < 17)
{
	my ($status, $output) = $wish->command('init');
	is($status, 3, 'before 17 init refuses');
	like($output, qr/failover slots exist from PostgreSQL 17 on/, 'and says why');
	note('the rest needs failover slots, which exist from PostgreSQL 17 on');
	done_testing();
	exit;
}
$primary->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('wish', 'wal2kafka')");
my ($status, $output) = $wish->command('init');
is($status, 3, 'a slot that is there without failover is a difference');
my ($remedy) = $output =~ /(ALTER_REPLICATION_SLOT "wish" \(FAILOVER true\))/;
ok($remedy, 'and the command that mends it is named');
IPC::Run::run([ 'psql', '-X', '-d', $primary->connstr('postgres') . ' replication=database', '-c', $remedy ])
  or fail('the command works');
is(($wish->command('init'))[0], 0, 'which mends it');
($status, $output) = $wish->command('check');
like($output, qr/synchronized_standby_slots is empty/, 'check asks for synchronized_standby_slots');
$primary->safe_psql('postgres', "SELECT pg_drop_replication_slot('wish')");

# --- a primary, a standby that keeps its slots, two shippers ---
my $kafka = Wal2Kafka::Kafka->new;
my $load  = Wal2Kafka::Workload->new($primary, $kafka);
$primary->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('standby', true)");
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1, has_restoring => 0);
my $source = $primary->connstr . ' dbname=postgres';
$standby->append_conf('postgresql.conf', <<"EOF");
primary_conninfo = '$source'
primary_slot_name = 'standby'
hot_standby_feedback = on
sync_replication_slots = on
EOF
$standby->start;
$primary->append_conf('postgresql.conf', "synchronized_standby_slots = 'standby'");
$primary->reload;

my $both = 'dbname=postgres target_session_attrs=read-write host='
  . $primary->host . ',' . $standby->host . ' port=' . $primary->port . ',' . $standby->port;
my $shipper = Wal2Kafka::Shipper->new(conninfo => $both, kafka => $kafka, publication => 'p',
	http => Wal2Kafka::Shipper->can_http, postgres => { failover => 'true' });
my $plain = Wal2Kafka::Shipper->new(conninfo => $both, kafka => undef, publication => 'p',
	slot => 'plain', options => { sink => 'file:' . launch_dir() . '/sink' });
$_->init, $_->start for $shipper, $plain;
($status, $output) = $shipper->command('check');
like($output, qr/failover slot, which waits for standbys: standby/, 'check sees that the primary waits');

# --- promoted under load ---
wait_until('the standby keeps the slot', sub {
	$primary->safe_psql('postgres', 'SELECT pg_log_standby_snapshot()');
	slot_field($standby, $slot, 'synced AND NOT temporary') eq 't' });
my $early = Wal2Kafka::Shipper->new(node => $standby, kafka => undef, publication => 'p',
	http => Wal2Kafka::Shipper->can_http, options => { sink => 'stdout', state => 'none' });
$early->start;
$early->wait_for_log(qr/the server is a standby, and its replication slot "$slot" a copy of the primary's/);
if ($early->{http})
{
	is($early->wait_metric('slot_exists', sub { defined }), 1, 'the page has the copy');
	is($early->metric('slot_active'), 0, 'which nobody reads');
	ok(!$early->ready, 'and is not ready');
}
is($early->stop, 0, 'the copy is not read before the standby is promoted');
my $writers = $load->start_writers(1, 4000);
$kafka->wait_for_count(300, $load->topics);
$primary->stop('immediate');
eval { $writers->finish };    # they lost their server
$shipper->wait_not_ready(qr/^not ready: not streaming from the server$/) if $shipper->{http};
$standby->promote;
$load->{node} = $standby;
$load->write_rows(2, 100);
wait_for_slot($standby, $slot);
pass('the shipper goes on at the new primary');
if ($shipper->{http})
{
	$shipper->wait_ready;
	is($shipper->metric('streams_started_total'), 2, 'ready, over a second stream');
	is($shipper->metric('records_outstanding'), 0, 'nothing waits');
}
like($shipper->log, qr/the server's timeline is 2, and was 1 up to/, 'and knows that it is another');
is($plain->wait_exit, 3, 'the shipper of a plain slot leaves it to a person');
like($plain->log, qr/slot "plain" does not exist.*Everything up to [0-9A-F]+\/[0-9A-F]+ is delivered/s,
	'and says how much is delivered');
$load->consume;
$load->judge;
is($shipper->stop, 0, 'stopped');
done_testing();
