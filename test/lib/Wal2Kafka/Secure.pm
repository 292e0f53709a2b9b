# A Kafka broker that asks who one is: a listener "SECURE" with TLS, a password
# for the user "shipper", and access rules.  Through its other listener, where
# tests make and read topics, everybody may do everything.
package Wal2Kafka::Secure;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use Wal2Kafka::Kafka;
use Wal2Kafka::Test;

our @EXPORT = qw(secure_kafka set_password make_certificate);

my $listener = 'listener.name.secure';

# A certificate for "localhost" that signs itself: files PATH.crt and PATH.pem,
# the latter with its key.
sub make_certificate
{
	my ($path) = @_;
	my @command = (
		qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost),
		'-addext',
		'subjectAltName=DNS:localhost',
		'-keyout',
		"$path.key",
		'-out',
		"$path.crt");
	my $output = '';

	IPC::Run::run(\@command, '<', \'', '>&', \$output)
	  or croak "openssl: $output";
	spit("$path.pem", slurp("$path.key") . slurp("$path.crt"));
	return "$path.crt";
}

# A login lasts as many ms as given.
sub secure_kafka
{
	my ($password, $lifetime) = @_;
	my $certificate = launch_dir() . '/broker';

	make_certificate($certificate);
	return Wal2Kafka::Kafka->new(
		listeners => { SECURE => 'SASL_SSL' },
		settings  => {
			'authorizer.class.name' =>
			  'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
			'super.users'                               => 'User:ANONYMOUS',
			'sasl.enabled.mechanisms'                   => 'PLAIN',
			"$listener.ssl.keystore.type"               => 'PEM',
			"$listener.ssl.keystore.location"           => "$certificate.pem",
			"$listener.plain.connections.max.reauth.ms" => $lifetime,
			login($password)
		});
}

# From the broker's next start on.
sub set_password
{
	my ($kafka, $password) = @_;
	$kafka->broker(1)->reconfigure(login($password));
	return;
}

sub login
{
	my ($password) = @_;
	my $module = 'org.apache.kafka.common.security.plain.PlainLoginModule';
	return ("$listener.plain.sasl.jaas.config" =>
		  "$module required user_shipper=\"$password\";");
}

1;
