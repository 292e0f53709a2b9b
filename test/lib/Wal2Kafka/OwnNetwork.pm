# A network of this story's own, where packets can be lost before TCP sees
# them, which takes rights that an ordinary user has only there.
#
# "use Wal2Kafka::OwnNetwork" comes before Wal2Kafka::Test, which becomes that
# user.  Where there can be none, why() says so.
package Wal2Kafka::OwnNetwork;

use strict;
use warnings;

use Cwd ();

my $why;

BEGIN
{
	my $own = $ENV{WAL2KAFKA_OWN_NETWORK};
	my @own = (
		'unshare', '--user',
		"--map-user=$>", '--map-group=' . ($) + 0),
		'--net', '--keep-caps');

	if ($> == 0)
	{
		# not yet the user
	}
	elsif ($own)
	{
		$why = 'no loopback in a network of our own'
		  if system('ip link set lo up 2>/dev/null') != 0;
	}
	elsif (system("@own ip link show >/dev/null 2>&1") == 0)
	{
		$ENV{WAL2KAFKA_OWN_NETWORK} = 1;
		exec @own, $^X, Cwd::realpath($0), @ARGV
		  or die "could not enter a network of our own: $!";
	}
	else
	{
		$why = 'no network of our own (unshare --net, ip) here';
	}
}

sub why { return $why; }

1;
