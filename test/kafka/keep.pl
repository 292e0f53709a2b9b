# Keeps in build/kafka what every broker would make again: a formatted data
# folder, and its classes as java has them once they are loaded.  A start takes
# half the time then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Wal2Kafka::Test;
use File::Path qw(rmtree);
use Wal2Kafka::Kafka;
use Test::More;

plan skip_all => 'no Apache Kafka here' if Wal2Kafka::Kafka->why_mock;

my $kept = Wal2Kafka::Broker::kept();
my $new = "$kept.$$";

rmtree($kept);
my $kafka = Wal2Kafka::Kafka->new(
	start => 0,
	java => ["-XX:ArchiveClassesAtExit=$new/classes.jsa"]);
is(system('mkdir', '-p', "$new/data"), 0, 'a folder for it');
is(system('cp', glob($kafka->broker(1)->dir . '/data/*'), "$new/data"),
	0, 'a data folder');
$kafka->start;
$kafka->create_topic('t', 1);
$kafka->produce('t', [ 0, 'key', 'value' ]);
is($kafka->messages('t'), 1, 'a record was taken and given');
$kafka->stop;
ok(-s "$new/classes.jsa", 'classes');
ok(rename($new, $kept), 'kept');

done_testing();
