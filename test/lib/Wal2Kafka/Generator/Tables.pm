# The tables of a case: as a session sees them, what there are copies of, and new
# ones.
package Wal2Kafka::Generator::Tables;

use strict;
use warnings;

use parent 'Wal2Kafka::Generator::Execute';
use List::Util qw(first);
use Wal2Kafka::Generator::Types
  qw(any chance quote ident idents unhex type_names key_types value large_value is_large_type odd_name);

# Row filters over a column of each of these types, % in its place.
my %filters = (
	bool => [ '%', 'NOT % OR % IS NULL' ],
	(map { $_ => [ '% > 0', '% < 10 OR % IS NULL', '% <> 1' ] } qw(int2 int4 int8 numeric numeric_2 float8)),
	(map { $_ => [ 'length(%) < 8', 'length(%) >= 5', "% > 'b' OR % IS NULL" ] } qw(text varchar)),
	date  => ["% > '1500-01-01'"],
	uuid  => ["% < '80000000-0000-0000-0000-000000000000'"],
	bytea => ['length(%) > 3']);

# --- what there is ---

# A table as the session sees it, or nothing if it sees none.
sub describe
{
	my ($self, $s, $oid) = @_;
	my $t = { oid => $oid, cols => [], unique => [], pk => [], leaves => [], replident => [] };

	$s->run("SELECT gen.describe($oid, ARRAY["
		  . join(', ', map { quote($_) } @{ $self->{publications} })
		  . ']::text[])')
	  or die "describe: $s->{state}\n";
	for (@{ $s->{rows} })
	{
		my ($what, @f) = split /\|/, $_, -1;
		if ($what eq 'T')
		{
			@$t{qw(schema name kind part)} = (unhex($f[0]), unhex($f[1]), $f[2], scalar($f[3] =~ /^t/));
			$t->{q} = ident($t->{schema}) . '.' . ident($t->{name});
		}
		elsif ($what eq 'C')
		{
			push @{ $t->{cols} },
			  { name      => unhex($f[1]),
				sql       => unhex($f[2]),
				notnull   => scalar($f[3] =~ /^t/),
				generated => $f[4],
				identity  => $f[5],
				type      => Wal2Kafka::Generator::Types::name_of(unhex($f[2])) };
		}
		elsif ($what eq 'I')
		{
			my @cols = map { unhex($_) } split /,/, $f[3];
			push @{ $t->{unique} }, { name => unhex($f[0]), cols => \@cols };
			$t->{pk}        = \@cols if $f[1] =~ /^t/;
			$t->{replident} = \@cols if $f[2] =~ /^t/;
		}
		elsif ($what eq 'F')
		{
			my ($name, $refers) = map { unhex($_) } @f;
			$t->{cascades} = 1;
			$_->{refers}   = 'SELECT ' . ident($refers) . " FROM $t->{q} OFFSET "
			  for grep { $_->{name} eq $name } @{ $t->{cols} };
		}
		elsif ($what eq 'P')
		{
			$t->{published} = 1;
			$t->{list}      = { map { unhex($_) => 1 } split /,/, $f[0] } if $f[0] ne '';
		}
		else
		{
			push @{ $t->{leaves} },
			  { oid => $f[0], schema => unhex($f[1]), name => unhex($f[2]), identity => $f[3] };
		}
	}
	return if !$t->{kind} || !@{ $t->{leaves} };
	$t->{identity} = $t->{leaves}[0]{identity};
	$t->{writable} = [ grep { $_->{generated} eq '' } @{ $t->{cols} } ];
	$t->{shown}    = [ map { $_->{name} } grep { $self->shows($t, $_) } @{ $t->{cols} } ];
	$t->{key}      = $t->{identity} eq 'i' ? $t->{replident} : $t->{identity} eq 'n' ? [] : $t->{pk};

	# half a key is none
	my %shown = map { $_ => 1 } @{ $t->{shown} };
	$t->{key}   = [] if grep { !$shown{$_} } @{ $t->{key} };
	$t->{blind} = $t->{identity} ne 'f' && !@{ $t->{key} };
	$t->{published} ||= !@{ $self->{publications} };

	# what is or was a partition keeps the primary key of the others
	$t->{alone} = $t->{kind} eq 'r' && !$t->{part} && !grep { $_ == $oid } values %{ $self->{detached} };
	return $t;
}

sub shows
{
	my ($self, $t, $col) = @_;
	return 0 if $t->{list} && !$t->{list}{ $col->{name} };
	return $col->{generated} eq '' || $self->{options}{generated} eq 'stored';
}

# What of a table there are copies of: its leaves, or the table as their root.
sub copied
{
	my ($self, $t) = @_;
	return if !$t->{published} || ($self->{via_root} && $t->{part});
	return $self->{via_root} ? $t : @{ $t->{leaves} };
}

sub is_copied
{
	my ($self, $t, $oid) = @_;
	return scalar grep { $_->{oid} == $oid } $self->copied($t);
}

sub any_table
{
	my ($self, $s) = @_;
	return @{ $self->{oids} } ? $self->describe($s, any(@{ $self->{oids} })) : undef;
}

# The copies of a table's leaves, when the operator's time has come.
sub on_copies
{
	my ($self, $t, $code) = @_;
	my @copied = map { [ @$_{qw(schema name)} ] } $self->copied($t);
	return sub { my ($copy) = @_; $code->($copy, $copy->table(@$_)) for @copied; };
}

# The row filters of all publications.  A matter of its own, for it takes locks.
sub filter_of
{
	my ($self, $s, $t) = @_;
	return 'true' if !@{ $self->{publications} };
	my $rows = $s->copy_rows(
			"SELECT '(' || coalesce(pg_get_expr(prqual, prrelid), 'true') || ')' FROM pg_publication_rel"
		  . " JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = $t->{oid} ORDER BY pubname")
	  // die "could not read the filters: $s->{state}\n";
	return join(' OR ', map { $_->[0] } @$rows) || 'true';
}

# What a copy of the table shows now.
sub rows_of
{
	my ($self, $s, $t) = @_;
	my $where = $self->filter_of($s, $t);
	return $s->copy_rows('SELECT ' . idents(@{ $t->{shown} }) . " FROM $t->{q} WHERE $where")
	  // die "could not read the rows: $s->{state}\n";
}

# The same with the rows of each as they are now.
sub with_rows
{
	my ($self, $s, $t, $code) = @_;
	my @copied = map {
		my $as = $self->describe($s, $_->{oid});
		[ @$as{qw(schema name)}, $self->rows_of($s, $as) ]
	} $self->copied($t);
	return sub { my ($copy) = @_; $code->($copy, $copy->table(@$_[ 0, 1 ]), $_->[2]) for @copied; };
}

# After a change of the identity.
sub new_identity
{
	my ($self, $s, $t) = @_;
	my $now = $self->describe($s, $t->{oid});
	return $self->on_copies($now, sub { $_[0]->set_identity($_[1], $now->{blind}, @{ $now->{key} }) });
}

# --- making tables ---

sub any_value
{
	my ($self, $col, $in_key) = @_;
	die "unknown type $col->{sql}\n"                     if !$col->{type};
	return 'NULL'                                        if !$col->{notnull} && chance(0.15);
	return "($col->{refers}" . int(rand 4) . ' LIMIT 1)' if $col->{refers};
	return large_value($col->{type}) if !$in_key && is_large_type($col->{type}) && chance(0.25);
	return value($col->{type});
}

sub new_column
{
	my ($self, @types) = @_;
	my $type = any(@types);
	$self->count('type', $type);
	return {
		name      => odd_name('c'),
		type      => $type,
		sql       => Wal2Kafka::Generator::Types::sql_of($type),
		notnull   => chance(0.2),
		generated => '' };
}

sub column_sql
{
	my ($self, $col) = @_;
	return ident($col->{name}) . " $col->{sql}" . ($col->{notnull} ? ' NOT NULL' : '') . ($col->{more} // '');
}

sub make_table
{
	my ($self, $s) = @_;
	my @large = grep { is_large_type($_) } type_names();
	my @key   = map {
		{ %{ $self->new_column(key_types()) }, notnull => 1 }
	} 1 .. any(1, 1, 1, 2, 3);
	my @cols = map { $self->new_column(chance(0.3) ? @large : type_names()) } 1 .. any(0, 1, 3, 5, 8);
	push @cols, $self->new_column($self->in_turn('type', type_names()));
	my $shape = any(('pk') x 6, 'unique', 'unique', 'none', 'none');
	my ($schema, $other) = map { ident($self->schema_name($s, any(@{ $self->{schemas} }))) } 1, 2;
	my $q           = "$schema." . ident(odd_name('t'));
	my $partitioned = $shape ne 'unique' && chance(0.25);
	my @all         = sort { $a->{order} <=> $b->{order} } map {
		{ %$_, order => rand }
	} @key, @cols;
	my @statements;

	if (my $base = first { $_->{type} =~ /^(?:text|int4|int8)$/ } @all)
	{
		push @all,
		  { name      => odd_name('g'),
			generated => 's',
			sql       => 'text',
			notnull   => 0,
			more => ' GENERATED ALWAYS AS (' . ident($base->{name}) . '::text || ' . quote('!') . ') STORED' }
		  if chance(0.4);
	}
	push @all,
	  { name      => odd_name('parent'),
		generated => '',
		sql       => $key[0]{sql},
		notnull   => 0,
		more      => " REFERENCES $q ON UPDATE CASCADE ON DELETE CASCADE" }
	  if $shape eq 'pk' && @key == 1 && !$partitioned && chance(0.4);
	my $dropped = chance(0.25) ? odd_name('dropped') : undef;
	splice @all, rand(@all + 1), 0, { name => $dropped, sql => 'int', notnull => 0 } if defined $dropped;

	my $keys = idents(map { $_->{name} } @key);
	push @statements,
	  "CREATE TABLE $q ("
	  . join(', ',
		(map { $self->column_sql($_) } @all),
		$shape eq 'pk' ? "PRIMARY KEY ($keys)" : $shape eq 'unique' ? "UNIQUE ($keys)" : ())
	  . ')'
	  . ($partitioned ? ' PARTITION BY HASH (' . ident($key[0]{name}) . ')' : '');
	push @statements, "ALTER TABLE $q DROP COLUMN " . ident($dropped) if defined $dropped;
	push @statements, $self->storage($q, @cols)                       if chance(0.5);
	my @leaves = $q;

	if ($partitioned)
	{
		my ($part, @leaf) = map { "$other." . ident(odd_name('p')) } 0 .. 3;
		my @live = grep { !defined $dropped || $_->{name} ne $dropped } @all;
		push @statements, $self->first_partition($q, $leaf[0], @live),
		  "CREATE TABLE $part PARTITION OF $q FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH ("
		  . ident($key[-1]{name}) . ')',
		  "CREATE TABLE $leaf[1] PARTITION OF $part FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
		  "CREATE TABLE $leaf[2] PARTITION OF $part FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
		@leaves = @leaf;
	}
	my $identity =
		$shape eq 'pk'              ? any('', '', 'FULL')
	  : $shape eq 'unique'          ? any('USING INDEX', 'FULL')
	  : $partitioned || chance(0.5) ? 'FULL'
	  :                               any('', 'NOTHING');
	if ($identity eq 'USING INDEX')
	{
		push @statements,
			"DO \$gen\$ BEGIN EXECUTE format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', "
		  . quote($q)
		  . ", (SELECT relname FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid WHERE indrelid = "
		  . quote($q)
		  . "::regclass)); END \$gen\$";
	}
	elsif ($identity) { push @statements, "ALTER TABLE $_ REPLICA IDENTITY $identity" for @leaves; }

	push @statements,
	  $self->publish(
		$q, !$partitioned,
		$shape eq 'none' ? [] : \@key,
		$identity eq 'FULL',
		grep { $_->{type} } @all) if @{ $self->{publications} } && chance(0.9);

	my $oid;
	$self->together(
		$s,
		$partitioned ? 'ddl: create partitioned table' : 'ddl: create table',
		\@statements,
		sub {
			$s->run('SELECT ' . quote($q) . '::regclass::oid') or die "regclass: $s->{state}\n";
			$oid = $s->{rows}[0];
			return $self->created($s, $oid);
		});
	return $oid;
}

# As the others, or with its columns in another order, one dropped among them.
sub first_partition
{
	my ($self, $q, $leaf, @cols) = @_;
	my $bounds = 'FOR VALUES WITH (MODULUS 2, REMAINDER 0)';

	return "CREATE TABLE $leaf PARTITION OF $q $bounds" if chance(0.4);
	my @shuffled = sort { $a->{order} <=> $b->{order} } map {
		{ %$_, order => rand }
	} @cols;
	my $gone = { name => odd_name('gone'), sql => 'text', notnull => 0 };
	splice @shuffled, rand(@shuffled), 0, $gone;
	$self->count('ddl', 'attach a table with another order of columns');
	return (
		"CREATE TABLE $leaf (" . join(', ', map { $self->column_sql($_) } @shuffled) . ')',
		"ALTER TABLE $leaf DROP COLUMN " . ident($gone->{name}),
		"ALTER TABLE $q ATTACH PARTITION $leaf $bounds");
}

sub created
{
	my ($self, $s, $oid) = @_;
	my $t      = $self->describe($s, $oid);
	my @copied = map {
		my $as = $self->describe($s, $_->{oid});
		[   $as->{schema}, $as->{name},
			cols  => $as->{shown},
			key   => $as->{key},
			blind => $as->{blind},
			first => $self->rows_of($s, $as) ]
	} $self->copied($t);
	return sub { my ($copy) = @_; $copy->create(@$_) for @copied; };
}

sub forgotten
{
	my ($self, $t) = @_;
	return $self->on_copies($t, sub { $_[0]->drop($_[1]{schema}, $_[1]{name}) });
}

# Into one publication or both, perhaps not all rows, perhaps not all columns.
sub publish
{
	my ($self, $q, $plain, $key, $full, @cols) = @_;
	my @filtered = grep { $_->{type} && $filters{ $_->{type} } } $full ? @cols : @$key;
	my %key      = map  { $_->{name} => 1 } @$key;
	my @listed   = grep { $key{ $_->{name} } || chance(0.6) } @cols;
	my $whole    = $plain || $self->{via_root};
	my $list =
	  $whole && !$full && @listed && chance(0.4) ? ' (' . idents(map { $_->{name} } @listed) . ')' : '';
	my @publications = any([0], [1], [ 0, 1 ]);

	$self->count('publication', @{ $publications[0] } == 2 ? 'two' : 'one');
	$self->count('publication', 'column list') if $list;
	return map {
		my $filter = '';
		if (@filtered && $whole && chance(0.6))
		{
			my $col = any(@filtered);
			$filter = ' WHERE (' . any(@{ $filters{ $col->{type} } }) . ')';
			$filter =~ s/%/ident($col->{name})/ge;
			$self->count('publication', 'row filter');
		}
		'ALTER PUBLICATION ' . ident($self->{publications}[$_]) . " ADD TABLE $q$list$filter"
	} @{ $publications[0] };
}

sub storage
{
	my ($self, $q, @cols) = @_;
	return map {
			"ALTER TABLE $q ALTER COLUMN "
		  . ident($_->{name})
		  . ' SET STORAGE '
		  . any('EXTERNAL', 'EXTENDED', 'MAIN')
	  }
	  grep { is_large_type($_->{type}) && $_->{type} ne 'numeric' || $_->{type} eq 'text' } @cols;
}

1;
