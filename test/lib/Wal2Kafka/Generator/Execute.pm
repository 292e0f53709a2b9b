# Statements of a case: run, remembered, counted.
package Wal2Kafka::Generator::Execute;

use strict;
use warnings;

# SQLSTATEs that a random statement may meet.
my %may_fail = map { $_ => 1 } qw(55P03 23505 23502 23503 23514 21000
  55P04);    # a label that was renamed a moment ago

my %may_fail_as = (
	42804   => qr/ ATTACH PARTITION /,           # it was altered meanwhile
	'42P01' => qr/ DETACH PARTITION /,           # it is one of a partition
	54000   => qr/ INDEX | ADD PRIMARY KEY /,    # of a large value
	'2BP01' => qr/ DROP C/,                      # a publication or a foreign key needs it
	'0A000' => qr/ TYPE /,                       # likewise
	XX000   => qr/ TYPE /,                       # 16.2 says it so
												 # by its publications the table needs another identity
	'55000' => qr/UPDATE|DELETE/,
	'42P10' => qr/UPDATE|DELETE/,);

sub execute
{
	my ($self, $s, $sql) = @_;
	my $ok = $s->run($sql);

	# psql 18 does not tell what went wrong within a COPY
	$s->{state} = '55P03' if !$ok && $s->{state} eq '' && $sql =~ /^COPY /;
	push @{ $self->{log} }, "$s->{name}: $sql" . ($ok ? '' : "   -- $s->{state}");
	return $ok;
}

sub statement
{
	my ($self, $s, $kind, $sql) = @_;
	my $ok = $self->execute($s, $sql);
	return $self->succeeded($kind) if $ok;
	return $self->failed($s, $kind, $sql);
}

sub succeeded { my ($self, $kind) = @_; $self->count(split /: /, $kind, 2); return 1; }

sub failed
{
	my ($self, $s, $kind, $sql) = @_;
	my $state = $s->{state};

	$self->count('error',    $state);
	$self->count('error in', "$kind $state") if $ENV{GENERATOR_DEBUG};
	die "unexpected error $state in $sql\n"
	  if !$may_fail{$state} && $sql !~ ($may_fail_as{$state} // qr/^never/);
	return 0 if !$s->{in_transaction} || $s->{forgiving};
	if ($s->{depth})
	{
		$self->execute($s, "ROLLBACK TO SAVEPOINT s$s->{depth}");
		return 0;
	}
	$self->execute($s, 'ROLLBACK');
	$s->{in_transaction} = 0;
	return 0;
}

# Statements that belong together, and what the operator has to do when their
# records come by: $op gives code to be run with the copy.
sub together
{
	my ($self, $s, $kind, $statements, $op) = @_;
	my $alone     = !$s->{in_transaction};
	my $savepoint = !$alone && ($s->{forgiving} || @$statements > 1);

	$self->execute($s, 'BEGIN')              if $alone;
	$self->execute($s, 'SAVEPOINT together') if $savepoint;

	# psql's own savepoints would hide from copy_failed() what failed
	$s->run('\set ON_ERROR_ROLLBACK off') if $s->{forgiving};
	for my $sql (@$statements)
	{
		next if $self->execute($s, $sql) && !$self->copy_failed($s, $sql);
		my $state = $s->{state};
		$self->execute($s, 'ROLLBACK')                       if $alone;
		$self->execute($s, 'ROLLBACK TO SAVEPOINT together') if $savepoint;
		$self->execute($s, 'RELEASE SAVEPOINT together')     if $savepoint;
		$s->run('\set ON_ERROR_ROLLBACK on') if $s->{forgiving};
		$s->{state} = $state;
		return $self->failed($savepoint ? { %$s, forgiving => 1 } : $s, $kind, $sql);
	}
	if (my $code = $op && $op->())
	{
		push @{ $self->{ops} }, $code;
		$self->execute($s, 'INSERT INTO gen.log VALUES (' . $#{ $self->{ops} } . ')')
		  or die "could not write the log: $s->{state}\n";
	}
	$self->execute($s, 'RELEASE SAVEPOINT together') if $savepoint;
	$s->run('\set ON_ERROR_ROLLBACK on')             if $s->{forgiving};
	$self->execute($s, 'COMMIT')                     if $alone;
	return $self->succeeded($kind);
}

# The texts of some values; false where one of them cannot be had now.
sub texts_of
{
	my ($self, $s, @values) = @_;
	my $rows = $s->copy_rows('SELECT ' . join ', ', @values);
	return $rows->[0] if $rows && @$rows;
	$s->{state} ||= '55P04';
	return $self->failed($s, 'value', "SELECT @values");
}

# psql does not tell an error that comes after a COPY has begun; a transaction
# does.
sub copy_failed
{
	my ($self, $s, $sql) = @_;
	return 0 if $sql !~ /^COPY /;
	my $rows   = $s->{rows};
	my $failed = !$s->run('SELECT');
	@$s{qw(rows state)} = ($rows, $failed ? '55P03' : '');
	return $failed;
}

1;
