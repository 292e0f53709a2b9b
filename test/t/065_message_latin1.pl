# A message that waits for no commit, in a database that is not UTF8: nothing
# may be converted where no transaction gives a catalog to look at.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Wal2Kafka::Frames;
use Test::More;

my $server = new_extension_server('source');

sub sql { return $server->safe_psql('latin1', $_[0]); }

$server->safe_psql('postgres',
	"CREATE DATABASE latin1 TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'");
sql('CREATE EXTENSION wal2kafka');
sql("SELECT pg_create_logical_replication_slot('live', 'wal2kafka')");

my $file   = launch_dir() . '/frames';
my $log    = launch_dir() . '/receiver.log';
my $reader = spawn($log, 'pg_recvlogical', '-d', $server->connstr('latin1'),
	'-S', 'live', '--start', '-f', $file, '--no-loop', '-o',
	'proto_version=1', '-o', 'message_topics=out');

wait_until('the slot is active',
	sub { slot_field($server, 'live', 'active') eq 't' });
sql("SELECT wal2kafka.emit_message('out', U&'k\\00e4y', U&'v\\00e4lue', "
	  . "jsonb_build_object('h', U&'\\00e4'), transactional => false)");
wait_until(
	'the message arrives, or the walsender ends',
	sub {
		slurp($log) =~ /error/i || (-e $file && slurp($file) =~ /v\xc3\xa4lue/);
	});
is(slurp($log) =~ s/.*error: //r, '', 'the walsender goes on');
like(slurp($file), qr/k\xc3\xa4y.*\xc3\xa4.*v\xc3\xa4lue/s,
	'key, header and value are UTF-8');

# a table's name in a frame, and its record, are UTF-8; a message that the
# database has no characters for is shown as bytes
sql("SELECT pg_create_logical_replication_slot('peek', 'wal2kafka')");
sql('CREATE TABLE U&"caf\00e9" (id int PRIMARY KEY)');
sql('INSERT INTO U&"caf\00e9" VALUES (1)');
sql("SELECT wal2kafka.emit_message('out', 'k', '\\xe282ac'::bytea)");
sql("SELECT wal2kafka.emit_message('out', 'k', '\\xc3a9'::bytea)");
sql("SELECT wal2kafka.emit_message('out', 'k', 'the end')");
wait_until('all arrives', sub { slurp($file) =~ /the end/ });
my @entries = read_frames(split_frames(slurp($file)));
is_deeply([ map { $_->{table} } grep { $_->{kind} eq 'table' } @entries ],
	[ 'emit_message', "caf\xc3\xa9" ], 'tables are announced in UTF-8');
is(sql(q{SELECT string_agg(convert_to(value, 'UTF8')::text, ' ' ORDER BY lsn)
	FROM wal2kafka.peek_changes('peek', 10, 'message_topics', 'out') WHERE topic = 'out'}),
	'\x' . unpack('H*', '\xe282ac') . ' \xc3a9 \x' . unpack('H*', 'the end'), 'shown as text where it can be');

kill 'TERM', $reader;
reap($reader);
done_testing();
