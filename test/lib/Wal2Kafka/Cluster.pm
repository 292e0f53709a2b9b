# A server for a story: logical decoding on, our library found in the build
# folder, nothing installed.
package Wal2Kafka::Cluster;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Wal2Kafka::Test;

our @EXPORT = qw(new_server slot_field wait_for_slot checksum
  add_ledger write_ledger);

# Makes and starts a server.  "conf" is more text for postgresql.conf, "plugins"
# are those that it allows.
sub new_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $build = $ENV{WAL2KAFKA_BUILD} || top_dir();
	my $plugins = join ', ',
	  @{ $options{plugins} || [qw(wal2kafka pgoutput test_decoding)] };

	$node->init(allows_streaming => 'logical', extra => ['--encoding=UTF8']);
	$node->append_conf('postgresql.conf', <<"EOF");
dynamic_library_path = '$build:\$libdir'
max_replication_slots = 16
max_wal_senders = 16
log_statement = none
EOF
	# an older minor does not know it, and would not start
	$node->append_conf('postgresql.conf',
		"output_plugin_libraries = '$plugins'")
	  if knows_allow_list() && ($options{allow} // 1);
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start;
	return $node;
}

sub knows_allow_list
{
	return `postgres --describe-config` =~ /^output_plugin_libraries\t/m;
}

sub slot_field
{
	my ($node, $slot, $field) = @_;
	return $node->safe_psql('postgres',
		"SELECT $field FROM pg_replication_slots WHERE slot_name = '$slot'");
}

# Until everything written so far is confirmed to the slot.
sub wait_for_slot
{
	my ($node, $slot) = @_;
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

	wait_until(
		"slot $slot has confirmed $lsn",
		sub {
			slot_field($node, $slot, "confirmed_flush_lsn >= '$lsn'") eq 't';
		});
	return $lsn;
}

# Equal for equal contents of a table, in whatever order.
sub checksum
{
	my ($node, $db, $table) = @_;
	return $node->safe_psql($db, <<"EOF");
SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text COLLATE "C")), '')
FROM $table t
EOF
}

# The source's own log: every row written or deleted, by triggers, with its
# transaction.  The tables have a column v that names a row's version, which a
# trigger here draws from a sequence; "key" is the column that names a row.
sub add_ledger
{
	my ($node, $db, @tables) = @_;

	$node->safe_psql($db, <<'EOF');
CREATE SEQUENCE IF NOT EXISTS version CACHE 100;
CREATE TABLE IF NOT EXISTS ledger (tab text, act text, what text, xid xid8);
CREATE OR REPLACE FUNCTION draw_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.v := nextval('version');
	RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION write_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ledger VALUES (coalesce(TG_ARGV[0], TG_TABLE_NAME),
		CASE TG_OP WHEN 'DELETE' THEN 'D' ELSE 'W' END,
		CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.v END,
		pg_current_xact_id());
	RETURN NULL;
END $$;
EOF
	$node->safe_psql($db, <<"EOF") for @tables;
CREATE TRIGGER draw BEFORE INSERT OR UPDATE ON $_
	FOR EACH ROW EXECUTE FUNCTION draw_version();
CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON $_
	FOR EACH ROW EXECUTE FUNCTION write_ledger();
EOF
	return;
}

# As a file for the checker.
sub write_ledger
{
	my ($node, $db, $query) = @_;
	my $file = launch_dir() . '/ledger';
	$query ||= 'SELECT tab, act, what, xid FROM ledger';
	spit($file, $node->safe_psql($db, "COPY ($query) TO STDOUT") . "\n");
	return $file;
}

1;
