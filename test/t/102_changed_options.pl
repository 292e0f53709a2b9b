# Settings that decide which records there are, changed between two runs.  After
# a clean stop that is nothing; where a transaction is in Kafka by half, or may
# be, consumers would take other records for repeats, so it is refused until the
# old settings have got past it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Shipper;
use Wal2Kafka::State;
use Test::More;

my $slot    = 'wal2kafka';
my $folder  = launch_dir() . '/sink';
my $node    = new_server('source', conf => "autovacuum = off\n");
my $rows    = 0;
my $shipper = Wal2Kafka::Shipper->new(
	node        => $node,
	slot        => $slot,
	publication => 'p',
	options     => { sink => "file:$folder" });

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub set
{
	my (%options) = @_;
	$shipper->{options} = { sink => "file:$folder", %options };
	$shipper->configure($shipper->config_text);
	return;
}

sub ship_row
{
	$rows++;
	sql("INSERT INTO t VALUES ($rows)");
	wait_for_slot($node, $slot);
	return;
}

my $changed = qr/settings that decide which records there are have changed/;

sql('CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t'
);
$shipper->init;

# --- after a clean stop ---
goes_on($shipper, 'the first start');
ship_row();
is($shipper->stop, 0, 'stopped');
set(key_change => 'update');
my $from = $shipper->log_size;
goes_on($shipper, 'changed after a clean stop');
ship_row();
like(
	substr($shipper->log, $from),
	qr/settings that decide records, or the version, have changed/,
	'which is logged');

# --- after a kill ---
is($shipper->kill9, 137, 'killed');
set(key_change => 'split');
sql('INSERT INTO t VALUES (-1)');
refused($shipper, 'changed after a kill',
	$changed, qr/Start once with the settings as they were/);
refused($shipper, 'once more', $changed);
set(key_change => 'update');
goes_on($shipper, 'the settings as they were');
ship_row();
is($shipper->stop, 0, 'caught up, and stopped');
set(key_change => 'split');
goes_on($shipper, 'changed then');
ship_row();

# what does not decide records may change at any time
is($shipper->kill9, 137, 'killed');
set(flush => 'commit', max_in_flight => '8MB');
goes_on($shipper, 'other settings, changed after a kill');
ship_row();
is($shipper->stop, 0, 'stopped');

# --- a transaction is in Kafka by half ---
set(max_record => '2kB');
$from = $shipper->log_size;
$shipper->start;
sql(q{BEGIN; INSERT INTO t VALUES (-2), (-3); INSERT INTO t VALUES (-4, repeat('x', 10000)); COMMIT}
);
is($shipper->wait_exit, 3, 'a record is too large');
like(
	substr($shipper->log, $from),
	qr/left off inside the transaction/,
	'in a transaction that has begun');
my ($name) = substr($shipper->log, $from) =~ /stub = (\S+) in/;
set(max_record => '2kB', key_change => 'update');
refused($shipper, 'changed inside a transaction', $changed);
set(max_record => '2kB', stub => $name);
goes_on($shipper, 'what the log proposed is no such change');
ship_row();
is($shipper->stop, 0, 'stopped');
like(slurp("$folder/public.t.jsonl"),
	qr/"omitted"/, 'the record went without its value');
set(key_change => 'update');
goes_on($shipper, 'changed behind it');
ship_row();
is($shipper->kill9, 137, 'killed');

# --- a person accepts it ---
set();
refused($shipper, 'changed after a kill', $changed);
is(($shipper->command('drop', '--state'))[0], 0, 'a person accepts it');
goes_on($shipper, 'and then it');
ship_row();
is($shipper->stop, 0, 'stopped');

# --- an upgrade after a kill: the plugin's fingerprint differs as well ---
my $file = "$folder/$slot.state";
(my $older = slurp($file)) =~
  s/"stopped":true,"clean":true,"program":"[^"]*"/"stopped":false,"clean":false,"program":"0.0.1"/;
$older =~ s/"fingerprint":"\w{16}"/"fingerprint":"0123456789abcdef"/;
spit($file, $older);
$from = $shipper->log_size;
goes_on($shipper, 'another version, after a kill');
ship_row();
like(
	substr($shipper->log, $from),
	qr/or the version, have changed since the last run, which did not end/,
	'which is logged');
is($shipper->stop, 0, 'stopped');

$node->stop;
done_testing();
