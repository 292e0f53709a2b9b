# Statements that write rows.
package Wal2Kafka::Generator::Rows;

use strict;
use warnings;

use parent 'Wal2Kafka::Generator::Tables';
use Wal2Kafka::Test;
use Wal2Kafka::Generator::Types qw(any chance between quote ident idents value is_large_type);

# --- rows ---

sub row_values
{
	my ($self, $t, @cols) = @_;
	my %key = map { $_ => 1 } @{ $t->{pk} }, map { @{ $_->{cols} } } @{ $t->{unique} };
	return '(' . join(', ', map { $self->any_value($_, $key{ $_->{name} }) } @cols) . ')';
}

# Some columns or all, those that must be given among them.
sub some_columns
{
	my ($t)   = @_;
	my $share = any(1, 1, 0.5);
	my @cols  = grep { $_->{notnull} || chance($share) } @{ $t->{writable} };
	return @cols ? @cols : @{ $t->{writable} };
}

sub rows_where
{
	my ($t, $count) = @_;
	return
		"(tableoid, ctid) IN (SELECT tableoid, ctid FROM $t->{q} OFFSET "
	  . int(rand 3)
	  . ' LIMIT '
	  . ($count // any(1, 1, 1, 2, 4)) . ')';
}

sub set_clause
{
	my ($self, $t, $what) = @_;
	my %key   = map  { $_ => 1 } @{ $t->{key} }, @{ $t->{pk} }, map { @{ $_->{cols} } } @{ $t->{unique} };
	my @key   = grep { $key{ $_->{name} } } @{ $t->{writable} };
	my @rest  = grep { !$key{ $_->{name} } } @{ $t->{writable} };
	my @small = grep { !is_large_type($_->{type} // '') } @rest;
	my @set =
		$what eq 'key'   ? any(@key)
	  : $what eq 'small' ? any(@small)
	  : (any(@rest), any(@rest), $what eq 'all' ? @rest : ());

	@set = grep { defined } @set;
	return if !@set;
	my %once;
	return join ', ', map {
		ident($_->{name}) . ' = '
		  . ($what eq 'same' ? ident($_->{name}) : $self->any_value($_, $key{ $_->{name} }))
	  }
	  grep { !$once{ $_->{name} }++ } @set;
}

# Changes of a table without identity are told to the operator.
sub blind
{
	my ($self, $s, $kind, $t, $where, $sql) = @_;
	my $cols   = idents(@{ $t->{shown} });
	my $before = $s->copy_rows("SELECT $cols FROM $t->{q} WHERE $where")
	  // return $self->failed($s, $kind, $where);
	return if !@$before;
	return $self->together(
		$s, $kind,
		["COPY ($sql WHERE $where RETURNING $cols) TO STDOUT"],
		sub {
			my $after = $kind =~ /delete/ ? [] : $s->copied;
			return $self->on_copies($t,
				sub { my ($copy, $table) = @_; $copy->mend($table, $before, $after); });
		});
}

# --- the statements, with how likely they are ---

my @dml = (
	[   12, 'insert',
		sub {
			my ($self, $s, $t) = @_;
			my @cols = some_columns($t);
			return
				"INSERT INTO $t->{q} ("
			  . idents(map { $_->{name} } @cols)
			  . ') VALUES '
			  . $self->row_values($t, @cols);
		}
	],
	[ 12, 'insert of several rows', \&insert_rows ],
	[   4,
		'insert select',
		sub {
			my ($self, $s, $t) = @_;
			my @cols = @{ $t->{writable} };
			my @key  = map { @{ $_->{cols} } } @{ $t->{unique} };
			return "INSERT INTO $t->{q} (" . idents(map { $_->{name} } @cols) . ') SELECT ' . join(
				', ',
				map {
					my $name = $_->{name};
					(grep { $_ eq $name } @key) ? value($_->{type}) . "::$_->{sql}" : ident($name)
				} @cols)
			  . " FROM $t->{q} OFFSET "
			  . int(rand 4)
			  . ' LIMIT 1';
		}
	],
	[ 5, 'copy',   \&copy_statement ],
	[ 8, 'update', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update', 'rest'); } ],
	[   8,
		'update beside large values',
		sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update beside large values', 'small'); }
	],
	[   4,
		'update of everything',
		sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update of everything', 'all'); } ],
	[   3,
		'update to the same',
		sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update to the same', 'same'); } ],
	[   8,
		'update of the key',
		sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update of the key', 'key'); } ],
	[   6, 'delete',
		sub {
			my ($self, $s, $t) = @_;
			my $where = chance(0.1) ? 'true' : rows_where($t);
			$self->count('statement', 'delete that may cascade') if $t->{cascades};
			return "DELETE FROM $t->{q} WHERE $where"            if !$t->{blind};
			$self->blind($s, 'statement: delete', $t, $where, "DELETE FROM $t->{q}");
			return;
		}
	],
	[   6,
		'on conflict',
		sub {
			my ($self, $s, $t) = @_;
			my $key = any(map { $_->{cols} } @{ $t->{unique} }) // return;
			return if $t->{blind};
			my $set   = chance(0.7) ? $self->set_clause($t, any('rest', 'small')) : undef;
			my @cols  = @{ $t->{writable} };
			my $names = idents(map { $_->{name} } @cols);
			my $source =
			  chance(0.6)
			  ? "SELECT $names FROM $t->{q} OFFSET " . int(rand 4) . ' LIMIT 2'
			  : 'VALUES ' . join ', ', map { $self->row_values($t, @cols) } 1 .. 2;
			return
				"INSERT INTO $t->{q} ($names) $source ON CONFLICT ("
			  . idents(@$key) . ') DO '
			  . ($set ? "UPDATE SET $set" : 'NOTHING');
		}
	],
	[   6, 'merge',
		sub {
			my ($self, $s, $t) = @_;
			return if $t->{blind};
			my @cols = @{ $t->{writable} };
			my $set  = $self->set_clause($t, any('rest', 'small', 'key')) // return;
			return
				"MERGE INTO $t->{q} t USING (SELECT n, o, c FROM (VALUES (1), (2), (3)) v(n) LEFT JOIN"
			  . " (SELECT row_number() OVER () AS r, tableoid AS o, ctid AS c FROM $t->{q} LIMIT 2) x ON r = n) s"
			  . ' ON t.tableoid = s.o AND t.ctid = s.c'
			  . (chance(0.5) ? ' WHEN MATCHED AND s.n = 2 THEN DELETE' : '')
			  . " WHEN MATCHED THEN UPDATE SET $set WHEN NOT MATCHED THEN INSERT ("
			  . idents(map { $_->{name} } @cols)
			  . ') VALUES '
			  . $self->row_values($t, @cols);
		}
	],
	[   3,
		'truncate',
		sub {
			my ($self, $s, $t) = @_;
			my @tables = (
				$t,
				chance(0.4)
				? grep { $_ && $_->{oid} != $t->{oid} && $_->{name} ne $t->{name} } $self->any_table($s)
				: ());
			return if @{ $self->{publications} } && grep { $_->{part} } @tables;
			$self->together(
				$s,
				'statement: truncate',
				[       'TRUNCATE '
					  . join(', ', map { $_->{q} } @tables)
					  . any('', ' CASCADE', ' RESTART IDENTITY') ],
				sub {
					my @code = map {
						$self->on_copies($_, sub { my ($copy, $table) = @_; $copy->truncate($table); })
					} @tables;
					return sub { my ($copy) = @_; $_->($copy) for @code; };
				});
			return;
		}
	],
	[   3,
		'subtransactions',
		sub {
			my ($self, $s, $t) = @_;
			return if $t->{blind};
			my $set  = $self->set_clause($t, any('rest', 'small')) // return;
			my @cols = some_columns($t);
			my $insert =
				"INSERT INTO $t->{q} ("
			  . idents(map { $_->{name} } @cols)
			  . ') VALUES '
			  . $self->row_values($t, @cols);
			return
				"DO \$gen\$ BEGIN FOR i IN 1..@{[ any(2, 3, 70) ]} LOOP BEGIN UPDATE $t->{q} SET $set WHERE "
			  . rows_where($t, 2)
			  . "; IF i % 2 = 0 THEN $insert; PERFORM 1 / 0; END IF; EXCEPTION WHEN division_by_zero OR unique_violation"
			  . ' OR check_violation THEN NULL; END; END LOOP; END $gen$';
		}
	],);

sub insert_rows
{
	my ($self, $s, $t) = @_;
	my @cols = some_columns($t);
	return
		"INSERT INTO $t->{q} ("
	  . idents(map { $_->{name} } @cols)
	  . ') VALUES '
	  . join(', ', map { $self->row_values($t, @cols) } 1 .. between(2, 6));
}

sub update
{
	my ($self, $s, $t, $kind, $what) = @_;
	my $set   = $self->set_clause($t, $what) // return;
	my $where = $what eq 'key' ? rows_where($t, 1) : chance(0.15) ? 'true' : rows_where($t);

	if ($t->{blind})
	{
		$self->blind($s, "statement: $kind", $t, $where, "UPDATE $t->{q} SET $set");
		return;
	}
	return "UPDATE $t->{q} SET $set WHERE $where";
}

# Through a file of the server's: lines in the pipe would be commands if the
# COPY did not even begin.
sub copy_statement
{
	my ($self, $s, $t) = @_;
	my @cols = @{ $t->{writable} };
	my %key  = map { $_ => 1 } map { @{ $_->{cols} } } @{ $t->{unique} };
	my @lines;
	for (1 .. between(2, 9))
	{
		my $row = $self->texts_of($s, map { $self->any_value($_, $key{ $_->{name} }) . "::$_->{sql}" } @cols)
		  || return;
		push @lines, join "\t", map {
			my $text = $_ // "\\N";
			$text =~ s/([\\\n\r\t])/\\$1/g if defined $_;
			$text
		} @$row;
	}
	my $file = launch_dir() . '/copy.' . ++$self->{copies};
	spit($file, join '', map { "$_\n" } @lines);
	chmod 0644, $file;
	$self->statement(
		$s,
		'statement: copy',
		"COPY $t->{q} (" . idents(map { $_->{name} } @cols) . ') FROM ' . quote($file));
	unlink $file;
	return;
}

sub dml { return @dml; }

1;
