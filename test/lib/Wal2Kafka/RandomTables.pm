# Tables, publications and a workload drawn at random: every identity, dropped
# columns, large values, partitions whose columns stand in another order.
#
# The caller seeds rand().
package Wal2Kafka::RandomTables;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(draw chance random_tables random_publication
  random_workload);

sub draw   { return $_[ rand @_ ]; }
sub chance { return rand() < $_[0]; }

# What a column can be, and expressions for its values.
my %types = (
	'int' => [ 'random_int()', '-2147483648', '0' ],
	'bigint' => [ 'random_int() * 1000000000::bigint', '9223372036854775807' ],
	'text' => [
		q(E'a "quoted" \\\\ \n\t\x01 \u00e9\u4e2d\U0001f600'), q(''),
		'md5(random_int()::text)', q('null')
	],
	'varchar(40)' => [ q('varchar'), 'md5(random_int()::text)' ],
	'char(7)' => [ q('a'), q('') ],
	'numeric' => [ q('NaN'), '1.50', '1e-20', '-12345678901234567890.12345' ],
	'float8' => [ q('Infinity'), '0.1', '1e300', '-0.0' ],
	'bool' => [ 'true', 'false' ],
	'bytea' => [ q('\x00ff41'), q('') ],
	'timestamptz' => [ q('2024-02-29 12:34:56.789+05'), q('infinity') ],
	'date' => [ q('0044-03-15 BC'), q('2024-12-31') ],
	'interval' => [ q('1 year 2 mons -3 days 04:05:06.7') ],
	'jsonb' => [ q('{"a": [1, "\"x\"", null]}'), q('null') ],
	'int[]' => [ q('{1,NULL,3}'), q('{}') ],
	'text[]' => [ q('{a,"b c","d\"e",NULL}') ],
	'int4range' => [ q{'[1,5)'}, q{'empty'} ],
	'inet' => [ q('10.0.0.0/8') ],
	'uuid' => [ q('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11') ],
	'money' => [ q('1234.56'), q('-0.01') ],
	'mood' => [ q('sad'), q('"glad"') ],
	'pair' => [ q('(1,"x,y")'), 'NULL' ],
);
my @type_names = sort keys %types;

sub value
{
	my ($type) = @_;
	return 'NULL' if chance(0.15);
	return 'large(' . int(rand 4) . ')' if $type eq 'text' && chance(0.35);
	return draw(@{ $types{$type} }) . "::$type";
}

my $helpers = <<'SQL';
CREATE SCHEMA s1;
CREATE SCHEMA "S ""2";
CREATE TYPE mood AS ENUM ('sad', '"glad"');
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION random_int() RETURNS int LANGUAGE sql VOLATILE AS
	$$ SELECT (random() * 100000)::int $$;
CREATE FUNCTION large(n int) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(md5(n::text || g), '') FROM generate_series(1, 200) g $$;
SQL

# Returns tables as hashes: name, columns ([name, type], without dropped
# ones), key (names), identity, root (of a partition); and the SQL.
sub random_tables
{
	my ($major) = @_;
	my @sql    = ($helpers);
	my @tables = map { random_table(\@sql, $major, $_) } 0 .. 7;

	push @tables, partition_tree(\@sql, $_) for 'one', 'two';
	$_->{list} = list($_) for @tables;
	# the same for a whole tree
	my %of_tree = map { $_->{tree} => $_->{list} } grep { $_->{tree} } @tables;
	$_->{list} = $of_tree{ $_->{tree} } for grep { $_->{tree} } @tables;
	return (\@tables, join("\n", @sql) . "\n");
}

# Equal names in two schemas, for it is not the name alone that counts.
sub random_table
{
	my ($sql, $major, $number) = @_;
	my $schema = $number % 2 ? 'public' : draw('s1', '"S ""2"', 'public');
	my $name = $schema . '.' . ($number < 3 ? "\"T$number\"" : "t$number");
	my @columns = ([ 'id', 'int' ], [ 'k', 'text' ]);

	push @columns, [ "c$_", draw(@type_names) ] for 1 .. int(rand 7);
	push @columns, [ 'big', 'text' ], [ '"we""ird"', 'text' ];

	my @all = @columns;
	splice @all, 1 + rand @all, 0, [ "gone$_", 'int' ] for 1 .. int(rand 3);
	my @gone = grep { $_ =~ /^gone/ } map { $_->[0] } @all;
	my @defined = map { "$_->[0] $_->[1]" } @all;
	push @defined, 'gen int GENERATED ALWAYS AS (id * 2) STORED' if chance(0.3);
	push @defined, 'virt int GENERATED ALWAYS AS (id * 3) VIRTUAL'
	  if $major >= 18 && chance(0.5);

	my @key = draw([], ['id'], ['id'], [ 'k', 'id' ]);
	@key = @{ $key[0] };
	push @defined, 'PRIMARY KEY (' . join(', ', @key) . ')' if @key;
	push @$sql, "CREATE TABLE $name (" . join(', ', @defined) . ');';
	push @$sql, "ALTER TABLE $name DROP COLUMN $_;" for @gone;
	push @$sql, "ALTER TABLE $name ALTER big SET STORAGE EXTERNAL;";

	my $table = { name => $name, columns => \@columns, key => \@key,
		generated => scalar grep { /^gen / } @defined };
	set_identity($sql, $table, $number);
	return $table;
}

sub set_identity
{
	my ($sql, $table, $number) = @_;
	my $name = $table->{name};
	my $kind = draw('FULL', 'DEFAULT', 'DEFAULT', 'INDEX', 'NOTHING');
	my @index = draw(['id'], [ 'k', 'id' ], ['k']);

	$table->{identity} = $kind;
	$table->{key} = [] if $kind eq 'NOTHING';
	if ($kind eq 'INDEX')
	{
		$table->{key} = $index[0];
		push @$sql, "ALTER TABLE $name ALTER $_ SET NOT NULL;"
		  for @{ $table->{key} };
		push @$sql, "CREATE UNIQUE INDEX identity$number ON $name ("
		  . join(', ', @{ $table->{key} }) . ');';
		$kind = "USING INDEX identity$number";
	}
	push @$sql, "ALTER TABLE $name REPLICA IDENTITY $kind;";
	return;
}

# Three levels; a leaf has its columns in another order, and a dropped one.
sub partition_tree
{
	my ($sql, $root) = @_;
	my $identity = draw('FULL', 'DEFAULT');
	my @columns  = ([ 'id', 'int' ], [ 'k', 'text' ], [ 'c1', 'numeric' ],
		[ 'big', 'text' ]);
	my $columns = 'id int, k text, c1 numeric, big text, PRIMARY KEY (id, k)';
	my @names = map { "${root}_$_" } qw(low high high_a high_b);

	push @$sql, <<"SQL";
CREATE TABLE $root ($columns) PARTITION BY RANGE (id);
CREATE TABLE $names[0] PARTITION OF $root FOR VALUES FROM (MINVALUE) TO (200);
CREATE TABLE s1.$names[1] (big text, k text NOT NULL, gone int, id int NOT NULL, c1 numeric,
	PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
ALTER TABLE s1.$names[1] DROP gone;
CREATE TABLE $names[2] PARTITION OF s1.$names[1] FOR VALUES FROM (200) TO (300);
CREATE TABLE $names[3] (gone int, c1 numeric, k text NOT NULL, gone2 text, big text, id int NOT NULL,
	PRIMARY KEY (id, k));
ALTER TABLE $names[3] DROP gone, DROP gone2;
ALTER TABLE s1.$names[1] ATTACH PARTITION $names[3] FOR VALUES FROM (300) TO (MAXVALUE);
ALTER TABLE s1.$names[1] ATTACH PARTITION s1.$names[1]_none DEFAULT;
ALTER TABLE $root ATTACH PARTITION s1.$names[1] FOR VALUES FROM (200) TO (MAXVALUE);
SQL
	$sql->[-1] =~ s/^.*_none DEFAULT;\n//m;
	my @leaves = ($names[0], $names[2], $names[3]);
	push @$sql, "ALTER TABLE $_ REPLICA IDENTITY $identity;"
	  for @leaves, $root, "s1.$names[1]";
	return map { { name => $_, columns => \@columns, key => [ 'id', 'k' ],
		identity => $identity, partitions => $_ eq $root || $_ =~ /^s1/,
		tree => $root } } $root, "s1.$names[1]", @leaves;
}

# SQL of a publication, with row filters and, if "lists", column lists.  The
# server refuses some: then the caller draws again.
sub random_publication
{
	my ($name, $major, $tables, $lists) = @_;
	return "CREATE PUBLICATION $name "
	  . published_tables($major, $tables, $lists)
	  . ' WITH (' . publication_options($major) . ');';
}

sub published_tables
{
	my ($major, $tables, $lists) = @_;
	# whole tables and lists of their columns seldom go together
	my $kind = $lists ? 0.15 + rand : rand;

	if ($kind < 0.2)
	{
		return 'FOR ALL TABLES' if $major < 19 || chance(0.5);
		my ($but) = grep { !$_->{tree} && chance(0.3) } @$tables;
		return 'FOR ALL TABLES' . ($but ? " EXCEPT (TABLE $but->{name})" : '');
	}
	return 'FOR TABLES IN SCHEMA ' . draw('public', 's1', 'public, s1')
	  if $kind < 0.4;

	my @some = grep { chance(0.5) } @$tables;
	@some = ($tables->[0]) if !@some;
	return 'FOR TABLE ' . join ', ',
	  map { $_->{name} . ($lists ? $_->{list} : '') . filter($_) } @some;
}

sub publication_options
{
	my ($major) = @_;
	my @options = ('publish = \'' . draw(('insert, update, delete, truncate') x 4,
		'insert', 'update, delete', 'insert, update', 'delete, truncate',
		'insert, truncate') . '\'');

	push @options, 'publish_via_partition_root = ' . draw('true', 'false');
	push @options, 'publish_generated_columns = ' . draw('stored', 'none')
	  if $major >= 18;
	return join ', ', @options;
}

# A column list, the same for all publications, or they contradict each other.
# Mostly such that updates stay allowed: with the identity's columns.
sub list
{
	my ($table) = @_;
	my %key = map { $_ => 1 } @{ $table->{key} };
	my @others = map { $_->[0] } grep { !$key{ $_->[0] } } @{ $table->{columns} };
	my @some = (@{ $table->{key} }, grep { chance(0.5) } @others);

	return '' if $table->{identity} eq 'FULL' || chance(0.3) || !@some;
	return ' (' . join(', ', sort { $a cmp $b } @some) . ')';
}

sub filter
{
	my ($table) = @_;
	my @usable = $table->{identity} eq 'FULL' ? ('id', 'k', 'big') : @{ $table->{key} };

	@usable = ('id') if !@usable || chance(0.1);
	return chance(0.4) ? ' WHERE (' . filter_on(draw(@usable)) . ')' : '';
}

sub filter_on
{
	my ($column) = @_;
	return draw('id > 150', 'id % 2 = 0', 'id BETWEEN 50 AND 350',
		'id IS NOT NULL AND id < 250') if $column eq 'id';
	return draw('big IS NOT NULL', 'length(big) > 100') if $column eq 'big';
	return draw("k > 'k2'", "k LIKE '%1%' OR k IS NULL", "length(k) = 2");
}

# Statements to be run one by one; some of them are refused by the server.
sub random_workload
{
	my ($tables, $count) = @_;
	my @sql;
	my $depth = 0;

	for (1 .. $count)
	{
		my $choice = rand;

		if ($choice < 0.08)
		{
			push @sql, $depth ? draw('COMMIT;', 'COMMIT;', 'COMMIT;', 'ROLLBACK;') : 'BEGIN;';
			$depth = !$depth;
		}
		elsif ($choice < 0.1 && $depth)
		{
			push @sql, 'SAVEPOINT s;', statement(draw(@$tables)),
			  draw('ROLLBACK TO s;', 'RELEASE s;');
		}
		else
		{
			push @sql, statement(draw(@$tables));
		}
	}
	push @sql, 'COMMIT;' if $depth;
	return join "\n", @sql, '';
}

sub statement
{
	my ($table) = @_;
	my $name  = $table->{name};
	my $id    = int rand 400;
	my $choice = rand;

	return insert_into($table, $id) if $choice < 0.45;
	return "UPDATE $name SET " . assignment($table) . " WHERE id = $id;"
	  if $choice < 0.55;
	return "UPDATE $name SET " . assignment($table) . ' WHERE id % 10 = '
	  . ($id % 10) . ';' if $choice < 0.72;
	return "UPDATE $name SET id = id + " . (1 + $id) . " WHERE id = $id OR id = $id + 1;"
	  if $choice < 0.78;
	return "UPDATE $name SET k = 'k$id' WHERE id % 50 = " . ($id % 50) . ';'
	  if $choice < 0.83;
	return "DELETE FROM $name WHERE id % 20 = " . ($id % 20) . ';'
	  if $choice < 0.95;
	return "INSERT INTO $name (id, k) SELECT g, 'm' || g FROM generate_series($id, $id + 30) g"
	  . ' ON CONFLICT DO NOTHING;' if $choice < 0.985;
	return "TRUNCATE $name" . draw('', ' RESTART IDENTITY', ' CASCADE') . ';';
}

sub insert_into
{
	my ($table, $id) = @_;
	my @names  = map { $_->[0] } @{ $table->{columns} };
	my @values = map { $_->[0] eq 'id' ? $id
		  : $_->[0] eq 'k' ? "'k" . int(rand 40) . "'"
		  : value($_->[1]) } @{ $table->{columns} };

	# below a partitioned table not every id has a place
	return "INSERT INTO $table->{name} (" . join(', ', @names) . ') VALUES ('
	  . join(', ', @values) . ') ON CONFLICT DO NOTHING;';
}

sub assignment
{
	my ($table) = @_;
	my @columns = grep { $_->[0] !~ /^(id|k)$/ } @{ $table->{columns} };
	my $column  = draw(@columns);
	return "$column->[0] = " . value($column->[1]);
}

1;
