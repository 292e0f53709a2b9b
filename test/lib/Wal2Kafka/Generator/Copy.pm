# A strict consumer of the five contract fields that keeps its tables in memory,
# and the operator beside it, who does to the copy what no record tells: DDL.
#
# A table is found by its topic (here: schema and name).  An Insert is an upsert
# by the copy's key, Update and Delete find their row by the key's columns in
# OLD, or by the whole OLD row where the copy has no key.
package Wal2Kafka::Generator::Copy;

use strict;
use warnings;

# A value that no record held, where the contract says so.
our $LOST = \'lost';

sub new
{
	my ($class) = @_;
	return bless { tables => {}, alias => {}, position => {}, count => {} }, $class;
}

sub count { my ($self, $what, $n) = @_; $self->{count}{$what} += $n // 1; return; }

sub text { my ($value) = @_; return defined $value ? ref $value ? '(lost)' : "'$value'" : 'null'; }
sub same { my ($a, $b) = @_; return defined $a ? defined $b && $a eq $b : !defined $b; }

# --- tables ---

# What was begun under a schema's old name goes to its new one.
sub schema_now
{
	my ($self, $schema) = @_;
	$schema = $self->{alias}{$schema} while exists $self->{alias}{$schema};
	return $schema;
}

sub id
{
	my ($self, $schema, $name) = @_;
	return $self->schema_now($schema) . "\0$name";
}

sub table
{
	my ($self, $schema, $name) = @_;
	return $self->{tables}{ $self->id($schema, $name) }
	  // die "the copy has no table \"$schema\".\"$name\"\n";
}

sub tables
{
	my ($self) = @_;
	return map { $self->{tables}{$_} } sort keys %{ $self->{tables} };
}

# --- what a record does ---

sub apply
{
	my ($self, $schema, $json) = @_;
	my $table = $self->table($schema, $json->{table_name});
	my ($op, $rows) = %{ $json->{op} };
	my @position = (${ $json->{lsn} }, ${ $json->{seq_id} });
	my $last     = $self->{position}{"$schema\0$json->{table_name}"} // [ 0, -1 ];

	# not greater than the last: a consumer drops it in silence
	die "position @position after @$last\n"
	  if $position[0] < $last->[0] || ($position[0] == $last->[0] && $position[1] <= $last->[1]);
	$self->{position}{"$schema\0$json->{table_name}"} = \@position;

	my ($old, $new) = $op eq 'Update' ? @$rows : $op eq 'Delete' ? ($rows) : (undef, $rows);
	my %old = $old ? pairs($json->{col_names}, $old) : ();
	my %new = $new ? pairs($json->{col_names}, $new) : ();

	return $self->insert($table, \%new) if $op eq 'Insert';
	if ($table->{blind})
	{
		push @{ $table->{unmatched} }, $new ? \%new : undef;
		die "OLD of a table without identity is known\n" if grep { defined } values %old;
		return;
	}
	my $at = $self->find($table, \%old, 1);
	return splice @{ $table->{rows} }, $at, 1 if $op eq 'Delete';
	my $row = $table->{rows}[$at];
	$row->{$_} = $new{$_} for keys %new;
	return;
}

# Labels of enums that have been renamed.  A transaction that was under way then
# still tells the old one; the copy has the new one.
my %labels;

sub label_now
{
	my ($label) = @_;
	$label = $labels{$label} while exists $labels{$label};
	return $label;
}

sub value_now
{
	my ($value) = @_;
	$value =~ s/\b(label_\d+)\b/label_now($1)/ge if %labels && defined $value && !ref $value;
	return $value;
}

sub rename_label
{
	my ($self, $from, $to) = @_;
	$labels{$from} = $to;
	for my $row (map { @{ $_->{rows} } } $self->tables)
	{
		$_ = value_now($_) for values %$row;
	}
	return;
}

sub pairs
{
	my ($names, $row) = @_;
	return map { $names->[$_] => value_now($row->[$_]) } 0 .. $#$names;
}

sub insert
{
	my ($self, $table, $new) = @_;
	my $at;

	if (@{ $table->{key} } && !$table->{blind})
	{
		$at = $self->find($table, $new, 0);
		die "Insert of a row that is there\n" if defined $at;
	}

	# an upsert gives what is missing no value; see check_columns() for when
	push @{ $table->{rows} }, { map { $_ => exists $new->{$_} ? $new->{$_} : $LOST } @{ $table->{cols} } };
	return;
}

# The index of the row, by the key or by all of OLD.
sub find
{
	my ($self, $table, $old, $must) = @_;
	my @by = @{ $table->{key} } ? @{ $table->{key} } : sort keys %$old;
	my $loose;

	for my $name (@by)
	{
		die "OLD lacks \"$name\"\n" if !exists $old->{$name};
	}
	die "an OLD without values\n" if $must && !grep { defined $old->{$_} } @by and @{ $table->{key} };
	for my $at (0 .. $#{ $table->{rows} })
	{
		my $row  = $table->{rows}[$at];
		my $lost = 0;
		next       if grep { ref $row->{$_} ? !++$lost : !same($row->{$_}, $old->{$_}) } @by;
		return $at if !$lost;
		$loose //= $at;
	}
	return $loose if defined $loose;
	die 'no such row: ' . join(', ', map { "$_ " . substr text($old->{$_}), 0, 60 } @by) . "\n" if $must;
	return undef;
}

# --- what the operator does ---

sub create
{
	my ($self, $schema, $name, %table) = @_;
	my $id = $self->id($schema, $name);
	die "the copy has table \"$schema\".\"$name\"\n" if $self->{tables}{$id};

	# the lists of an operation are used again by the next copy
	$self->{tables}{$id} = {
		schema    => $self->schema_now($schema),
		name      => $name,
		unmatched => [],
		blind     => $table{blind},
		cols      => [ @{ $table{cols} } ],
		key       => [ @{ $table{key} } ],
		rows      => [
			map {
				{ pairs($table{cols}, $_) }
			} @{ $table{first} // [] } ] };
	return;
}

sub drop
{
	my ($self, $schema, $name) = @_;
	$self->table($schema, $name);
	delete $self->{tables}{ $self->id($schema, $name) };
	return;
}

sub rename
{
	my ($self, $schema, $name, $to_schema, $to_name) = @_;
	my $table = $self->table($schema, $name);
	delete $self->{tables}{ $self->id($schema, $name) };
	@$table{qw(schema name)} = ($self->schema_now($to_schema), $to_name);
	$self->{tables}{ $self->id($to_schema, $to_name) } = $table;
	return;
}

sub rename_schema
{
	my ($self, $from, $to) = @_;
	my @tables = grep { $self->id($_->{schema}, '') eq $self->id($from, '') } $self->tables;
	delete $self->{tables}{ $self->id($_->{schema}, $_->{name}) } for @tables;
	$self->{alias}{$from} = $to;
	for (@tables)
	{
		$_->{schema} = $to;
		$self->{tables}{ $self->id($to, $_->{name}) } = $_;
	}
	return;
}

sub add_column
{
	my ($self, $table, $name, $value) = @_;
	push @{ $table->{cols} }, $name;
	$_->{$name} = $value for @{ $table->{rows} };
	return;
}

sub drop_column
{
	my ($self, $table, $name) = @_;
	@{ $table->{cols} } = grep { $_ ne $name } @{ $table->{cols} };
	delete $_->{$name} for @{ $table->{rows} };
	return;
}

sub rename_column
{
	my ($self, $table, $from, $to) = @_;
	$_ eq $from and $_ = $to for @{ $table->{cols} }, @{ $table->{key} };
	$_->{$to}          = delete $_->{$from} for @{ $table->{rows} };
	return;
}

# No key and not FULL: what an update or delete did cannot be known.
sub set_identity
{
	my ($self, $table, $blind, @key) = @_;
	$table->{blind} = $blind;
	$table->{key}   = [@key];
	return;
}

# Statements on a blind table: the records must tell all new rows in order, and
# the operator puts right which rows they replace.
sub mend
{
	my ($self, $table, $before, $after) = @_;
	my @cols = @{ $table->{cols} };
	my @told = splice @{ $table->{unmatched} };
	my @new  = map {
		{ pairs(\@cols, $_) }
	} @$after;

	die 'records ' . @told . ', rows ' . @$before . "\n" if @told != @$before;
	for my $old (@$before)
	{
		my $keyless = { %$table, key => [] };
		splice @{ $table->{rows} }, $self->find($keyless, { pairs(\@cols, $old) }, 1), 1;
	}
	for my $i (0 .. $#new)
	{
		die "Delete for an Update\n" if !$told[$i];
		for my $name (grep { !same($told[$i]{$_}, $new[$i]{$_}) } sort keys %{ $told[$i] })
		{
			die "column \"$name\" is " . text($told[$i]{$name}) . ', not ' . text($new[$i]{$name}) . "\n";
		}
		push @{ $table->{rows} }, $new[$i];
	}
	die "Update for a Delete\n" if !@new && grep { defined } @told;
	$self->count('rows of tables without identity mended', scalar @$before);
	return;
}

# After a rewrite under an exclusive lock: the columns @changed are copied again,
# all others must be what they are in the source.
sub recopy
{
	my ($self, $table, $rows, @changed) = @_;
	my %changed = map { $_ => 1 } @changed;

	$self->compare($table, $rows, grep { !$changed{$_} } @{ $table->{cols} });
	$table->{rows} = [
		map {
			{ pairs($table->{cols}, $_) }
		} @$rows ];
	$self->count('tables copied again after a rewrite');
	return;
}

# Rows that come or go with a partition.
sub move_rows
{
	my ($self, $table, $rows, $come) = @_;
	for (
		map {
			{ pairs($table->{cols}, $_) }
		} @$rows)
	{
		if ($come) { push @{ $table->{rows} }, $_; next; }
		splice @{ $table->{rows} }, $self->find({ %$table, key => [] }, $_, 1), 1;
	}
	return;
}

sub truncate
{
	my ($self, $table) = @_;
	$self->count('tables emptied by TRUNCATE');
	$table->{rows} = [];
	return;
}

# --- the oracle ---

# The copy's rows, in whatever order, against the source's; a lost value is
# equal to any, and counted.
sub compare
{
	my ($self, $table, $rows, @cols) = @_;
	my $name = "\"$table->{schema}\".\"$table->{name}\"";
	my @mine = @{ $table->{rows} };
	my (%exact, @rest);

	die "$name: unmatched changes\n" if @{ $table->{unmatched} };
	for my $row (@mine)
	{
		if (grep { ref $row->{$_} } @cols)
		{
			push @rest, $row;
			next;
		}
		push @{ $exact{ join "\0", map { text($row->{$_}) } @cols } }, $row;
	}
	my @unmatched;
	for my $fields (@$rows)
	{
		my %source = pairs($table->{cols}, $fields);
		my $id     = join "\0", map { text($source{$_}) } @cols;
		$self->count('values compared', scalar @cols);
		if ($exact{$id} && @{ $exact{$id} }) { pop @{ $exact{$id} }; next; }
		push @unmatched, \%source;
	}
	for my $source (@unmatched)
	{
		my ($at) = grep {
			my $row = $rest[$_];
			!grep { !ref $row->{$_} && !same($row->{$_}, $source->{$_}) } @cols
		} 0 .. $#rest;
		die "$name: not in the copy: "
		  . show($source, @cols)
		  . 'the copy has '
		  . join('', map { show($_, @cols) } (map { @$_ } values %exact), @rest) . "\n"
		  if !defined $at;
		my $row = splice @rest, $at, 1;
		$self->count('values lost by a key change', scalar grep { ref $row->{$_} } @cols);
	}
	my @left = (@rest, map { @$_ } values %exact);
	die "$name: only in the copy: " . join('', map { show($_, @cols) } @left) . "\n" if @left;
	$self->count('rows compared', scalar @$rows);
	return;
}

sub show
{
	my ($row, @cols) = @_;
	return join(', ', map { substr("$_ " . text($row->{$_}), 0, 160) } @cols) . "\n  ";
}

1;
