# A standby that has the slot is promoted.  The shipper goes on where it was if
# the new primary knows all that was shipped, and stops with status 3 if it does
# not; it never goes back to a primary that was left behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Test::More;

my $slot   = 'wal2kafka';
my $folder = launch_dir() . '/sink';
my $rows   = 0;
my $from   = 0;

my $first = new_server('first', conf => "autovacuum = off\nwal_keep_size = 256MB\n");
my ($second, $third) = map { PostgreSQL::Test::Cluster->new($_) } qw(second third);

# The shipper finds who takes writes.
my @nodes   = ($first, $second, $third);
my $shipper = Wal2Kafka::Shipper->new(
	conninfo => 'dbname=postgres target_session_attrs=read-write host='
	  . join(',', map { $_->host } @nodes) . ' port='
	  . join(',', map { $_->port } @nodes),
	slot        => $slot,
	publication => 'p',
	kafka       => undef,
	http        => Wal2Kafka::Shipper->can_http,
	options     => { sink => "file:$folder" });

# Before 17 a copy with its slots is the way to have them on a standby.
sub copy_to
{
	my ($copy, $node) = @_;
	$node->stop;
	$node->backup_fs_cold($copy->name);
	$node->start;
	$copy->init_from_backup($node, $copy->name, has_streaming => 1, has_restoring => 0);
	return;
}

# A row, written and delivered; returns the end of the log.
sub ship_row
{
	my ($node) = @_;
	$rows++;
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($rows)");
	wait_until("row $rows is delivered", sub { delivered() =~ /\b$rows$/ });
	return wait_for_slot($node, $slot);
}

sub delivered
{
	my $file = "$folder/public.t.jsonl";
	return join ' ', (-e $file ? slurp($file) : '') =~ /"Insert":\["(\d+)"\]/g;
}

sub begin
{
	$from = $shipper->log_size;
	$shipper->start;
	return;
}

sub log_now { return substr $shipper->log, $from; }

$first->safe_psql('postgres',
	'CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t');
$shipper->init;
copy_to($second, $first);
$second->start;

# --- a standby that has no slot yet may get one ---
my $early = Wal2Kafka::Shipper->new(node => $second, slot => 'other', publication => 'p',
	kafka => undef, http => Wal2Kafka::Shipper->can_http, options => { sink => 'stdout', state => 'none' });
$early->start;
$early->wait_for_log(qr/the server is a standby, without the replication slot "other"/);
is($early->has_ended, '', 'a standby without the slot is asked again');
SKIP:
{
	skip 'built without HTTP', 3 if !$early->{http};
	$early->wait_not_ready(qr/^not ready: not streaming from the server/);
	is($early->wait_metric('slot_exists', sub { defined }), 0, 'not ready, and the page has no slot');
	is($early->metric('streams_started_total'), 0, 'nothing was streamed');
	cmp_ok($early->metric_sum('connection_failures_total'), '>', 0, 'each attempt is counted');
}
is($early->stop, 0, 'stopped');

# --- the standby has all that was shipped ---
begin();
ship_row($first) for 1 .. 3;
$first->wait_for_catchup($second, 'replay', $first->lsn('flush'));
$first->stop('immediate');
$second->promote;
ship_row($second);
is(delivered(), '1 2 3 4', 'it goes on at the new primary, without a repeat');
like(log_now(), qr/the server's timeline is 2, and was 1 up to/, 'and says so');
unlike(log_now(), qr/standing by/, 'nobody else has the slot');
if ($shipper->{http})
{
	$shipper->wait_ready;
	my $now = $shipper->metrics;
	is($now->{streams_started_total}, 2, 'ready, over a second stream');
	is($now->{records_acknowledged_total}, 4, 'with all acknowledged');
	cmp_ok($shipper->metric_sum('connection_failures_total'), '>', 0, 'and the loss is counted');
}
is($shipper->stop, 0, 'stopped');

# --- the old primary comes back instead of the new one ---
copy_to($third, $second);
begin();
ship_row($second);
$second->stop('immediate');
$first->start;
$shipper->wait_for_log(qr/the server's timeline is 1, and was 2: it was left behind/, $from);
pass('a primary that was left behind is refused');
if ($shipper->{http})
{
	$shipper->wait_not_ready(qr/^not ready: not streaming from the server$/);
	is($shipper->metric('streams_started_total'), 1, 'not ready, and nothing is streamed from it');
}
is($shipper->kill9, 137, 'killed');
$first->stop('immediate');
$second->start;

# --- the standby lacks what was shipped ---
begin();
my $lsn = ship_row($second);
$second->stop('immediate');
$third->start;
$third->promote;
is($shipper->wait_exit, 3, 'a standby that lags behind the topics: left to a person');
like(log_now(), qr/records up to the commit LSN .* are in Kafka.*knows nothing from/, 'which is named');
like(log_now(), qr/hint .*into new topics/, 'and what helps');
like(delivered(), qr/ 6$/, 'nothing was shipped from it');

# --- and has no slot ---
$third->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
begin();
is($shipper->wait_exit, 3, 'a new primary without the slot: left to a person');
like(log_now(), qr/slot "$slot" does not exist/, 'which is named');

# --- a slot on a standby, whose primary removes what it needs ---
SKIP:
{
	skip 'slots on a standby are not watched before 16', 2 if $third->pg_version < 16;
	my $fourth = PostgreSQL::Test::Cluster->new('fourth');
	$third->safe_psql('postgres', q(SELECT pg_create_logical_replication_slot('rows', 'wal2kafka')));
	copy_to($fourth, $third);
	$fourth->start;
	$third->safe_psql('postgres', <<'EOF');
SELECT pg_drop_replication_slot('rows');
CREATE TABLE gone (i int);
DROP TABLE gone;
VACUUM pg_class; VACUUM pg_attribute; VACUUM pg_type;
EOF
	$third->wait_for_catchup($fourth, 'replay', $third->lsn('flush'));
	my $reader = Wal2Kafka::Shipper->new(node => $fourth, slot => 'rows', publication => 'p',
		kafka => undef, options => { sink => 'stdout', state => 'none' });
	$reader->start;
	is($reader->wait_exit, 3, 'a slot in the way of recovery: left to a person');
	like($reader->log, qr/slot "rows" is lost: .*hot_standby_feedback/s, 'which is named');
	$fourth->stop('immediate');
}

# --- a promotion just before the stream begins ---
$third->safe_psql('postgres', q(SELECT pg_create_logical_replication_slot('last', 'wal2kafka')));
$lsn = $third->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
IPC::Run::run([ 'pg_recvlogical', '-d', $third->connstr('postgres'), '-S', 'last', '--start',
		'-f', '-', '--no-loop', '--endpos', $lsn, '-o', 'proto_version=1', '-o', 'timeline=99' ],
	'>', '/dev/null', '2>', \my $error);
like($error, qr/the server is no longer on timeline 99/,
	'nothing comes of another timeline than the one that was named');

# --- a slot on a standby that follows one that is promoted, and then is itself ---
SKIP:
{
	skip 'a standby does not decode before 16', 6 if $third->pg_version < 16;
	my ($middle, $last) = map { PostgreSQL::Test::Cluster->new($_) } qw(middle last);
	my $file   = launch_dir() . '/last/public.t.jsonl';
	my $reader = Wal2Kafka::Shipper->new(node => $last, slot => 'last', publication => 'p',
		kafka => undef, options => { sink => 'file:' . launch_dir() . '/last' });
	my $there = sub { -e $file ? slurp($file) =~ /"Insert":\["(\d+)"\]/g : () };
	my $ship  = sub {
		my ($node) = @_;
		$rows++;
		$node->safe_psql('postgres', "INSERT INTO t VALUES ($rows)");
		wait_until("row $rows comes from the standby",
			sub { $reader->has_ended || grep { $_ == $rows } $there->() });
	};

	$third->append_conf('postgresql.conf', 'hot_standby_feedback = on');
	copy_to($middle, $third);
	$middle->start;
	copy_to($last, $middle);
	$last->start;

	my $begun = $rows + 1;
	$reader->start;
	$ship->($third);
	$third->wait_for_catchup($middle, 'replay', $third->lsn('flush'));
	$third->stop('immediate');
	$middle->promote;
	$ship->($middle) for 1 .. 2;
	is($reader->stop, 0, 'the server that it follows is promoted: stopped');
	$reader->start;
	$ship->($middle);
	is($reader->has_ended, '', 'and it goes on after that');

	$middle->wait_for_catchup($last, 'replay', $middle->lsn('flush'));
	$middle->stop('immediate');
	$last->promote;
	$ship->($last) for 1 .. 2;
	$last->safe_psql('postgres', 'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active');
	$ship->($last);
	is($reader->has_ended, '', 'the standby itself is promoted: it goes on after a new connection');
	is($reader->stop, 0, 'stopped');
	$reader->start;
	$ship->($last);
	is($reader->stop, 0, 'and after a new start');
	is_deeply([ $there->() ], [ $begun .. $rows ], 'every row is there, once');
	$last->stop;
}

$third->stop('immediate') if $third->pg_version < 16;
done_testing();
