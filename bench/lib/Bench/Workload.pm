# What is written into the log for the component bench to decode.
#
# A workload is a hash: name, rows (changes in the log), tells (what it is), and
# SQL for before the slot is made (setup) and behind it (load), in a database of
# its own.  Its publication is p; "published" is how many of the changes belong
# to it (default: all).
package Bench::Workload;

use strict;
use warnings;

use Carp;
use Exporter 'import';

our @EXPORT = qw(workload_names workload);

my $BATCH = 1000;    # rows a transaction, where nothing else is said

# In the order of the table; with the part of ROWS that each writes.
my @WORKLOADS = (
	[ narrow => 1, \&narrow ],
	[ one_row => 0.4, \&one_row ],
	[ wide => 0.4, \&wide ],
	[ full => 0.4, \&full ],
	[ toast => 0.04, \&toast ],
	[ copy => 1, \&copy ],
	[ huge => 1, \&huge ],
	[ tables => 0.4, \&tables ],
	[ indexes => 0.4, \&indexes ],
	[ filtered => 0.4, \&filtered ],);

sub workload_names
{
	return map { $_->[0] } @WORKLOADS;
}

sub workload
{
	my ($name, $rows) = @_;
	my ($found) = grep { $_->[0] eq $name } @WORKLOADS;
	croak "no workload \"$name\": it is one of " . join(' ', workload_names())
	  if !$found;
	my %workload = $found->[2]->(int($rows * $found->[1]));
	$workload{published} //= $workload{rows};
	return { name => $name, %workload };
}

# The statement for rows 1 to $rows, in transactions of a batch.  In it, ":rows"
# is where their numbers g come from, ":each" their range for a loop, ":range"
# the condition on the column id.
sub in_batches
{
	my ($rows, $batch, $statement) = @_;
	my $last = int(($rows - 1) / $batch);
	my ($from, $to) = ("i * $batch + 1", "least((i + 1) * $batch, $rows)");

	$statement =~ s/:rows/generate_series($from, $to) g/;
	$statement =~ s/:each/$from .. $to/;
	$statement =~ s/:range/id BETWEEN $from AND $to/;
	return <<"EOF";
DO \$load\$ BEGIN
	FOR i IN 0 .. $last LOOP
		$statement;
		COMMIT;
	END LOOP;
END \$load\$;
EOF
}

my $NARROW = <<'EOF';
CREATE TABLE narrow (id int PRIMARY KEY, name text, created_on timestamptz);
CREATE PUBLICATION p FOR TABLE narrow;
EOF
my $NARROW_ROWS =
  q{INSERT INTO narrow SELECT g, 'name ' || g, now() FROM :rows};

sub narrow
{
	my ($rows) = @_;
	return (
		tells => "3 columns, $BATCH rows a transaction",
		rows => $rows,
		setup => $NARROW,
		load => in_batches($rows, $BATCH, $NARROW_ROWS));
}

sub one_row
{
	my ($rows) = @_;
	return (
		tells => 'the same rows, one a transaction',
		rows => $rows,
		setup => $NARROW,
		load => in_batches($rows, 1, $NARROW_ROWS));
}

my $WIDE = <<'EOF';
CREATE TYPE state AS ENUM ('new', 'paid', 'shipped');
CREATE TABLE wide (id bigint PRIMARY KEY, customer int, kind smallint,
	active boolean, state state, price numeric(12,2), weight float8,
	ratio float4, born date, created_at timestamp, updated_at timestamptz,
	token uuid, code char(10), email varchar(80), title text, street text,
	city text, note text, attributes jsonb);
CREATE PUBLICATION p FOR TABLE wide;
EOF
my $WIDE_ROWS = <<'EOF';
INSERT INTO wide SELECT g, g % 1000, g % 7, g % 2 = 0,
	(ARRAY['new', 'paid', 'shipped'])[g % 3 + 1]::state, g * 0.37,
	g * 1.0001, g / 3.0, date '2020-01-01' + g % 1000,
	timestamp '2024-01-01' + g * interval '1 s', now(), md5(g::text)::uuid,
	'C' || g, 'user' || g || '@example.com', 'the "title" of order ' || g,
	g % 99 || ' Long Street', 'Springfield',
	repeat('a sentence, "quoted" and not; ', 6) || g,
	jsonb_build_object('colour', 'green', 'size', g % 50)
	FROM :rows
EOF

sub wide
{
	my ($rows) = @_;
	return (
		tells => "19 columns of mixed types, $BATCH rows a transaction",
		rows => $rows,
		setup => $WIDE,
		load => in_batches($rows, $BATCH, $WIDE_ROWS));
}

sub full
{
	my ($rows) = @_;
	my $filled = $NARROW_ROWS =~ s/:rows/generate_series(1, $rows) g/r;
	return (
		tells => 'updates under REPLICA IDENTITY FULL',
		rows => $rows,
		setup => "$NARROW ALTER TABLE narrow REPLICA IDENTITY FULL; $filled",
		load => in_batches(
			$rows, $BATCH,
			q{UPDATE narrow SET name = name || '!' WHERE :range}));
}

# 16 kB of text that must be escaped now and then.
my $BODY =
  q{left(repeat(md5((:g)::text) || md5((:g + 1)::text) || ' "', 256), 16384)};

sub toast
{
	my ($changes) = @_;
	my $rows = int($changes / 3) || 1;
	my ($old, $new) = map { $BODY =~ s/:g/$_/gr } 'g', 'id + 7';
	return (
		tells => '16 kB of text: inserted, left alone by an update, replaced',
		rows => $rows * 3,
		setup => <<'EOF',
CREATE TABLE toasted (id int PRIMARY KEY, note text, body text);
ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL;
CREATE PUBLICATION p FOR TABLE toasted;
EOF
		load => join '',
		map { in_batches($rows, 50, $_) } (
			"INSERT INTO toasted SELECT g, 'note', $old FROM :rows",
			q{UPDATE toasted SET note = 'noted' WHERE :range},
			"UPDATE toasted SET body = $new WHERE :range"));
}

my $COPIED = 10_000;    # rows a COPY

sub copy
{
	my ($rows) = @_;
	my $times = int($rows / $COPIED) || 1;
	return (
		tells => "the same rows by COPY, $COPIED at a time",
		rows => $times * $COPIED,
		setup => <<'EOF',
CREATE TABLE narrow (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	name text, created_on timestamptz DEFAULT now());
CREATE PUBLICATION p FOR TABLE narrow;
EOF
		load => in_batches(
			$times,
			1,
			qq{COPY narrow (name) FROM PROGRAM 'seq -f "name %.0f" $COPIED'})
	);
}

sub huge
{
	my ($rows) = @_;
	return (
		tells => 'the same rows in one transaction',
		rows => $rows,
		setup => $NARROW,
		load => in_batches($rows, $rows, $NARROW_ROWS));
}

sub tables
{
	my ($rows) = @_;
	my $tables = int($rows / 100) || 1;
	my $create = in_batches($tables, 100, <<'EOF');
FOR g IN :each LOOP
	EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, name text,
		created_on timestamptz)', g);
END LOOP
EOF
	return (
		tells => "$tables tables in turn, 100 rows a transaction",
		rows => $rows,
		setup => "CREATE PUBLICATION p FOR ALL TABLES; $create",
		load => in_batches($rows, 100, <<"EOF"));
FOR g IN :each LOOP
	EXECUTE format('INSERT INTO t%s VALUES (%s, ''name %s'', now())',
		g % $tables + 1, g, g);
END LOOP
EOF
}

sub indexes
{
	my ($rows) = @_;
	my $setup = $NARROW;
	$setup .= "CREATE INDEX ON narrow ($_);"
	  for 'name', 'created_on', 'name, id', 'created_on, id', 'id, name';
	return (
		tells => 'a table with six indexes',
		rows => $rows,
		setup => $setup,
		load => in_batches($rows, $BATCH, $NARROW_ROWS));
}

sub filtered
{
	my ($rows) = @_;
	return (
		tells => 'all of it in a table that is not published',
		rows => $rows,
		published => 0,
		setup => "CREATE TABLE other (id int PRIMARY KEY); $NARROW"
		  . 'ALTER PUBLICATION p SET TABLE other',
		load => in_batches($rows, $BATCH, $NARROW_ROWS));
}

1;
