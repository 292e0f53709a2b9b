# pg_upgrade keeps extension and routes, also labels that this version of the
# library would refuse.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use Wal2Kafka::Cluster;
use Wal2Kafka::Extension;
use Test::More;

my $routes = 'SELECT relation, topic, key, topic_source, key_source
	FROM wal2kafka.routes ORDER BY relation::text COLLATE "C"';
my $old = new_extension_server('old');
my $new = new_extension_server('new');

$old->safe_psql('postgres', $_) for 'CREATE EXTENSION wal2kafka', <<'SQL';
CREATE TABLE gone (id int PRIMARY KEY);
DROP TABLE gone;
CREATE TABLE orders (a int, id int PRIMARY KEY, customer_id int NOT NULL);
ALTER TABLE orders DROP COLUMN a, REPLICA IDENTITY FULL;
CREATE TABLE later (id int PRIMARY KEY);
SELECT wal2kafka.set_route('orders', 'shop', '{customer_id,id}');
SELECT wal2kafka.set_route('later', 'later');
SQL
my $kept = $old->safe_psql('postgres', $routes);
$old->safe_psql('postgres', q(UPDATE pg_seclabel SET label = 'topic=a topic=b'
	WHERE label = 'topic=later'));
$_->stop for $old, $new;

my $programs = programs_dir();
$old->command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir,
		'-D', $new->data_dir, '-b', $programs, '-B', $programs,
		'-s', $new->host, '-p', $old->port, '-P', $new->port ],
	'pg_upgrade');
$new->start;
like(($new->psql('postgres', $routes))[2],
	qr/could not understand security label "topic=a topic=b" of table "later"/,
	'a label from another version is named');
is(($new->psql('postgres', q(SELECT wal2kafka.set_route('later', 'later'))))[0],
	0, 'and can be replaced');
is($new->safe_psql('postgres', $routes), $kept, 'all routes are there');
like(($new->psql('postgres', 'DROP EXTENSION wal2kafka'))[2],
	qr/tables have routes/, 'the event trigger is there');

done_testing();
