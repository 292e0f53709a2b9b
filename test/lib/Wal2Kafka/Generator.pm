# Random schemas and workloads, and whether a consumer's copy equals the source.
#
# A case is a few tables with columns of random types and a random workload of
# two sessions whose statements are interleaved.  Its records are read through
# the SQL interface as frames, each is checked by itself, and a strict consumer
# applies the five contract fields.  What no record tells, DDL before all, an
# operator does to the copy at the right place of the stream: behind each such
# statement the workload writes a row into gen.log, whose record says "now".
#
# Where the copy cannot be right by the five fields, by design:
#	- a table without identity (NOTHING, or DEFAULT without a primary key): its
#	  updates and deletes match no row.  The records must still tell every new
#	  row, in order; the operator removes the old ones (Copy::mend).
#	- a key change that leaves a large value alone under a key identity: the
#	  Insert lacks the value and says so.  It may be anything until written again.
#	- TRUNCATE under truncate = skip: the operator empties the table.
#	- a rewrite (ALTER TYPE, volatile default): that one column is copied again,
#	  all others must be equal at that point (Copy::recopy).
# Each is counted, and the story holds the counts to a ceiling.
#
# Two cases in five go through publications: the copy then equals what row
# filters and column lists let see of the tables that are in them, partitions
# under their own names or as their root.
package Wal2Kafka::Generator;

use strict;
use warnings;

use Carp;
use List::Util qw(first max);
use Wal2Kafka::Cluster;
use Wal2Kafka::Generator::Copy;
use Wal2Kafka::Generator::Records qw(read_frame read_json check_record);
use Wal2Kafka::Generator::Session;
use Wal2Kafka::Generator::Types
  qw(any chance between quote type_names key_types value large_value
  type_setup is_large_type odd_name);
use Wal2Kafka::Test;

use constant BATCH => 10;    # cases with the same options, one walsender

# What the text of a value depends on, as the plugin pins it; and no waiting:
# who waits for a lock waits for ever, for the other session does nothing.
my $settings = join ' ', map { "-c $_" } 'lock_timeout=5ms', 'search_path=',
  'DateStyle=ISO,YMD', 'IntervalStyle=postgres', 'TimeZone=UTC', 'bytea_output=hex',
  'extra_float_digits=1', 'lc_monetary=C', 'synchronous_commit=off';

# SQLSTATEs that a random statement may meet.
my %may_fail = map { $_ => 1 } qw(55P03 23505 23502 23503 23514 21000);

my %may_fail_as = (
	42804 => qr/ ATTACH PARTITION /,    # it was altered meanwhile
	'42P01' => qr/ DETACH PARTITION /,         # it is one of a partition
	54000 => qr/ INDEX | ADD PRIMARY KEY /,    # of a large value
	'2BP01' => qr/ DROP C/,                    # a publication or a foreign key needs it
	'0A000' => qr/ TYPE /,                     # likewise
	# by its publications the table needs another identity
	'55000' => qr/UPDATE|DELETE/,
	'42P10' => qr/UPDATE|DELETE/,
);

# Row filters over a column of each of these types, % in its place.
my %filters = (
	bool => [ '%', 'NOT % OR % IS NULL' ],
	(map { $_ => [ '% > 0', '% < 10 OR % IS NULL', '% <> 1' ] } qw(int2 int4 int8 numeric numeric_2 float8)),
	(map { $_ => [ 'length(%) < 8', 'length(%) >= 5', "% > 'b' OR % IS NULL" ] } qw(text varchar)),
	date => [ "% > '1500-01-01'" ],
	uuid => [ "% < '80000000-0000-0000-0000-000000000000'" ],
	bytea => [ 'length(%) > 3' ]);

sub new
{
	my ($class, %self) = @_;
	my $self = bless { %self, ops => [], counts => {}, publications => [] }, $class;
	my $node = $self->{node} = new_server($self->{name} // 'generator',
		conf => "autovacuum = off\nmax_prepared_transactions = 10\nfsync = off\n"
		  . "logical_decoding_work_mem = 64kB\n");

	$self->{reader} = Wal2Kafka::Generator::Session->new($node, 'reader', "$settings -c lock_timeout=0 -c synchronous_commit=on");
	$self->{sessions} = [ map { Wal2Kafka::Generator::Session->new($node, $_, $settings) } qw(a b) ];
	$self->must_run(type_setup());
	$self->must_run(<<'SQL');
CREATE TABLE gen.log (n int PRIMARY KEY);
CREATE FUNCTION gen.hex(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT encode(convert_to(t, 'UTF8'), 'hex') $$;
CREATE FUNCTION gen.junk(seed int, size int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT substr(string_agg(md5(seed || ':' || i), ''), 1, size) FROM generate_series(0, size / 32) i $$;
CREATE FUNCTION gen.describe(t oid, publications text[]) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT concat_ws('|', 'T', gen.hex(nspname), gen.hex(relname), relkind, relispartition)
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = t;
	RETURN QUERY SELECT concat_ws('|', 'C', attnum, gen.hex(attname), gen.hex(format_type(atttypid, atttypmod)),
			attnotnull, attgenerated, attidentity)
		FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
	RETURN QUERY SELECT concat_ws('|', 'I', gen.hex(i.relname), indisprimary, indisreplident,
			(SELECT string_agg(gen.hex(attname), ',' ORDER BY o) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u(k, o)
				JOIN pg_attribute a ON a.attrelid = t AND a.attnum = k))
		FROM pg_index x JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = t AND indisunique ORDER BY indexrelid;
	RETURN QUERY SELECT concat_ws('|', 'F', gen.hex(a.attname), gen.hex(k.attname))
		FROM pg_constraint JOIN pg_attribute a ON a.attrelid = t AND a.attnum = conkey[1]
			JOIN pg_attribute k ON k.attrelid = t AND k.attnum = confkey[1]
		WHERE conrelid = t AND confrelid = t AND contype = 'f' ORDER BY a.attnum;
	-- a column list is the same in all publications
	RETURN QUERY WITH RECURSIVE up(relid) AS (SELECT t UNION ALL SELECT inhparent FROM pg_inherits JOIN up ON inhrelid = relid)
		SELECT concat_ws('|', 'P', coalesce((SELECT string_agg(gen.hex(attname), ',') FROM pg_attribute
				WHERE attrelid = prrelid AND attnum = ANY (prattrs::int2[])), ''))
		FROM up JOIN pg_publication_rel ON prrelid = relid JOIN pg_publication p ON p.oid = prpubid
		WHERE pubname = ANY (publications) ORDER BY pubname;
	-- pg_partition_tree() would wait for locks
	RETURN QUERY WITH RECURSIVE tree(relid) AS (SELECT t UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = relid)
		SELECT concat_ws('|', 'L', c.oid, gen.hex(nspname), gen.hex(relname), relreplident)
		FROM tree JOIN pg_class c ON c.oid = relid JOIN pg_namespace n ON n.oid = relnamespace
		WHERE c.relkind = 'r' ORDER BY c.oid;
END $$;
SQL
	$self->must_run("SELECT pg_create_logical_replication_slot('$_', 'wal2kafka')") for qw(frames lines);
	$self->{copy} = Wal2Kafka::Generator::Copy->new;
	$self->{copy}->create('gen', 'log', cols => ['n'], key => ['n']);
	return $self;
}

sub must_run
{
	my ($self, $sql) = @_;
	$self->{reader}->run($sql) or croak "failed ($self->{reader}{state}): $sql";
	return @{ $self->{reader}{rows} };
}

sub count { my ($self, $group, $kind, $n) = @_; $self->{counts}{$group}{$kind} += $n // 1; return; }

# --- statements: run, remembered, counted ---

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

	$self->count('error', $state);
	$self->count('error in', "$kind $state") if $ENV{GENERATOR_DEBUG};
	die "unexpected error $state in $sql\n" if !$may_fail{$state} && $sql !~ ($may_fail_as{$state} // qr/^never/);
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
	my $alone = !$s->{in_transaction};
	my $savepoint = !$alone && ($s->{forgiving} || @$statements > 1);

	$self->execute($s, 'BEGIN') if $alone;
	$self->execute($s, 'SAVEPOINT together') if $savepoint;
	# psql's own savepoints would hide from copy_failed() what failed
	$s->run('\set ON_ERROR_ROLLBACK off') if $s->{forgiving};
	for my $sql (@$statements)
	{
		next if $self->execute($s, $sql) && !$self->copy_failed($s, $sql);
		my $state = $s->{state};
		$self->execute($s, 'ROLLBACK') if $alone;
		$self->execute($s, 'ROLLBACK TO SAVEPOINT together') if $savepoint;
		$self->execute($s, 'RELEASE SAVEPOINT together') if $savepoint;
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
	$s->run('\set ON_ERROR_ROLLBACK on') if $s->{forgiving};
	$self->execute($s, 'COMMIT') if $alone;
	return $self->succeeded($kind);
}

# psql does not tell an error that comes after a COPY has begun; a transaction
# does.
sub copy_failed
{
	my ($self, $s, $sql) = @_;
	return 0 if $sql !~ /^COPY /;
	my $rows = $s->{rows};
	my $failed = !$s->run('SELECT');
	@$s{qw(rows state)} = ($rows, $failed ? '55P03' : '');
	return $failed;
}

# --- what there is ---

sub ident { my ($name) = @_; $name =~ s/"/""/g; return "\"$name\""; }
sub idents { return join ', ', map { ident($_) } @_; }
sub unhex { my ($hex) = @_; return pack 'H*', $hex; }

# A table as the session sees it, or nothing if it sees none.
sub describe
{
	my ($self, $s, $oid) = @_;
	my $t = { oid => $oid, cols => [], unique => [], pk => [], leaves => [], replident => [] };

	$s->run("SELECT gen.describe($oid, ARRAY[" . join(', ', map { quote($_) } @{ $self->{publications} }) . ']::text[])')
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
			push @{ $t->{cols} }, { name => unhex($f[1]), sql => unhex($f[2]), notnull => scalar($f[3] =~ /^t/),
				generated => $f[4], identity => $f[5], type => Wal2Kafka::Generator::Types::name_of(unhex($f[2])) };
		}
		elsif ($what eq 'I')
		{
			my @cols = map { unhex($_) } split /,/, $f[3];
			push @{ $t->{unique} }, { name => unhex($f[0]), cols => \@cols };
			$t->{pk} = \@cols if $f[1] =~ /^t/;
			$t->{replident} = \@cols if $f[2] =~ /^t/;
		}
		elsif ($what eq 'F')
		{
			my ($name, $refers) = map { unhex($_) } @f;
			$t->{cascades} = 1;
			$_->{refers} = 'SELECT ' . ident($refers) . " FROM $t->{q} OFFSET " for grep { $_->{name} eq $name } @{ $t->{cols} };
		}
		elsif ($what eq 'P')
		{
			$t->{published} = 1;
			$t->{list} = { map { unhex($_) => 1 } split /,/, $f[0] } if $f[0] ne '';
		}
		else
		{
			push @{ $t->{leaves} }, { oid => $f[0], schema => unhex($f[1]), name => unhex($f[2]), identity => $f[3] };
		}
	}
	return if !$t->{kind} || !@{ $t->{leaves} };
	$t->{identity} = $t->{leaves}[0]{identity};
	$t->{shown} = [ map { $_->{name} } grep { $self->shows($t, $_) } @{ $t->{cols} } ];
	$t->{key} = $t->{identity} eq 'i' ? $t->{replident} : $t->{identity} eq 'n' ? [] : $t->{pk};
	# half a key is none
	my %shown = map { $_ => 1 } @{ $t->{shown} };
	$t->{key} = [] if grep { !$shown{$_} } @{ $t->{key} };
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
	my $rows = $s->copy_rows("SELECT '(' || coalesce(pg_get_expr(prqual, prrelid), 'true') || ')' FROM pg_publication_rel"
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
	die "unknown type $col->{sql}\n" if !$col->{type};
	return 'NULL' if !$col->{notnull} && chance(0.15);
	return "($col->{refers}" . int(rand 4) . ' LIMIT 1)' if $col->{refers};
	return large_value($col->{type}) if !$in_key && is_large_type($col->{type}) && chance(0.25);
	return value($col->{type});
}

sub new_column
{
	my ($self, @types) = @_;
	my $type = any(@types);
	$self->count('type', $type);
	return { name => odd_name('c'), type => $type, sql => Wal2Kafka::Generator::Types::sql_of($type),
		notnull => chance(0.2), generated => '' };
}

sub column_sql
{
	my ($col) = @_;
	return ident($col->{name}) . " $col->{sql}" . ($col->{notnull} ? ' NOT NULL' : '') . ($col->{more} // '');
}

sub make_table
{
	my ($self, $s) = @_;
	my @large = grep { is_large_type($_) } type_names();
	my @key  = map { { %{ $self->new_column(key_types()) }, notnull => 1 } } 1 .. any(1, 1, 1, 2, 3);
	my @cols = map { $self->new_column(chance(0.3) ? @large : type_names()) } 1 .. any(0, 1, 3, 5, 8);
	push @cols, $self->new_column($self->in_turn('type', type_names()));
	my $shape = any(('pk') x 6, 'unique', 'unique', 'none', 'none');
	my ($schema, $other) = map { ident($self->schema_name($s, any(@{ $self->{schemas} }))) } 1, 2;
	my $q = "$schema." . ident(odd_name('t'));
	my $partitioned = $shape ne 'unique' && chance(0.25);
	my @all = sort { $a->{order} <=> $b->{order} } map { { %$_, order => rand } } @key, @cols;
	my @statements;

	if (my $base = first { $_->{type} =~ /^(?:text|int4|int8)$/ } @all)
	{
		push @all, { name => odd_name('g'), generated => 's', sql => 'text', notnull => 0,
			more => ' GENERATED ALWAYS AS (' . ident($base->{name}) . '::text || ' . quote('!') . ') STORED' }
		  if chance(0.4);
	}
	push @all, { name => odd_name('parent'), generated => '', sql => $key[0]{sql}, notnull => 0,
		more => " REFERENCES $q ON UPDATE CASCADE ON DELETE CASCADE" }
	  if $shape eq 'pk' && @key == 1 && !$partitioned && chance(0.4);
	my $dropped = chance(0.25) ? odd_name('dropped') : undef;
	splice @all, rand(@all + 1), 0, { name => $dropped, sql => 'int', notnull => 0 } if defined $dropped;

	my $keys = idents(map { $_->{name} } @key);
	push @statements, "CREATE TABLE $q (" . join(', ', (map { column_sql($_) } @all),
		$shape eq 'pk' ? "PRIMARY KEY ($keys)" : $shape eq 'unique' ? "UNIQUE ($keys)" : ())
	  . ')' . ($partitioned ? ' PARTITION BY HASH (' . ident($key[0]{name}) . ')' : '');
	push @statements, "ALTER TABLE $q DROP COLUMN " . ident($dropped) if defined $dropped;
	push @statements, $self->storage($q, @cols) if chance(0.5);
	my @leaves = $q;
	if ($partitioned)
	{
		my ($part, @leaf) = map { "$other." . ident(odd_name('p')) } 0 .. 3;
		push @statements,
		  "CREATE TABLE $leaf[0] PARTITION OF $q FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
		  "CREATE TABLE $part PARTITION OF $q FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (" . ident($key[-1]{name}) . ')',
		  "CREATE TABLE $leaf[1] PARTITION OF $part FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
		  "CREATE TABLE $leaf[2] PARTITION OF $part FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
		@leaves = @leaf;
	}
	my $identity = $shape eq 'pk' ? any('', '', 'FULL') : $shape eq 'unique' ? any('USING INDEX', 'FULL')
	  : $partitioned || chance(0.5) ? 'FULL' : any('', 'NOTHING');
	if ($identity eq 'USING INDEX')
	{
		push @statements, "DO \$gen\$ BEGIN EXECUTE format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', "
		  . quote($q) . ", (SELECT relname FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid WHERE indrelid = "
		  . quote($q) . "::regclass)); END \$gen\$";
	}
	elsif ($identity) { push @statements, "ALTER TABLE $_ REPLICA IDENTITY $identity" for @leaves; }

	push @statements, $self->publish($q, !$partitioned, $shape eq 'none' ? [] : \@key, $identity eq 'FULL',
		grep { $_->{type} } @all)
	  if @{ $self->{publications} } && chance(0.9);

	my $oid;
	$self->together($s, $partitioned ? 'ddl: create partitioned table' : 'ddl: create table', \@statements, sub {
		$s->run('SELECT ' . quote($q) . '::regclass::oid') or die "regclass: $s->{state}\n";
		$oid = $s->{rows}[0];
		return $self->created($s, $oid);
	});
	return $oid;
}

sub created
{
	my ($self, $s, $oid) = @_;
	my $t = $self->describe($s, $oid);
	my @copied = map {
		my $as = $self->describe($s, $_->{oid});
		[ $as->{schema}, $as->{name}, cols => $as->{shown}, key => $as->{key}, blind => $as->{blind},
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
	my %key = map { $_->{name} => 1 } @$key;
	my @listed = grep { $key{ $_->{name} } || chance(0.6) } @cols;
	my $whole = $plain || $self->{via_root};
	my $list = $whole && !$full && @listed && chance(0.4) ? ' (' . idents(map { $_->{name} } @listed) . ')' : '';
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
	return map { "ALTER TABLE $q ALTER COLUMN " . ident($_->{name}) . ' SET STORAGE ' . any('EXTERNAL', 'EXTENDED', 'MAIN') }
	  grep { is_large_type($_->{type}) && $_->{type} ne 'numeric' || $_->{type} eq 'text' } @cols;
}

# --- rows ---

sub writable { my ($t) = @_; return grep { $_->{generated} eq '' } @{ $t->{cols} }; }

sub row_values
{
	my ($self, $t, @cols) = @_;
	my %key = map { $_ => 1 } @{ $t->{pk} }, map { @{ $_->{cols} } } @{ $t->{unique} };
	return '(' . join(', ', map { $self->any_value($_, $key{ $_->{name} }) } @cols) . ')';
}

# Some columns or all, those that must be given among them.
sub some_columns
{
	my ($t) = @_;
	my $share = any(1, 1, 0.5);
	my @cols = grep { $_->{notnull} || chance($share) } writable($t);
	return @cols ? @cols : writable($t);
}

sub rows_where
{
	my ($t, $count) = @_;
	return "(tableoid, ctid) IN (SELECT tableoid, ctid FROM $t->{q} OFFSET "
	  . int(rand 3) . ' LIMIT ' . ($count // any(1, 1, 1, 2, 4)) . ')';
}

sub set_clause
{
	my ($self, $t, $what) = @_;
	my %key = map { $_ => 1 } @{ $t->{key} }, @{ $t->{pk} }, map { @{ $_->{cols} } } @{ $t->{unique} };
	my @key  = grep { $key{ $_->{name} } } writable($t);
	my @rest = grep { !$key{ $_->{name} } } writable($t);
	my @small = grep { !is_large_type($_->{type} // '') } @rest;
	my @set = $what eq 'key' ? any(@key) : $what eq 'small' ? any(@small) : (any(@rest), any(@rest), $what eq 'all' ? @rest : ());

	@set = grep { defined } @set;
	return if !@set;
	my %once;
	return join ', ', map { ident($_->{name}) . ' = ' . ($what eq 'same' ? ident($_->{name}) : $self->any_value($_, $key{ $_->{name} })) }
	  grep { !$once{ $_->{name} }++ } @set;
}

# Changes of a table without identity are told to the operator.
sub blind
{
	my ($self, $s, $kind, $t, $where, $sql) = @_;
	my $cols = idents(@{ $t->{shown} });
	my $before = $s->copy_rows("SELECT $cols FROM $t->{q} WHERE $where") // return $self->failed($s, $kind, $where);
	return if !@$before;
	return $self->together($s, $kind, ["COPY ($sql WHERE $where RETURNING $cols) TO STDOUT"], sub {
		my $after = $kind =~ /delete/ ? [] : $s->copied;
		return $self->on_copies($t, sub { my ($copy, $table) = @_; $copy->mend($table, $before, $after); });
	});
}

# --- the statements, with how likely they are ---

my @dml = (
	[ 12, 'insert', sub {
		my ($self, $s, $t) = @_;
		my @cols = some_columns($t);
		return "INSERT INTO $t->{q} (" . idents(map { $_->{name} } @cols) . ') VALUES ' . $self->row_values($t, @cols);
	} ],
	[ 12, 'insert of several rows', \&insert_rows ],
	[ 4, 'insert select', sub {
		my ($self, $s, $t) = @_;
		my @cols = writable($t);
		my @key = map { @{ $_->{cols} } } @{ $t->{unique} };
		return "INSERT INTO $t->{q} (" . idents(map { $_->{name} } @cols) . ') SELECT ' . join(', ', map {
			my $name = $_->{name};
			(grep { $_ eq $name } @key) ? value($_->{type}) . "::$_->{sql}" : ident($name) } @cols)
		  . " FROM $t->{q} OFFSET " . int(rand 4) . ' LIMIT 1';
	} ],
	[ 5, 'copy', \&copy_statement ],
	[ 8, 'update', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update', 'rest'); } ],
	[ 8, 'update beside large values', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update beside large values', 'small'); } ],
	[ 4, 'update of everything', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update of everything', 'all'); } ],
	[ 3, 'update to the same', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update to the same', 'same'); } ],
	[ 8, 'update of the key', sub { my ($self, $s, $t) = @_; return $self->update($s, $t, 'update of the key', 'key'); } ],
	[ 6, 'delete', sub {
		my ($self, $s, $t) = @_;
		my $where = chance(0.1) ? 'true' : rows_where($t);
		$self->count('statement', 'delete that may cascade') if $t->{cascades};
		return "DELETE FROM $t->{q} WHERE $where" if !$t->{blind};
		$self->blind($s, 'statement: delete', $t, $where, "DELETE FROM $t->{q}");
		return;
	} ],
	[ 6, 'on conflict', sub {
		my ($self, $s, $t) = @_;
		my $key = any(map { $_->{cols} } @{ $t->{unique} }) // return;
		return if $t->{blind};
		my $set = chance(0.7) ? $self->set_clause($t, any('rest', 'small')) : undef;
		my @cols = writable($t);
		my $names = idents(map { $_->{name} } @cols);
		my $source = chance(0.6) ? "SELECT $names FROM $t->{q} OFFSET " . int(rand 4) . ' LIMIT 2'
		  : 'VALUES ' . join ', ', map { $self->row_values($t, @cols) } 1 .. 2;
		return "INSERT INTO $t->{q} ($names) $source ON CONFLICT (" . idents(@$key) . ') DO '
		  . ($set ? "UPDATE SET $set" : 'NOTHING');
	} ],
	[ 6, 'merge', sub {
		my ($self, $s, $t) = @_;
		return if $t->{blind};
		my @cols = writable($t);
		my $set = $self->set_clause($t, any('rest', 'small', 'key')) // return;
		return "MERGE INTO $t->{q} t USING (SELECT n, o, c FROM (VALUES (1), (2), (3)) v(n) LEFT JOIN"
		  . " (SELECT row_number() OVER () AS r, tableoid AS o, ctid AS c FROM $t->{q} LIMIT 2) x ON r = n) s"
		  . ' ON t.tableoid = s.o AND t.ctid = s.c'
		  . (chance(0.5) ? ' WHEN MATCHED AND s.n = 2 THEN DELETE' : '')
		  . " WHEN MATCHED THEN UPDATE SET $set WHEN NOT MATCHED THEN INSERT ("
		  . idents(map { $_->{name} } @cols) . ') VALUES ' . $self->row_values($t, @cols);
	} ],
	[ 3, 'truncate', sub {
		my ($self, $s, $t) = @_;
		my @tables = ($t, chance(0.4) ? grep { $_ && $_->{oid} != $t->{oid} && $_->{name} ne $t->{name} } $self->any_table($s) : ());
		return if @{ $self->{publications} } && grep { $_->{part} } @tables;
		$self->together($s, 'statement: truncate', ['TRUNCATE ' . join(', ', map { $_->{q} } @tables) . any('', ' CASCADE', ' RESTART IDENTITY')],
			sub {
				my @code = map { $self->on_copies($_, sub { my ($copy, $table) = @_; $copy->truncate($table); }) } @tables;
				return sub { my ($copy) = @_; $_->($copy) for @code; };
			});
		return;
	} ],
	[ 3, 'subtransactions', sub {
		my ($self, $s, $t) = @_;
		return if $t->{blind};
		my $set = $self->set_clause($t, any('rest', 'small')) // return;
		my @cols = some_columns($t);
		my $insert = "INSERT INTO $t->{q} (" . idents(map { $_->{name} } @cols) . ') VALUES ' . $self->row_values($t, @cols);
		return "DO \$gen\$ BEGIN FOR i IN 1..@{[ any(2, 3, 70) ]} LOOP BEGIN UPDATE $t->{q} SET $set WHERE " . rows_where($t, 2)
		  . "; IF i % 2 = 0 THEN $insert; PERFORM 1 / 0; END IF; EXCEPTION WHEN division_by_zero OR unique_violation"
		  . ' OR check_violation THEN NULL; END; END LOOP; END $gen$';
	} ],
);

sub insert_rows
{
	my ($self, $s, $t) = @_;
	my @cols = some_columns($t);
	return "INSERT INTO $t->{q} (" . idents(map { $_->{name} } @cols) . ') VALUES '
	  . join(', ', map { $self->row_values($t, @cols) } 1 .. between(2, 6));
}

sub update
{
	my ($self, $s, $t, $kind, $what) = @_;
	my $set = $self->set_clause($t, $what) // return;
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
	my @cols = writable($t);
	my %key = map { $_ => 1 } map { @{ $_->{cols} } } @{ $t->{unique} };
	my @lines;
	for (1 .. between(2, 9))
	{
		my $row = $s->copy_rows('SELECT ' . join ', ', map { $self->any_value($_, $key{ $_->{name} }) . "::$_->{sql}" } @cols)
		  // return;
		push @lines, join "\t", map {
			my $text = $_ // "\\N";
			$text =~ s/([\\\n\r\t])/\\$1/g if defined $_;
			$text } @{ $row->[0] };
	}
	my $file = launch_dir() . '/copy.' . ++$self->{copies};
	spit($file, join '', map { "$_\n" } @lines);
	chmod 0644, $file;
	$self->statement($s, 'statement: copy', "COPY $t->{q} (" . idents(map { $_->{name} } @cols) . ') FROM ' . quote($file));
	unlink $file;
	return;
}

# --- DDL ---

my @ddl = (
	[ 8, 'add column', sub {
		my ($self, $s, $t) = @_;
		my $col = { %{ $self->new_column(type_names()) }, notnull => 0 };
		return [ "ALTER TABLE $t->{q} ADD COLUMN " . column_sql($col) ],
		  $t->{list} ? sub { } : sub { $self->on_copies($t, sub { $_[0]->add_column($_[1], $col->{name}, undef) }) };
	} ],
	[ 8, 'add column with a constant default', sub {
		my ($self, $s, $t) = @_;
		my $col = $self->new_column(type_names());
		my $value = value($col->{type});
		my $text = $s->copy_rows("SELECT $value\::$col->{sql}") // return;
		return [ "ALTER TABLE $t->{q} ADD COLUMN " . column_sql($col) . " DEFAULT $value" ],
		  $t->{list} ? sub { } : sub { $self->on_copies($t, sub { $_[0]->add_column($_[1], $col->{name}, $text->[0][0]) }) };
	} ],
	[ 3, 'add column with a volatile default', sub {
		my ($self, $s, $t) = @_;
		my $name = odd_name('v');
		return [ "ALTER TABLE $t->{q} ADD COLUMN " . ident($name) . ' text DEFAULT clock_timestamp()::text' ], $t->{list} ? sub { } : sub {
			$self->with_rows($s, $t, sub {
				my ($copy, $table, $rows) = @_;
				$copy->add_column($table, $name, undef);
				$copy->recopy($table, $rows, $name);
			});
		};
	} ],
	[ 6, 'drop column', sub {
		my ($self, $s, $t) = @_;
		my %keep = map { $_ => 1 } map { @{ $_->{cols} } } @{ $t->{unique} };
		my $col = any(grep { !$keep{ $_->{name} } } @{ $t->{cols} }) // return;
		return if @{ $t->{cols} } < 3 || (grep { $_->{generated} } @{ $t->{cols} }) && !$col->{generated};
		return if $t->{kind} eq 'p' && !@{ $t->{pk} };
		return [ "ALTER TABLE $t->{q} DROP COLUMN " . ident($col->{name}) ],
		  !$self->shows($t, $col) ? sub { } : sub { $self->on_copies($t, sub { $_[0]->drop_column($_[1], $col->{name}) }) };
	} ],
	[ 7, 'rename column', sub {
		my ($self, $s, $t) = @_;
		my $col = any(@{ $t->{cols} }) // return;
		my $to = odd_name('r');
		return [ "ALTER TABLE $t->{q} RENAME COLUMN " . ident($col->{name}) . ' TO ' . ident($to) ],
		  !$self->shows($t, $col) ? sub { } : sub { $self->on_copies($t, sub { $_[0]->rename_column($_[1], $col->{name}, $to) }) };
	} ],
	[ 7, 'change type', sub {
		my ($self, $s, $t) = @_;
		return if $t->{cascades} || grep { $_->{generated} } @{ $t->{cols} };
		my %wider = (int2 => 'int4', int4 => 'int8', int8 => 'numeric', varchar => 'text', text => 'varchar_wide',
			date => 'timestamp', float4 => 'float8', domain => 'int4', numeric_2 => 'numeric', enum => 'text', json => 'jsonb');
		my $col = any(grep { $wider{ $_->{type} } } @{ $t->{cols} }) // return;
		return if $t->{kind} eq 'p' && (!@{ $t->{pk} } || grep { $_ eq $col->{name} } @{ $t->{pk} });
		my $to = $wider{ $col->{type} };
		my $sql = $to eq 'varchar_wide' ? 'text' : Wal2Kafka::Generator::Types::sql_of($to);
		my $using = chance(0.3) && $sql eq 'text' ? " USING '>' || " . ident($col->{name}) . '::text' : ' USING ' . ident($col->{name}) . "::$sql";
		return [ "ALTER TABLE $t->{q} ALTER COLUMN " . ident($col->{name}) . " TYPE $sql$using" ], sub {
			$self->with_rows($s, $t, sub { $_[0]->recopy($_[1], $_[2], $col->{name}) });
		};
	} ],
	[ 6, 'rename table', sub {
		my ($self, $s, $t) = @_;
		my $leaf = any(@{ $t->{leaves} }, $t);
		my $to = odd_name('n');
		return [ 'ALTER TABLE ' . ident($leaf->{schema}) . '.' . ident($leaf->{name}) . ' RENAME TO ' . ident($to) ],
		  !$self->is_copied($t, $leaf->{oid}) ? sub { }
		  : sub { sub { $_[0]->rename($leaf->{schema}, $leaf->{name}, $leaf->{schema}, $to) } };
	} ],
	[ 4, 'move to another schema', sub {
		my ($self, $s, $t) = @_;
		my $leaf = any(@{ $t->{leaves} }, $t);
		my $to = $self->schema_name($s, any(@{ $self->{schemas} }));
		return if $to eq $leaf->{schema};
		return [ 'ALTER TABLE ' . ident($leaf->{schema}) . '.' . ident($leaf->{name}) . ' SET SCHEMA ' . ident($to) ],
		  !$self->is_copied($t, $leaf->{oid}) ? sub { }
		  : sub { sub { $_[0]->rename($leaf->{schema}, $leaf->{name}, $to, $leaf->{name}) } };
	} ],
	[ 3, 'rename schema', sub {
		my ($self, $s) = @_;
		my $from = $self->schema_name($s, any(@{ $self->{schemas} }));
		my $to = odd_name('s');
		return [ 'ALTER SCHEMA ' . ident($from) . ' RENAME TO ' . ident($to) ],
		  sub { sub { $_[0]->rename_schema($from, $to) } };
	} ],
	[ 8, 'replica identity', sub {
		my ($self, $s, $t) = @_;
		my $index = $t->{alone} && first { my %in = map { $_ => 1 } @{ $_->{cols} };
			!grep { $in{ $_->{name} } && !$_->{notnull} } @{ $t->{cols} } } @{ $t->{unique} };
		my $to = any('FULL', @{ $t->{pk} } || $t->{alone} ? 'DEFAULT' : (), $index ? ('USING INDEX') x 2 : (),
			$t->{alone} && !$t->{cascades} ? 'NOTHING' : ());
		return [ map { 'ALTER TABLE ' . ident($_->{schema}) . '.' . ident($_->{name}) . " REPLICA IDENTITY $to"
				. ($to eq 'USING INDEX' ? ' ' . ident($index->{name}) : '') } @{ $t->{leaves} } ],
		  sub { $self->new_identity($s, $t) };
	} ],
	[ 3, 'unique index as identity', sub {
		my ($self, $s, $t) = @_;
		return if !$t->{alone};
		my %can = map { $_ => 1 } key_types();
		my $col = any(grep { $_->{notnull} && $can{ $_->{type} // '' } && !$_->{generated} } @{ $t->{cols} }) // return;
		my $name = odd_name('i');
		return [ 'CREATE UNIQUE INDEX ' . ident($name) . " ON $t->{q} (" . ident($col->{name}) . ')',
			"ALTER TABLE $t->{q} REPLICA IDENTITY USING INDEX " . ident($name) ],
		  sub { $self->new_identity($s, $t) };
	} ],
	[ 3, 'drop primary key', sub {
		my ($self, $s, $t) = @_;
		return if !$t->{alone} || !@{ $t->{pk} } || $t->{identity} eq 'i' || $t->{cascades};
		return [ "DO \$gen\$ BEGIN EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', " . quote($t->{q})
			. ", (SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = $t->{oid} AND contype = 'p')); END \$gen\$" ],
		  sub { $self->new_identity($s, $t) };
	} ],
	[ 3, 'add primary key', sub {
		my ($self, $s, $t) = @_;
		return if !$t->{alone} || @{ $t->{pk} } || $t->{identity} eq 'i';
		my %can = map { $_ => 1 } key_types();
		my $col = any(grep { $can{ $_->{type} // '' } && $_->{notnull} && !$_->{generated} } @{ $t->{cols} }) // return;
		return [ "ALTER TABLE $t->{q} ADD PRIMARY KEY (" . ident($col->{name}) . ')' ],
		  sub { $self->new_identity($s, $t) };
	} ],
	[ 5, 'detach or attach a partition', sub {
		my ($self, $s, $t) = @_;
		return if $t->{kind} ne 'p';
		my $key = "$t->{oid}";
		my $child = $self->{detached}{$key};
		if (defined $child && (my $c = $self->describe($s, $child)))
		{
			return if $c->{part};
			return [ "ALTER TABLE $t->{q} ATTACH PARTITION $c->{q} FOR VALUES WITH (MODULUS 2, REMAINDER 0)" ],
			  sub { $self->moved_partition($s, $t, $child, 1) };
		}
		my $leaf = $t->{leaves}[0];
		$self->{detached}{$key} = $leaf->{oid};
		push @{ $self->{oids} }, $leaf->{oid};
		return [ "ALTER TABLE $t->{q} DETACH PARTITION " . ident($leaf->{schema}) . '.' . ident($leaf->{name}) ],
		  sub { $self->moved_partition($s, $t, $leaf->{oid}, 0) };
	} ],
	[ 3, 'drop table and create it again', sub {
		my ($self, $s, $t) = @_;
		return if !$t->{alone};
		my $made;
		return [ "DROP TABLE $t->{q}",
			"CREATE TABLE $t->{q} (id int PRIMARY KEY, \"new one\" text)" ], sub {
			$s->run('SELECT ' . quote($t->{q}) . '::regclass::oid') or die "regclass: $s->{state}\n";
			push @{ $self->{oids} }, $s->{rows}[0];
			my $create = $self->created($s, $s->{rows}[0]);
			my $forget = $self->forgotten($t);
			return sub { my ($copy) = @_; $forget->($copy); $create->($copy); };
		};
	} ],
	[ 2, 'drop table', sub {
		my ($self, $s, $t) = @_;
		return if !$t->{alone} || @{ $self->{oids} } < 2;
		return [ "DROP TABLE $t->{q}" ], sub { $self->forgotten($t) };
	} ],
	[ 6, 'into or out of a publication', sub {
		my ($self, $s, $t) = @_;
		return if !@{ $self->{publications} } || ($t->{kind} eq 'r' && !$t->{alone});
		# or what others have not committed would be before and behind it
		my @statements = "LOCK TABLE $t->{q} IN ACCESS EXCLUSIVE MODE";
		push @statements, map { 'ALTER PUBLICATION ' . ident($_) . " DROP TABLE $t->{q}" } $self->publications_with($s, $t);
		my %key = map { $_ => 1 } @{ $t->{key} };
		push @statements, $self->publish($t->{q}, $t->{kind} eq 'r', [ grep { $key{ $_->{name} } } @{ $t->{cols} } ],
			$t->{identity} eq 'f', writable($t)) if !$t->{published} || chance(0.5);
		my $forget = $self->forgotten($t);
		return \@statements, sub {
			my $create = $self->created($s, $t->{oid});
			return sub { $forget->($_[0]); $create->($_[0]); };
		};
	} ],
	[ 3, 'storage and defaults', sub {
		my ($self, $s, $t) = @_;
		my $col = any(writable($t)) // return;
		return [ is_large_type($col->{type} // '') && $col->{type} ne 'numeric' && chance(0.5) ? $self->storage($t->{q}, $col)
			: "ALTER TABLE $t->{q} ALTER COLUMN " . ident($col->{name}) . ' SET DEFAULT ' . value($col->{type} // return) ], sub { undef };
	} ],
	[ 2, 'rewrite without a change', sub {
		my ($self, $s, $t) = @_;
		return if $t->{kind} ne 'r';
		my $index = any(@{ $t->{unique} });
		return if $s->{in_transaction} && !$index;
		$self->statement($s, 'ddl: rewrite without a change',
			$index ? "CLUSTER $t->{q} USING " . ident($index->{name}) : "VACUUM FULL $t->{q}");
		return [];
	} ],
	[ 3, 'create table in mid-stream', sub {
		my ($self, $s) = @_;
		my $oid = $self->make_table($s);
		if ($oid)
		{
			push @{ $self->{oids} }, $oid;
			$self->count('ddl', 'create table in mid-stream');
		}
		return [];
	} ],
);

sub publications_with
{
	my ($self, $s, $t) = @_;
	$s->run('SELECT gen.hex(pubname) FROM pg_publication p JOIN pg_publication_rel ON prpubid = p.oid'
		. " WHERE prrelid = $t->{oid} ORDER BY pubname") or die "publications: $s->{state}\n";
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
	my $rows = $s->copy_rows('SELECT ' . idents(@{ $t->{shown} }) . " FROM $leaf->{q} WHERE $where") // die "rows: $s->{state}\n";
	return $self->on_copies($t, sub { $_[0]->move_rows($_[1], $rows, $comes) });
}

sub schema_name
{
	my ($self, $s, $schema) = @_;
	$s->run("SELECT gen.hex(nspname) FROM pg_namespace WHERE oid = $schema->{oid}") or die "schema: $s->{state}\n";
	return unhex($s->{rows}[0]);
}

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
	my (undef, $kind, $make) = @{ chance(0.15) ? $self->in_turn('dml', @dml) : pick(@dml) };
	my $sql = $make->($self, $s, $t) // return;
	return $self->statement($s, "statement: $kind", $sql);
}

sub random_ddl
{
	my ($self, $s) = @_;
	my (undef, $kind, $make) = @{ chance(0.3) ? $self->in_turn('ddl', @ddl) : pick(@ddl) };

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
		return $self->statement($s, 'transaction: ' . lc $how . ' prepared', "$how PREPARED '" . shift(@{ $self->{prepared} }) . "'");
	}
	return $self->begin($s) if !$s->{in_transaction} && $choice < 0.35;
	if ($s->{in_transaction})
	{
		return $self->finish($s, any(('COMMIT') x 5, 'ROLLBACK')) if $choice < 0.12;
		return $self->prepare($s) if $choice < 0.15;
		return $self->savepoint($s) if $choice < 0.25;
	}
	return chance(0.27) ? $self->random_ddl($s) : $self->random_dml($s);
}

# --- a case ---

sub run_case
{
	my ($self, $number) = @_;

	$self->{case} = $number;
	$self->{log} = [];
	return "the workload: $@" if !eval { $self->workload($number); 1 };
	return eval { $self->judge; 1 } ? undef : $@;
}

sub workload
{
	my ($self, $number) = @_;
	my ($a, $b) = @{ $self->{sessions} };

	srand($self->{seed} * 7919 + int($number / BATCH) + 1_000_000_000);
	$self->{options} = { generated => chance(0.35) ? 'stored' : 'none', key_change => chance(0.25) ? 'update' : 'split' };
	$self->choose_publications(int($number / BATCH));
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
		$self->statement($a, 'statement: insert of several rows', $_) for map { insert_rows($self, $a, $t) } 1, 2;
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
	$self->{via_root} = $batch % 5 == 3;
	return if !@{ $self->{publications} };
	@{ $self->{options} }{qw(generated publication_names)} = ('none', idents(@names));
	return if $self->{made}{$batch}++;
	$self->must_run('CREATE PUBLICATION ' . ident($_) . ($_ eq $names[0] ? ' FOR TABLE gen.log' : '')
		. ' WITH (publish_via_partition_root = ' . ($self->{via_root} ? 'true' : 'false') . ')') for @names;
	return;
}

sub plugin_options
{
	my ($self) = @_;
	my $options = $self->{options};
	return map { ($_, $options->{$_}) } sort keys %$options;
}

# One case in five reads each transaction in a decoding session of its own.
sub read_records
{
	my ($self) = @_;
	my $options = join ', ', map { quote($_) } 'proto_version', 1, $self->plugin_options;
	my $limit = $self->{case} % 5 == 3 ? 1 : 'NULL';
	my (@records, $safe);

	# decoding ends where the log is flushed
	$self->must_run("SELECT pg_logical_emit_message(true, '', '')");
	while (1)
	{
		my $reader = $self->{reader};
		$reader->run("SELECT data FROM pg_logical_slot_get_binary_changes('frames', NULL, $limit, $options)")
		  or die "decoding failed: $reader->{state}\n";
		my @frames = map { read_frame(pack 'H*', substr $_, 2) } @{ $reader->{rows} };
		for my $frame (@frames)
		{
			die "safe goes back\n" if defined $safe && $frame->{safe} < $safe;
			$safe = $frame->{safe};
			push @records, @{ $frame->{records} };
			$self->count('notice', { 1 => 'truncate skipped', 2 => 'no identity' }->{ $_->{code} } // $_->{code})
			  for @{ $frame->{notices} };
		}
		return \@records if $limit ne '1' || !@frames;
	}
}

sub judge
{
	my ($self) = @_;
	my $copy = $self->{copy} = Wal2Kafka::Generator::Copy->new;
	my $records = $self->read_records;
	my %told;

	$copy->{count} = $self->{counts}{exemption} //= {};
	$copy->create('gen', 'log', cols => ['n'], key => ['n'], rows => []);
	push @{ $self->{batch} }, map { $_->{value} } @$records;
	for my $record (@$records)
	{
		eval { $self->take($copy, $record, \%told); 1 }
		  or die "$@record: " . substr($record->{value}, 0, 1500) . "\n";
	}
	my @logged = $self->must_run("SELECT n FROM gen.log WHERE n >= $self->{first_op} ORDER BY n");
	die "operations told, @{[ sort { $a <=> $b } keys %told ]}, are not those done, @logged\n"
	  if "@logged" ne "@{[ sort { $a <=> $b } keys %told ]}";
	$self->compare($copy);
	$self->must_run('DROP SCHEMA ' . ident($self->schema_name($self->{reader}, $_)) . ' CASCADE') for @{ $self->{schemas} };
	return;
}

# One record: by itself, in its sequence, against the copy's columns, applied.
sub take
{
	my ($self, $copy, $record, $told) = @_;
	my $json = read_json($record->{value});
	my ($op, $rows) = check_record($json, $record, scalar @{ $self->{publications} });
	my $table = $copy->table($json->{schema}, $json->{table_name});
	my ($lsn, $seq) = @{ $self->{last} // [ 0, 0 ] };

	die "lsn goes back\n" if $record->{lsn} < $lsn;
	die "seq_id $record->{seq} after $seq\n" if $record->{seq} != ($record->{lsn} == $lsn ? $seq + 1 : 0);
	$self->{last} = [ @$record{qw(lsn seq)} ];

	$self->check_columns($table, $json, $op);
	die "an Update that changes the key\n"
	  if $op eq 'Update' && $json->{key} && !$table->{blind} && $self->{options}{key_change} eq 'split'
	  && grep { ($rows->[0][$$_] // "\0") ne ($rows->[1][$$_] // "\0") } @{ $json->{key} };
	$copy->apply($json->{schema}, { map { $_ => $json->{$_} } qw(table_name col_names lsn seq_id op) });
	if ($json->{schema} eq 'gen')
	{
		my $n = $rows->[0];
		$told->{$n} = 1;
		$self->{ops}[$n]->($copy);
		return;
	}
	$self->count('record', $op . ($json->{key_change} ? ' of a key change' : '') . ($json->{unchanged} ? ' without unchanged values' : ''));
	$self->count('identity', $table->{blind} ? 'none' : $json->{identity} // 'full') if $op ne 'Insert';
	$self->count('identity', 'full without a key') if $op ne 'Insert' && !$table->{blind} && !@{ $table->{key} };
	return;
}

# The columns of the record and those it leaves out are those of the copy.
sub check_columns
{
	my ($self, $table, $json, $op) = @_;
	my %out = map { $_ => 1 } @{ $json->{unchanged} // [] };
	my %key = map { $_ => 1 } @{ $table->{key} };
	my @expected = $op eq 'Delete' && ($json->{identity} // '') eq 'key'
	  ? grep { $key{$_} } @{ $table->{cols} }
	  : grep { !$out{$_} } @{ $table->{cols} };

	die 'columns are ' . idents(@{ $json->{col_names} }) . ', not ' . idents(@expected) . "\n"
	  if join("\0", @expected) ne join("\0", @{ $json->{col_names} });
	my @by = map { $json->{col_names}[$$_] } @{ $json->{key} // [] };
	die 'key is ' . idents(@by) . ', not ' . idents(@{ $table->{key} }) . "\n"
	  if join("\0", @by) ne join("\0", @{ $table->{key} });
	return;
}

# Every table of the source that is captured, and no other.
sub compare
{
	my ($self, $copy) = @_;
	my %copies = map { ("$_->{schema}\0$_->{name}" => $_) } $copy->tables;
	my %source;

	delete $copies{"gen\0log"};
	for my $oid ($self->must_run("SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
		. ' AND relnamespace IN (' . join(', ', map { $_->{oid} } @{ $self->{schemas} }) . ')'))
	{
		my $t = $self->describe($self->{reader}, $oid) // next;
		$source{ $_->{oid} } = 1 for $self->copied($t);
	}
	for my $t (map { $self->describe($self->{reader}, $_) } sort { $a <=> $b } keys %source)
	{
		my $table = delete $copies{"$t->{schema}\0$t->{name}"} // die "no copy of $t->{q}\n";
		die "$t->{q}: other columns\n" if "@{ $t->{shown} }" ne "@{ $table->{cols} }";
		$copy->compare($table, $self->rows_of($self->{reader}, $t), @{ $table->{cols} });
		$self->count('case', 'tables compared');
	}
	die 'tables that are not in the source: ' . join(', ', sort keys %copies) . "\n" if %copies;
	return;
}

# The same changes as lines, through a walsender, in one session, after all of
# them: what it says differs from what was read before, or undef.
sub compare_walsender
{
	my ($self) = @_;
	my ($end) = $self->must_run('SELECT pg_current_wal_insert_lsn()');
	my $file = launch_dir() . '/lines';
	my @options = $self->plugin_options;
	my @expected = splice @{ $self->{batch} };

	# something behind the end, that the walsender comes to it
	$self->must_run("SELECT pg_logical_emit_message(true, '', '')");
	unlink $file;
	my @command = ('pg_recvlogical', '-d', $self->{node}->connstr('postgres'), '-S', 'lines', '--start', '--endpos', $end, '-f', $file);
	push @command, '-o', shift(@options) . '=' . shift @options while @options;
	my $status = reap(spawn(launch_dir() . '/receiver.log', @command));
	return "pg_recvlogical: status $status: " . slurp(launch_dir() . '/receiver.log') if $status;
	my @lines = -e $file ? split /\n/, slurp($file) : ();
	$self->count('case', 'records compared with a walsender', scalar @lines);
	for my $i (0 .. max($#lines, $#expected))
	{
		my ($line, $was) = ($lines[$i] // 'nothing', $expected[$i] // 'nothing');
		return "record $i: a walsender says\n$line\nand SQL said\n$was\n" if $line ne $was;
	}
	return undef;
}

# What has to have happened: each kind of each group so often for 50 cases.
sub expected
{
	my %kinds = (
		type => [ 1, type_names() ],
		statement => [ 1, 'delete that may cascade', map { $_->[1] } @dml ],
		ddl => [ 1, 'create table', 'create partitioned table', map { $_->[1] } @ddl ],
		transaction => [ 2, 'begin', 'commit', 'rollback', 'prepare', 'commit prepared', 'rollback prepared',
			map { "${_}savepoint" } '', 'release ', 'rollback to ' ],
		identity => [ 1, 'full', 'full without a key', 'key', 'none' ],
		record => [ 1, 'Insert', 'Update', 'Delete', 'Delete of a key change', 'Insert of a key change',
			'Update without unchanged values' ],
		notice => [ 1, 'truncate skipped', 'no identity' ],
		publication => [ 1, 'one', 'two', 'row filter', 'column list' ],
		case => [ 80, 'tables compared', 'records compared with a walsender' ]);
	return %kinds;
}

sub sum { my ($counts, @kinds) = @_; my $sum = 0; $sum += $counts->{$_} // 0 for @kinds; return $sum; }

# What happened too rarely in so many cases, and what too often.
sub complaints
{
	my ($self, $cases) = @_;
	my %kinds = expected();
	my ($exempt, @out) = $self->{counts}{exemption};

	for my $group (sort keys %kinds)
	{
		my ($floor, @names) = @{ $kinds{$group} };
		my $least = $floor * int($cases / 50);
		my $counts = $self->{counts}{$group};
		push @out, map { "$group \"$_\": " . ($counts->{$_} // 0) . ", not $least" } grep { ($counts->{$_} // 0) < $least } @names;
	}
	my $errors = sum($self->{counts}{error}, keys %{ $self->{counts}{error} });
	my $done = sum($self->{counts}{statement}, map { $_->[1] } @dml) + sum($self->{counts}{ddl}, map { $_->[1] } @ddl);
	my @shares = (
		[ 'statements that failed', $errors, $errors + $done, 0.33 ],
		[ 'values lost by a key change', $exempt->{'values lost by a key change'}, $exempt->{'values compared'}, 0.005 ],
		[ 'rows of tables without identity mended', $exempt->{'rows of tables without identity mended'},
			sum($self->{counts}{record}, keys %{ $self->{counts}{record} }), 0.1 ],
		[ 'tables copied again after a rewrite', $exempt->{'tables copied again after a rewrite'}, $cases, 1 ]);
	push @out, map { "too many $_->[0]: $_->[1] of $_->[2]" } grep { ($_->[1] // 0) > $_->[2] * $_->[3] } @shares;
	return @out;
}

sub report
{
	my ($self) = @_;
	return map {
		my $counts = $self->{counts}{$_};
		"$_: " . join ', ', map { "$_ $counts->{$_}" } sort keys %$counts
	} sort keys %{ $self->{counts} };
}

sub close
{
	my ($self) = @_;
	$_->close for @{ $self->{sessions} }, $self->{reader};
	$self->{node}->stop('immediate');
	return;
}

1;
