/*
 * pgoutput.c
 *		Reads the messages of pgoutput, protocol version 1.
 *
 * Its text is trusted, its layout is not: whatever cannot be read ends the
 * program, for nothing would have been compared.
 */
#include "pgoutput.h"

#include <string.h>

#include "die.h"
#include "utf8.h"

#define MAX_OID		(1u << 24)	/* a test server draws small ones */

struct reader
{
	const char *next;
	const char *end;
};

struct pgoutput
{
	struct source *source;
	struct their_table **tables;	/* by OID */
	size_t		table_size;
	struct their_change change;
	size_t		row_size;
	struct reader truncated;	/* tables of a truncate still to come */
	bool		in_transaction;
};

static bool take_message(struct pgoutput *theirs, const char *data,
						 size_t len);
static void take_begin(struct pgoutput *theirs, struct reader *in);
static void take_table(struct pgoutput *theirs, struct reader *in);
static void take_row_change(struct pgoutput *theirs, struct reader *in,
							enum their_op op);
static void take_row(struct pgoutput *theirs, struct reader *in,
					 struct their_value *row);
static bool next_truncated(struct pgoutput *theirs);
static const struct their_table *table_of(struct pgoutput *theirs,
										  uint32_t oid);
static void table_free(struct their_table *table);
static uint64_t take_int(struct reader *in, int size);
static char take_char(struct reader *in);
static char *take_name(struct reader *in);

struct pgoutput *
pgoutput_open(struct source *source)
{
	struct pgoutput *theirs = allocate(1, sizeof(*theirs));

	theirs->source = source;
	theirs->row_size = 2000;	/* no table has more columns than 1,600 */
	theirs->change.old_row = allocate(theirs->row_size,
									  sizeof(struct their_value));
	theirs->change.new_row = allocate(theirs->row_size,
									  sizeof(struct their_value));
	return theirs;
}

void
pgoutput_close(struct pgoutput *theirs)
{
	for (size_t i = 0; i < theirs->table_size; i++)
		table_free(theirs->tables[i]);
	free(theirs->tables);
	free(theirs->change.old_row);
	free(theirs->change.new_row);
	source_close(theirs->source);
	free(theirs);
}

const struct their_change *
pgoutput_next(struct pgoutput *theirs)
{
	const char *data;
	size_t		len;

	if (next_truncated(theirs))
		return &theirs->change;
	while (source_next(theirs->source, &data, &len))
	{
		if (take_message(theirs, data, len))
			return &theirs->change;
	}
	return NULL;
}

/* Whether it was a change. */
static bool
take_message(struct pgoutput *theirs, const char *data, size_t len)
{
	struct reader in = {data, data + len};
	char		kind = take_char(&in);
	uint64_t	flags;

	switch (kind)
	{
		case 'B':
			take_begin(theirs, &in);
			return false;
		case 'C':
			theirs->in_transaction = false;
			return false;
		case 'O':
		case 'Y':
		case 'M':
			return false;
		case 'R':
			take_table(theirs, &in);
			return false;
		case 'I':
			take_row_change(theirs, &in, THEIR_INSERT);
			return true;
		case 'U':
			take_row_change(theirs, &in, THEIR_UPDATE);
			return true;
		case 'D':
			take_row_change(theirs, &in, THEIR_DELETE);
			return true;
		case 'T':
			(void) take_int(&in, 4);
			flags = take_int(&in, 1);
			theirs->change.op = THEIR_TRUNCATE;
			theirs->change.cascade = (flags & 1) != 0;
			theirs->change.restart_identity = (flags & 2) != 0;
			theirs->truncated = in;
			return next_truncated(theirs);
		default:
			die("pgoutput: unknown message \"%c\"", kind);
	}
	return false;
}

static void
take_begin(struct pgoutput *theirs, struct reader *in)
{
	theirs->change.lsn = take_int(in, 8);
	theirs->change.commit_time = (int64_t) take_int(in, 8);
	theirs->change.xid = (uint32_t) take_int(in, 4);
	theirs->in_transaction = true;
}

static void
take_table(struct pgoutput *theirs, struct reader *in)
{
	uint32_t	oid = (uint32_t) take_int(in, 4);
	struct their_table *table = allocate(1, sizeof(*table));
	char	   *schema = take_name(in);

	if (oid >= MAX_OID)
		die("pgoutput: table with OID %u", oid);
	table->schema = schema[0] ? schema : strdup("pg_catalog");
	if (schema[0] == '\0')
		free(schema);
	table->name = take_name(in);
	table->identity = take_char(in);
	table->count = take_int(in, 2);
	table->columns = allocate(table->count, sizeof(struct their_column));
	for (size_t i = 0; i < table->count; i++)
	{
		table->columns[i].key = (take_int(in, 1) & 1) != 0;
		table->columns[i].name = take_name(in);
		(void) take_int(in, 8); /* type and its modifier */
	}

	if (oid >= theirs->table_size)
	{
		size_t		size = (size_t) oid + 1000;

		theirs->tables = realloc(theirs->tables, size * sizeof(void *));
		if (theirs->tables == NULL)
			die("out of memory");
		memset(theirs->tables + theirs->table_size, 0,
			   (size - theirs->table_size) * sizeof(void *));
		theirs->table_size = size;
	}
	table_free(theirs->tables[oid]);
	theirs->tables[oid] = table;
}

static void
take_row_change(struct pgoutput *theirs, struct reader *in, enum their_op op)
{
	struct their_change *change = &theirs->change;
	char		kind;

	if (!theirs->in_transaction)
		die("pgoutput: a change outside of a transaction");
	change->op = op;
	change->old_kind = 0;
	change->table = table_of(theirs, (uint32_t) take_int(in, 4));
	kind = take_char(in);
	if (kind == 'K' || kind == 'O')
	{
		change->old_kind = kind;
		take_row(theirs, in, change->old_row);
		if (op == THEIR_DELETE)
			return;
		kind = take_char(in);
	}
	if (kind != 'N' || op == THEIR_DELETE)
		die("pgoutput: unknown kind of row \"%c\"", kind);
	take_row(theirs, in, change->new_row);
}

static void
take_row(struct pgoutput *theirs, struct reader *in, struct their_value *row)
{
	size_t		count = take_int(in, 2);

	if (count != theirs->change.table->count || count > theirs->row_size)
		die("pgoutput: a row of %zu columns in a table of %zu", count,
			theirs->change.table->count);
	for (size_t i = 0; i < count; i++)
	{
		row[i].kind = take_char(in);
		if (row[i].kind == 'n' || row[i].kind == 'u')
			continue;
		if (row[i].kind != 't')
			die("pgoutput: unknown kind of value \"%c\"", row[i].kind);
		row[i].len = take_int(in, 4);
		row[i].text = in->next;
		if ((size_t) (in->end - in->next) < row[i].len)
			die("pgoutput: a value is cut off");
		in->next += row[i].len;
	}
}

static bool
next_truncated(struct pgoutput *theirs)
{
	struct reader *in = &theirs->truncated;

	if (in->next == in->end)
		return false;
	theirs->change.op = THEIR_TRUNCATE;
	theirs->change.table = table_of(theirs, (uint32_t) take_int(in, 4));
	return true;
}

static const struct their_table *
table_of(struct pgoutput *theirs, uint32_t oid)
{
	if (oid >= theirs->table_size || theirs->tables[oid] == NULL)
		die("pgoutput: table %u was not announced", oid);
	return theirs->tables[oid];
}

static void
table_free(struct their_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->columns[i].name);
	free(table->columns);
	free(table->schema);
	free(table->name);
	free(table);
}

static uint64_t
take_int(struct reader *in, int size)
{
	uint64_t	number = 0;

	if (in->end - in->next < size)
		die("pgoutput: a message is cut off");
	for (int i = 0; i < size; i++)
		number = number << 8 | (unsigned char) *in->next++;
	return number;
}

static char
take_char(struct reader *in)
{
	return (char) take_int(in, 1);
}

/* As ours has it: mended. */
static char *
take_name(struct reader *in)
{
	const char *text = in->next;
	size_t		len = strnlen(text, (size_t) (in->end - in->next));
	char	   *mended;

	if (len == (size_t) (in->end - in->next))
		die("pgoutput: a name is cut off");
	in->next += len + 1;
	mended = utf8_mended(text, len);
	return mended ? mended : strdup(text);
}
