# What is written into the log for the component bench to decode.
#
# A workload is a hash: name, rows (changes in the log), tells (what it is), and
# SQL for before the slot is made (setup) and behind it (load).  Its publication
# is p; "published" is how many of the changes belong to it (default: all).
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
	[ wide => 0.4, \&wide ],);

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

# The statement for rows 1 to $rows, in transactions of a batch; ":rows" in it
# is where their numbers g come from.
sub in_batches
{
	my ($rows, $batch, $statement) = @_;
	my $last = int(($rows - 1) / $batch);
	my $g =
	  "generate_series(i * $batch + 1, least((i + 1) * $batch, $rows)) g";

	$statement =~ s/:rows/$g/;
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

1;
