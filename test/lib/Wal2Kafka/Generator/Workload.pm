# What two sessions do to a few tables, one statement at a time.
package Wal2Kafka::Generator::Workload;

use strict;
use warnings;

use parent 'Wal2Kafka::Generator::Ddl';
use Wal2Kafka::Generator::Types qw(any chance between quote ident idents odd_name);

sub pick
{
	my (@weighted) = @_;
	my $sum = 0;
	$sum += $_->[0] for @weighted;
	my $at = rand $sum;
	for (@weighted)
	{
		return $_ if ($at -= $_->[0]) < 0;
	}
}

# Each of a list in turn, from one case to the next.
sub in_turn
{
	my ($self, $what, @list) = @_;
	return $list[ ($self->{case} * 3 + $self->{turn}{$what}++) % @list ];
}

sub random_dml
{
	my ($self, $s) = @_;
	my $t = $self->any_table($s) // return;
	my (undef, $kind, $make) = @{ chance(0.15) ? $self->in_turn('dml', $self->dml) : pick($self->dml) };
	my $sql = $make->($self, $s, $t) // return;
	return $self->statement($s, "statement: $kind", $sql);
}

sub random_ddl
{
	my ($self, $s) = @_;
	my (undef, $kind, $make) = @{ chance(0.3) ? $self->in_turn('ddl', $self->ddl) : pick($self->ddl) };

	# the first table that it suits
	for my $oid (map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } @{ $self->{oids} })
	{
		my $t = $self->describe($s, $oid) // next;
		next if $t->{part} && $kind !~ /^(?:rename table|move|rename schema|storage)/;
		my ($statements, $op) = $make->($self, $s, $t);
		next if !$statements;

		# nothing left to do: it was done
		return @$statements ? $self->together($s, "ddl: $kind", $statements, $op) : 1;
	}
	return;
}

# --- transactions ---

sub begin
{
	my ($self, $s) = @_;
	$s->{forgiving} = chance(0.4);
	$s->run("\\set ON_ERROR_ROLLBACK " . ($s->{forgiving} ? 'on' : 'off'));
	$self->statement($s, 'transaction: begin', 'BEGIN');
	@$s{qw(in_transaction depth)} = (1, 0);
	return;
}

sub finish
{
	my ($self, $s, $how) = @_;
	$self->statement($s, 'transaction: ' . lc $how, $how);
	@$s{qw(in_transaction depth forgiving)} = (0, 0, 0);
	$s->run('\set ON_ERROR_ROLLBACK off');
	return;
}

sub prepare
{
	my ($self, $s) = @_;
	my $name = 'g' . ++$self->{prepares};
	push @{ $self->{prepared} }, $name
	  if $self->statement($s, 'transaction: prepare', "PREPARE TRANSACTION '$name'");
	@$s{qw(in_transaction depth forgiving)} = (0, 0, 0);
	$s->run('\set ON_ERROR_ROLLBACK off');
	return;
}

sub savepoint
{
	my ($self, $s) = @_;
	if ($s->{depth} && chance(0.5))
	{
		my $how = any('RELEASE', 'ROLLBACK TO');
		$self->statement($s, 'transaction: ' . lc $how . ' savepoint', "$how SAVEPOINT s$s->{depth}");
		$s->{depth}-- if $how eq 'RELEASE';
		return;
	}
	$s->{depth}++;
	$self->statement($s, 'transaction: savepoint', "SAVEPOINT s$s->{depth}");
	return;
}

sub step
{
	my ($self, $s) = @_;
	my $choice = rand;

	if (@{ $self->{prepared} } && !$s->{in_transaction} && $choice < 0.5)
	{
		my $how = any(('COMMIT') x 3, 'ROLLBACK');
		return $self->statement(
			$s,
			'transaction: ' . lc $how . ' prepared',
			"$how PREPARED '" . shift(@{ $self->{prepared} }) . "'");
	}
	return $self->begin($s) if !$s->{in_transaction} && $choice < 0.35;
	if ($s->{in_transaction})
	{
		return $self->finish($s, any(('COMMIT') x 5, 'ROLLBACK')) if $choice < 0.12;
		return $self->prepare($s)                                 if $choice < 0.15;
		return $self->savepoint($s)                               if $choice < 0.25;
	}
	return chance(0.27) ? $self->random_ddl($s) : $self->random_dml($s);
}

# --- the workload of a case ---

sub workload
{
	my ($self, $number) = @_;
	my ($a,    $b)      = @{ $self->{sessions} };

	srand($self->{seed} * 7919 + int($number / $self->BATCH) + 1_000_000_000);
	$self->{options} =
	  { generated => chance(0.35) ? 'stored' : 'none', key_change => chance(0.25) ? 'update' : 'split' };
	$self->choose_publications(int($number / $self->BATCH));
	srand($self->{seed} * 100_003 + $number);
	Wal2Kafka::Generator::Types::restart_names();
	@$self{qw(oids schemas prepared detached turn first_op)} = ([], [], [], {}, {}, scalar @{ $self->{ops} });
	$_->begin_case for $a, $b;

	for my $name (odd_name("case $number "), odd_name("s$number."))
	{
		$self->execute($a, 'CREATE SCHEMA ' . ident($name)) or die "create schema: $a->{state}\n";
		$a->run('SELECT oid FROM pg_namespace WHERE nspname = ' . quote($name));
		push @{ $self->{schemas} }, { name => $name, oid => $a->{rows}[0] };
	}
	for (1 .. any(1, 2, 2, 3))
	{
		push @{ $self->{oids} }, $self->make_table($a) // die "no table\n";
	}
	for my $oid (@{ $self->{oids} })
	{
		my $t = $self->describe($a, $oid);
		$self->statement($a, 'statement: insert of several rows', $_)
		  for map { $self->insert_rows($a, $t) } 1, 2;
	}
	my $steps = between(20, 70);
	my $other = chance(0.7) ? $b : $a;
	$self->step(any($a, $a, $other)) for 1 .. $steps;
	for ($a, $b)
	{
		$self->finish($_, any(('COMMIT') x 4, 'ROLLBACK')) if $_->{in_transaction};
	}
	$self->execute($a, "COMMIT PREPARED '$_'") for splice @{ $self->{prepared} };
	return;
}

# Made before anything that they publish.
sub choose_publications
{
	my ($self, $batch) = @_;
	my @names = ("$batch a", "$batch \"b\"");

	$self->{publications} = $batch % 5 == 1 || $batch % 5 == 3 ? \@names : [];
	$self->{via_root}     = $batch % 5 == 3;
	return if !@{ $self->{publications} };
	@{ $self->{options} }{qw(generated publication_names)} = ('none', idents(@names));
	return if $self->{made}{$batch}++;
	$self->must_run('CREATE PUBLICATION '
		  . ident($_)
		  . ($_ eq $names[0] ? ' FOR TABLE gen.log' : '')
		  . ' WITH (publish_via_partition_root = '
		  . ($self->{via_root} ? 'true' : 'false') . ')')
	  for @names;
	return;
}

sub plugin_options
{
	my ($self) = @_;
	my $options = $self->{options};
	return map { ($_, $options->{$_}) } sort keys %$options;
}

1;
