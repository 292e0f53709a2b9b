# The state record as a story sees it.
package Wal2Kafka::State;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More;
use Wal2Kafka::Test;

our @EXPORT = qw($state_topic state_record refused goes_on lsn_number);

our $state_topic = 'wal2kafka.state';

# The last record of a slot, decoded; undef if there is none or a tombstone.
# "topic" if it is not $state_topic.
sub state_record
{
	my ($kafka, $slot, $topic) = @_;
	my ($last) =
	  (grep { ($_->{key} // '') eq $slot }
		  $kafka->messages($topic // $state_topic))[-1];
	return if !$last || !defined $last->{value};
	return JSON::PP->new->decode($last->{value});
}

# Starts a shipper that will leave it to a person, for reasons that are logged.
sub refused
{
	my ($shipper, $name, @patterns) = @_;
	my $from = $shipper->log_size;

	$shipper->start;
	is($shipper->wait_exit, 3, "$name: left to a person");
	my $log = substr $shipper->log, $from;
	like($log, $_, "$name: and says so") for @patterns;
	return;
}

# Starts one that has nothing to refuse.
sub goes_on
{
	my ($shipper, $name) = @_;
	my $from = $shipper->log_size;

	$shipper->start;
	$shipper->wait_for_log(qr/streaming slot|hint /, $from);
	unlike(substr($shipper->log, $from), qr/hint /, "$name: goes on");
	return;
}

sub lsn_number
{
	my ($high, $low) = split m{/}, $_[0];
	return hex($high) * 2**32 + hex($low);
}

1;
