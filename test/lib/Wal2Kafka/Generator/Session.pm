# psql behind two pipes: a session whose statements can be interleaved with
# those of others, one at a time, in an order that a seed decides.
package Wal2Kafka::Generator::Session;

use strict;
use warnings;

use Carp;
use IPC::Open3;

use constant MARK => '=done=';

sub new
{
	my ($class, $node, $name, $options) = @_;
	my $self = bless { name => $name, log => [] }, $class;

	local $ENV{PGCLIENTENCODING} = 'UTF8';
	local $ENV{PGOPTIONS}        = $options;
	open my $errors, '>>', "$ENV{TESTDIR}/psql.$name.log" or croak $!;
	$self->{pid} = open3(
		$self->{in}, $self->{out}, '>&' . fileno($errors), 'psql',
		'-XqAt',     '-v',         'VERBOSITY=terse',      '-d',
		$node->connstr('postgres'));
	binmode $self->{$_}, ':raw' for qw(in out);
	$self->{in}->autoflush(1);
	$self->begin_case;
	return $self;
}

# What there is to tell about the case's statements so far.
sub begin_case
{
	my ($self) = @_;
	$self->{depth}          = 0;
	$self->{in_transaction} = 0;
	$self->{forgiving}      = 0;
	return;
}

# One command.  True if it went well; its output is in {rows}, the SQLSTATE of
# what went wrong in {state}.
sub run
{
	my ($self, $command) = @_;
	my @rows;

	print { $self->{in} } "$command\n;\\echo @{[MARK]} :ERROR :SQLSTATE\n";
	while (1)
	{
		my $line = readline($self->{out}) // croak "the server is gone after $command";
		chomp $line;
		if ($line =~ /^@{[MARK]} (\S+) (\S*)$/)
		{
			$self->{rows}  = \@rows;
			$self->{state} = $1 eq 'true' ? $2 : '';
			return $1 ne 'true';
		}
		push @rows, $line;
	}
}

# The rows of a query as COPY writes them: an array of fields, null undefined.
# The text is that of the types' output functions, which a cast is not always.
sub copy_rows
{
	my ($self, $query) = @_;
	return $self->run("COPY ($query) TO STDOUT") ? $self->copied : undef;
}

my %letters = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t", v => "\x0b");

sub copied
{
	my ($self) = @_;
	return [
		map {
			[ map { unescape($_) } $_ eq '' ? '' : split /\t/, $_, -1 ]
		} @{ $self->{rows} } ];
}

sub unescape
{
	my ($text) = @_;
	return undef if $text eq '\N';
	$text =~ s/\\(.)/$letters{$1} \/\/ $1/egs;
	return $text;
}

sub close
{
	my ($self) = @_;
	close $self->{in};
	waitpid $self->{pid}, 0;
	return;
}

1;
