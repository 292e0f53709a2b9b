# DDL, and what it means for the copies.
package Wal2Kafka::Generator::Ddl;

use strict;
use warnings;

use parent 'Wal2Kafka::Generator::Rows';
use List::Util qw(first);
use Wal2Kafka::Generator::Types
  qw(any chance quote ident idents unhex type_names key_types value is_large_type odd_name);

# --- DDL ---

my @ddl = (
	[   8,
		'add column',
		sub {
			my ($self, $s, $t) = @_;
			my $col = { %{ $self->new_column(type_names()) }, notnull => 0 };
			return [ "ALTER TABLE $t->{q} ADD COLUMN " . $self->column_sql($col) ],
			  $t->{list} ? sub { } : sub {
				$self->on_copies($t, sub { $_[0]->add_column($_[1], $col->{name}, undef) });
			  };
		}
	],
	[   8,
		'add column with a constant default',
		sub {
			my ($self, $s, $t) = @_;
			my $col   = $self->new_column(type_names());
			my $value = value($col->{type});
			my $text  = $self->texts_of($s, "$value\::$col->{sql}") || return;
			return [ "ALTER TABLE $t->{q} ADD COLUMN " . $self->column_sql($col) . " DEFAULT $value" ],
			  $t->{list} ? sub { } : sub {
				$self->on_copies($t, sub { $_[0]->add_column($_[1], $col->{name}, $text->[0]) });
			  };
		}
	],
	[   3,
		'add column with a volatile default',
		sub {
			my ($self, $s, $t) = @_;
			my $name = odd_name('v');
			return [
				"ALTER TABLE $t->{q} ADD COLUMN " . ident($name) . ' text DEFAULT clock_timestamp()::text' ],
			  $t->{list} ? sub { } : sub {
				$self->with_rows(
					$s, $t,
					sub {
						my ($copy, $table, $rows) = @_;
						$copy->add_column($table, $name, undef);
						$copy->recopy($table, $rows, $name);
					});
			  };
		}
	],
	[   6,
		'drop column',
		sub {
			my ($self, $s, $t) = @_;
			my %keep = map { $_ => 1 } map { @{ $_->{cols} } } @{ $t->{unique} };
			my $col  = any(grep { !$keep{ $_->{name} } } @{ $t->{cols} }) // return;
			return if @{ $t->{cols} } < 3 || (grep { $_->{generated} } @{ $t->{cols} }) && !$col->{generated};
			return if $t->{kind} eq 'p'                                                 && !@{ $t->{pk} };
			return [ "ALTER TABLE $t->{q} DROP COLUMN " . ident($col->{name}) ],
			  !$self->shows($t, $col) ? sub { } : sub {
				$self->on_copies($t, sub { $_[0]->drop_column($_[1], $col->{name}) });
			  };
		}
	],
	[   7,
		'rename column',
		sub {
			my ($self, $s, $t) = @_;
			my $col = any(@{ $t->{cols} }) // return;
			my $to  = odd_name('r');
			return [ "ALTER TABLE $t->{q} RENAME COLUMN " . ident($col->{name}) . ' TO ' . ident($to) ],
			  !$self->shows($t, $col) ? sub { } : sub {
				$self->on_copies($t, sub { $_[0]->rename_column($_[1], $col->{name}, $to) });
			  };
		}
	],
	[   7,
		'change type',
		sub {
			my ($self, $s, $t) = @_;
			return if $t->{cascades} || grep { $_->{generated} } @{ $t->{cols} };
			my %wider = (
				int2      => 'int4',
				int4      => 'int8',
				int8      => 'numeric',
				varchar   => 'text',
				text      => 'varchar_wide',
				date      => 'timestamp',
				float4    => 'float8',
				domain    => 'int4',
				numeric_2 => 'numeric',
				enum      => 'text',
				json      => 'jsonb');
			my $col = any(grep { $wider{ $_->{type} } } @{ $t->{cols} }) // return;
			return if $t->{kind} eq 'p' && (!@{ $t->{pk} } || grep { $_ eq $col->{name} } @{ $t->{pk} });
			my $to  = $wider{ $col->{type} };
			my $sql = $to eq 'varchar_wide' ? 'text' : Wal2Kafka::Generator::Types::sql_of($to);
			my $using =
			  chance(0.3)
			  && $sql eq 'text'
			  ? " USING '>' || " . ident($col->{name}) . '::text'
			  : ' USING ' . ident($col->{name}) . "::$sql";
			return [ "ALTER TABLE $t->{q} ALTER COLUMN " . ident($col->{name}) . " TYPE $sql$using" ], sub {
				$self->with_rows($s, $t, sub { $_[0]->recopy($_[1], $_[2], $col->{name}) });
			};
		}
	],
	[   6,
		'rename table',
		sub {
			my ($self, $s, $t) = @_;
			my $leaf = any(@{ $t->{leaves} }, $t);
			my $to   = odd_name('n');
			return ['ALTER TABLE '
				  . ident($leaf->{schema}) . '.'
				  . ident($leaf->{name})
				  . ' RENAME TO '
				  . ident($to) ], !$self->is_copied($t, $leaf->{oid})
			  ? sub { }
			  : sub {
				sub { $_[0]->rename($leaf->{schema}, $leaf->{name}, $leaf->{schema}, $to) }
			  };
		}
	],
	[   4,
		'move to another schema',
		sub {
			my ($self, $s, $t) = @_;
			my $leaf = any(@{ $t->{leaves} }, $t);
			my $to   = $self->schema_name($s, any(@{ $self->{schemas} }));
			return if $to eq $leaf->{schema};
			return ['ALTER TABLE '
				  . ident($leaf->{schema}) . '.'
				  . ident($leaf->{name})
				  . ' SET SCHEMA '
				  . ident($to) ], !$self->is_copied($t, $leaf->{oid})
			  ? sub { }
			  : sub {
				sub { $_[0]->rename($leaf->{schema}, $leaf->{name}, $to, $leaf->{name}) }
			  };
		}
	],
	[   3,
		'rename schema',
		sub {
			my ($self, $s) = @_;
			my $from = $self->schema_name($s, any(@{ $self->{schemas} }));
			my $to   = odd_name('s');
			return [ 'ALTER SCHEMA ' . ident($from) . ' RENAME TO ' . ident($to) ], sub {
				sub { $_[0]->rename_schema($from, $to) }
			};
		}
	],
	[   8,
		'replica identity',
		sub {
			my ($self, $s, $t) = @_;
			my $index = $t->{alone} && first
			{
				my %in = map { $_ => 1 } @{ $_->{cols} };
				!grep { $in{ $_->{name} } && !$_->{notnull} } @{ $t->{cols} }
			} @{ $t->{unique} };
			my $to = any(
				'FULL',
				@{ $t->{pk} } || $t->{alone}   ? 'DEFAULT'           : (),
				$index                         ? ('USING INDEX') x 2 : (),
				$t->{alone} && !$t->{cascades} ? 'NOTHING'           : ());
			return [
				map {
						'ALTER TABLE '
					  . ident($_->{schema}) . '.'
					  . ident($_->{name})
					  . " REPLICA IDENTITY $to"
					  . ($to eq 'USING INDEX' ? ' ' . ident($index->{name}) : '')
				} @{ $t->{leaves} } ],
			  sub { $self->new_identity($s, $t) };
		}
	],
	[   3,
		'unique index as identity',
		sub {
			my ($self, $s, $t) = @_;
			return if !$t->{alone};
			my %can = map { $_ => 1 } key_types();
			my $col =
			  any(grep { $_->{notnull} && $can{ $_->{type} // '' } && !$_->{generated} } @{ $t->{cols} })
			  // return;
			my $name = odd_name('i');
			return [
				'CREATE UNIQUE INDEX ' . ident($name) . " ON $t->{q} (" . ident($col->{name}) . ')',
				"ALTER TABLE $t->{q} REPLICA IDENTITY USING INDEX " . ident($name) ],
			  sub { $self->new_identity($s, $t) };
		}
	],
	[   3,
		'drop primary key',
		sub {
			my ($self, $s, $t) = @_;
			return if !$t->{alone} || !@{ $t->{pk} } || $t->{identity} eq 'i' || $t->{cascades};
			return ["DO \$gen\$ BEGIN EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', "
				  . quote($t->{q})
				  . ", (SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = $t->{oid} AND contype = 'p')); END \$gen\$"
			  ],
			  sub { $self->new_identity($s, $t) };
		}
	],
	[   3,
		'add primary key',
		sub {
			my ($self, $s, $t) = @_;
			return if !$t->{alone} || @{ $t->{pk} } || $t->{identity} eq 'i';
			my %can = map { $_ => 1 } key_types();
			my $col =
			  any(grep { $can{ $_->{type} // '' } && $_->{notnull} && !$_->{generated} } @{ $t->{cols} })
			  // return;
			return [ "ALTER TABLE $t->{q} ADD PRIMARY KEY (" . ident($col->{name}) . ')' ],
			  sub { $self->new_identity($s, $t) };
		}
	],
	[   5,
		'detach or attach a partition',
		sub {
			my ($self, $s, $t) = @_;
			return if $t->{kind} ne 'p';
			my $key   = "$t->{oid}";
			my $child = $self->{detached}{$key};
			if (defined $child && (my $c = $self->describe($s, $child)))
			{
				return if $c->{part};
				return [
					"ALTER TABLE $t->{q} ATTACH PARTITION $c->{q} FOR VALUES WITH (MODULUS 2, REMAINDER 0)"],
				  sub { $self->moved_partition($s, $t, $child, 1) };
			}
			my $leaf = $t->{leaves}[0];
			$self->{detached}{$key} = $leaf->{oid};
			push @{ $self->{oids} }, $leaf->{oid};
			return ["ALTER TABLE $t->{q} DETACH PARTITION "
				  . ident($leaf->{schema}) . '.'
				  . ident($leaf->{name}) ],
			  sub { $self->moved_partition($s, $t, $leaf->{oid}, 0) };
		}
	],
	[   3,
		'drop table and create it again',
		sub {
			my ($self, $s, $t) = @_;
			return if !$t->{alone};
			my $made;
			return [ "DROP TABLE $t->{q}", "CREATE TABLE $t->{q} (id int PRIMARY KEY, \"new one\" text)" ],
			  sub {
				$s->run('SELECT ' . quote($t->{q}) . '::regclass::oid') or die "regclass: $s->{state}\n";
				push @{ $self->{oids} }, $s->{rows}[0];
				my $create = $self->created($s, $s->{rows}[0]);
				my $forget = $self->forgotten($t);
				return sub { my ($copy) = @_; $forget->($copy); $create->($copy); };
			  };
		}
	],
	[   2,
		'drop table',
		sub {
			my ($self, $s, $t) = @_;
			return if !$t->{alone} || @{ $self->{oids} } < 2;
			return ["DROP TABLE $t->{q}"], sub { $self->forgotten($t) };
		}
	],
	[   4,
		'rename a label of an enum',
		sub {
			my ($self, $s) = @_;
			$s->run("SELECT enumlabel FROM pg_enum WHERE enumtypid = 'gen.shifting'::regtype")
			  or die "labels: $s->{state}\n";
			my $from = any(@{ $s->{rows} });
			my $to   = 'label_' . (10 + ++$self->{labels});
			return ["ALTER TYPE gen.shifting RENAME VALUE '$from' TO '$to'"], sub {
				sub { $_[0]->rename_label($from, $to) }
			};
		}
	],
	[   2,
		'add a label to an enum',
		sub {
			my ($self, $s) = @_;
			$s->run("SELECT enumlabel FROM pg_enum WHERE enumtypid = 'gen.shifting'::regtype"
				  . ' ORDER BY enumsortorder DESC LIMIT 1')
			  or die "labels: $s->{state}\n";
			return ["ALTER TYPE gen.shifting ADD VALUE 'label_"
				  . (10 + ++$self->{labels})
				  . "' AFTER '$s->{rows}[0]'" ], sub { undef };
		}
	],
	[   6,
		'into or out of a publication',
		sub {
			my ($self, $s, $t) = @_;
			return if !@{ $self->{publications} } || ($t->{kind} eq 'r' && !$t->{alone});

			# or what others have not committed would be before and behind it
			my @statements = "LOCK TABLE $t->{q} IN ACCESS EXCLUSIVE MODE";
			push @statements,
			  map { 'ALTER PUBLICATION ' . ident($_) . " DROP TABLE $t->{q}" }
			  $self->publications_with($s, $t);
			my %key = map { $_ => 1 } @{ $t->{key} };
			push @statements,
			  $self->publish(
				$t->{q},
				$t->{kind} eq 'r',
				[ grep { $key{ $_->{name} } } @{ $t->{cols} } ],
				$t->{identity} eq 'f',
				@{ $t->{writable} }) if !$t->{published} || chance(0.5);
			my $forget = $self->forgotten($t);
			return \@statements, sub {
				my $create = $self->created($s, $t->{oid});
				return sub { $forget->($_[0]); $create->($_[0]); };
			};
		}
	],
	[   3,
		'storage and defaults',
		sub {
			my ($self, $s, $t) = @_;
			my $col = any(@{ $t->{writable} }) // return;
			return [
				is_large_type($col->{type} // '')
				  && $col->{type} ne 'numeric' && chance(0.5)
				? $self->storage($t->{q}, $col)
				: "ALTER TABLE $t->{q} ALTER COLUMN "
				  . ident($col->{name})
				  . ' SET DEFAULT '
				  . value($col->{type} // return) ],
			  sub { undef };
		}
	],
	[   2,
		'rewrite without a change',
		sub {
			my ($self, $s, $t) = @_;
			return if $t->{kind} ne 'r';
			my $index = any(@{ $t->{unique} });
			return if $s->{in_transaction} && !$index;
			$self->statement(
				$s,
				'ddl: rewrite without a change',
				$index ? "CLUSTER $t->{q} USING " . ident($index->{name}) : "VACUUM FULL $t->{q}");
			return [];
		}
	],
	[   3,
		'create table in mid-stream',
		sub {
			my ($self, $s) = @_;
			my $oid = $self->make_table($s);
			if ($oid)
			{
				push @{ $self->{oids} }, $oid;
				$self->count('ddl', 'create table in mid-stream');
			}
			return [];
		}
	],);

sub publications_with
{
	my ($self, $s, $t) = @_;
	$s->run('SELECT gen.hex(pubname) FROM pg_publication p JOIN pg_publication_rel ON prpubid = p.oid'
		  . " WHERE prrelid = $t->{oid} ORDER BY pubname")
	  or die "publications: $s->{state}\n";
	return map { unhex($_) } @{ $s->{rows} };
}

# A partition comes or goes: where the table is published, so are its rows.
sub moved_partition
{
	my ($self, $s, $t, $oid, $comes) = @_;
	return if !@{ $self->{publications} } || !$t->{published};
	my $leaf = $self->describe($s, $oid);
	if (!$self->{via_root})
	{
		return $self->created($s, $oid) if $comes;
		return sub { $_[0]->drop($leaf->{schema}, $leaf->{name}) };
	}
	my $where = $self->filter_of($s, $t);
	my $rows  = $s->copy_rows('SELECT ' . idents(@{ $t->{shown} }) . " FROM $leaf->{q} WHERE $where")
	  // die "rows: $s->{state}\n";
	return $self->on_copies($t, sub { $_[0]->move_rows($_[1], $rows, $comes) });
}

sub schema_name
{
	my ($self, $s, $schema) = @_;
	$s->run("SELECT gen.hex(nspname) FROM pg_namespace WHERE oid = $schema->{oid}")
	  or die "schema: $s->{state}\n";
	return unhex($s->{rows}[0]);
}

sub ddl { return @ddl; }

1;
