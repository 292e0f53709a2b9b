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

use parent 'Wal2Kafka::Generator::Workload';
use Carp;
use List::Util qw(max);
use Wal2Kafka::Cluster;
use Wal2Kafka::Generator::Copy;
use Wal2Kafka::Generator::Records qw(read_frame read_json check_record);
use Wal2Kafka::Generator::Session;
use Wal2Kafka::Generator::Types qw(quote ident idents unhex type_names type_setup);
use Wal2Kafka::Test;

use constant BATCH => 10;    # cases with the same options, one walsender

# What the text of a value depends on, as the plugin pins it; and no waiting:
# who waits for a lock waits for ever, for the other session does nothing.
my $settings = join ' ', map { "-c $_" } 'lock_timeout=5ms', 'search_path=',
  'DateStyle=ISO,YMD', 'IntervalStyle=postgres', 'TimeZone=UTC', 'bytea_output=hex',
  'extra_float_digits=1', 'lc_monetary=C', 'synchronous_commit=off';

sub new
{
	my ($class, %self) = @_;
	my $self = bless { %self, ops => [], counts => {}, publications => [] }, $class;
	my $node = $self->{node} = new_server(
		$self->{name} // 'generator',
		conf => "autovacuum = off\nmax_prepared_transactions = 10\nfsync = off\n"
		  . "logical_decoding_work_mem = 64kB\n");

	$self->{reader} = Wal2Kafka::Generator::Session->new($node, 'reader',
		"$settings -c lock_timeout=0 -c synchronous_commit=on");
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

# --- a case ---

sub run_case
{
	my ($self, $number) = @_;

	$self->{case} = $number;
	$self->{log}  = [];
	return "the workload: $@" if !eval { $self->workload($number); 1 };
	return eval                        { $self->judge;             1 } ? undef : $@;
}

# One case in five reads each transaction in a decoding session of its own.
sub read_records
{
	my ($self)  = @_;
	my $options = join ', ', map { quote($_) } 'proto_version', 1, $self->plugin_options;
	my $limit   = $self->{case} % 5 == 3 ? 1 : 'NULL';
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
			$self->count('notice',
				{ 1 => 'truncate skipped', 2 => 'no identity' }->{ $_->{code} } // $_->{code})
			  for @{ $frame->{notices} };
		}
		return \@records if $limit ne '1' || !@frames;
	}
}

sub judge
{
	my ($self)  = @_;
	my $copy    = $self->{copy} = Wal2Kafka::Generator::Copy->new;
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
	$self->must_run('DROP SCHEMA ' . ident($self->schema_name($self->{reader}, $_)) . ' CASCADE')
	  for @{ $self->{schemas} };
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

	die "lsn goes back\n"                    if $record->{lsn} < $lsn;
	die "seq_id $record->{seq} after $seq\n" if $record->{seq} != ($record->{lsn} == $lsn ? $seq + 1 : 0);
	$self->{last} = [ @$record{qw(lsn seq)} ];

	$self->check_columns($table, $json, $op);
	die "an Update that changes the key\n"
	  if $op eq 'Update'
	  && $json->{key}
	  && !$table->{blind}
	  && $self->{options}{key_change} eq 'split'
	  && grep { ($rows->[0][$$_] // "\0") ne ($rows->[1][$$_] // "\0") } @{ $json->{key} };
	$copy->apply($json->{schema}, { map { $_ => $json->{$_} } qw(table_name col_names lsn seq_id op) });

	if ($json->{schema} eq 'gen')
	{
		my $n = $rows->[0];
		$told->{$n} = 1;
		$self->{ops}[$n]->($copy);
		return;
	}
	$self->count('record',
			$op
		  . ($json->{key_change} ? ' of a key change'          : '')
		  . ($json->{unchanged}  ? ' without unchanged values' : ''));
	$self->count('identity', $table->{blind} ? 'none' : $json->{identity} // 'full') if $op ne 'Insert';
	$self->count('identity', 'full without a key')
	  if $op ne 'Insert' && !$table->{blind} && !@{ $table->{key} };
	return;
}

# The columns of the record and those it leaves out are those of the copy.
sub check_columns
{
	my ($self, $table, $json, $op) = @_;
	my %out = map { $_ => 1 } @{ $json->{unchanged} // [] };
	my %key = map { $_ => 1 } @{ $table->{key} };
	my @expected =
	  $op eq 'Delete' && ($json->{identity} // '') eq 'key'
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
	for my $oid (
		$self->must_run(
				"SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
			  . ' AND relnamespace IN ('
			  . join(', ', map { $_->{oid} } @{ $self->{schemas} }) . ')'))
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
	my ($self)   = @_;
	my ($end)    = $self->must_run('SELECT pg_current_wal_insert_lsn()');
	my $file     = launch_dir() . '/lines';
	my @options  = $self->plugin_options;
	my @expected = splice @{ $self->{batch} };

	# something behind the end, that the walsender comes to it
	$self->must_run("SELECT pg_logical_emit_message(true, '', '')");
	unlink $file;
	my @command = (
		'pg_recvlogical', '-d', $self->{node}->connstr('postgres'),
		'-S', 'lines', '--start', '--endpos', $end, '-f', $file);
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
	my ($self) = @_;
	my %kinds = (
		type      => [ 1, type_names() ],
		statement => [ 1, 'delete that may cascade', map { $_->[1] } $self->dml ],
		ddl       => [
			1, 'create table',
			'create partitioned table',
			'attach a table with another order of columns',
			map { $_->[1] } $self->ddl ],
		transaction => [
			2, 'begin', 'commit', 'rollback', 'prepare',
			'commit prepared',
			'rollback prepared',
			map { "${_}savepoint" } '',
			'release ', 'rollback to ' ],
		identity => [ 1, 'full', 'full without a key', 'key', 'none' ],
		record   => [
			1, 'Insert', 'Update', 'Delete',
			'Delete of a key change',
			'Insert of a key change',
			'Update without unchanged values' ],
		notice      => [ 1,  'truncate skipped', 'no identity' ],
		publication => [ 1,  'one', 'two', 'row filter', 'column list' ],
		case        => [ 80, 'tables compared', 'records compared with a walsender' ]);
	return %kinds;
}

sub sum { my ($counts, @kinds) = @_; my $sum = 0; $sum += $counts->{$_} // 0 for @kinds; return $sum; }

# What happened too rarely in so many cases, and what too often.
sub complaints
{
	my ($self, $cases) = @_;
	my %kinds = $self->expected;
	my ($exempt, @out) = $self->{counts}{exemption};

	for my $group (sort keys %kinds)
	{
		my ($floor, @names) = @{ $kinds{$group} };
		my $least  = $floor * int($cases / 50);
		my $counts = $self->{counts}{$group};
		push @out, map { "$group \"$_\": " . ($counts->{$_} // 0) . ", not $least" }
		  grep { ($counts->{$_} // 0) < $least } @names;
	}
	my $errors = sum($self->{counts}{error},     keys %{ $self->{counts}{error} });
	my $done   = sum($self->{counts}{statement}, map { $_->[1] } $self->dml) +
	  sum($self->{counts}{ddl}, map { $_->[1] } $self->ddl);
	my @shares = (
		[ 'statements that failed', $errors, $errors + $done, 0.33 ],
		[   'values lost by a key change', $exempt->{'values lost by a key change'},
			$exempt->{'values compared'},  0.005 ],
		[   'rows of tables without identity mended',
			$exempt->{'rows of tables without identity mended'},
			sum($self->{counts}{record}, keys %{ $self->{counts}{record} }),
			0.1 ],
		[   'tables copied again after a rewrite', $exempt->{'tables copied again after a rewrite'}, $cases,
			1 ]);
	push @out,
	  map { "too many $_->[0]: $_->[1] of $_->[2]" } grep { ($_->[1] // 0) > $_->[2] * $_->[3] } @shares;
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
