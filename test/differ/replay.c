/*
 * replay.c
 *		Tables as multisets of rows, one for each topic.
 *
 * Insert adds a row, Delete takes away the row that is equal to OLD in all
 * columns (the identity is FULL everywhere), Update does both.  A consumer
 * does not see DDL: whoever keeps a copy applies it there.  Here that is what
 * the records of one table do, which the source's event triggers write where
 * DDL changes columns or values:
 *
 *	differ.rewritten (schema_name, table_name, cols, rows)
 *		cols	JSON array of names; NULL: the table is gone
 *		rows	JSON array of arrays, all rows as text
 */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "../../plugin/topicname.h"
#include "die.h"
#include "utf8.h"

#define SHOWN		50			/* differences in words */
#define DDL_TOPIC	"differ.rewritten"

struct row
{
	struct row *next;			/* in its bucket */
	uint64_t	hash;
	int64_t		count;			/* never 0 */
	char		text[];			/* its values, see row_text() */
};

struct table
{
	struct table *next;
	char	   *topic;
	char	   *columns;		/* names, as row_text(); NULL: none known */
	struct row **buckets;
	size_t		bucket_count;
	size_t		row_count;		/* that are different from each other */
	bool		checked;
};

struct replay
{
	struct table *tables[1024]; /* by the topic's hash */
	uint64_t	differences;
	uint64_t	rewritten;
};

static struct table *table_find(struct replay *replay, const char *topic);
static void table_clear(struct table *table);
static void table_add(struct table *table, const char *text, int64_t by,
					  int64_t *after);
static void apply_ddl(struct replay *replay, const struct change *change);
static void remember_columns(struct replay *replay, struct table *table,
							 const struct change *change);
static void take_away(struct replay *replay, struct table *table,
					  const struct record *record, const char *row);
static uint64_t compare_table(struct replay *replay, PGconn *conn,
							  PGresult *tables, int number);
static char *row_text(const char *const *values, size_t count);
static PGresult *query(PGconn *conn, const char *text);

struct replay *
replay_open(void)
{
	return allocate(1, sizeof(struct replay));
}

void
replay_close(struct replay *replay)
{
	const size_t count = sizeof(replay->tables) / sizeof(*replay->tables);

	for (size_t i = 0; i < count; i++)
	{
		struct table *table = replay->tables[i];

		while (table)
		{
			struct table *next = table->next;

			table_clear(table);
			free(table->buckets);
			free(table->columns);
			free(table->topic);
			free(table);
			table = next;
		}
	}
	free(replay);
}

/* ---- applying ---- */

static void
tell(struct replay *replay, const char *topic, const char *what,
	 const char *detail)
{
	if (++replay->differences <= SHOWN)
		printf("copy of %s: %s: %.300s\n", topic, what, detail);
}

void
replay_apply(const struct record *record, void *arg)
{
	struct replay *replay = arg;
	const struct change *change = &record->change;
	struct table *table = table_find(replay, record->topic);
	char	   *old_row;
	char	   *new_row;

	if (strcmp(record->topic, DDL_TOPIC) == 0)
		apply_ddl(replay, change);
	if (record->truncate)
	{
		table_clear(table);
		return;
	}
	old_row = row_text(change->old_row, change->column_count);
	new_row = row_text(change->new_row, change->column_count);
	remember_columns(replay, table, change);
	if (old_row)
		take_away(replay, table, record, old_row);
	if (new_row)
		table_add(table, new_row, 1, NULL);
	free(old_row);
	free(new_row);
}

static void
take_away(struct replay *replay, struct table *table,
		  const struct record *record, const char *row)
{
	int64_t		after;

	table_add(table, row, -1, &after);
	if (after >= 0)
		return;
	table_add(table, row, 1, NULL);
	tell(replay, record->topic, "OLD finds no row", record->value);
}

/* Columns change by DDL alone, which is told beforehand. */
static void
remember_columns(struct replay *replay, struct table *table,
				 const struct change *change)
{
	char	   *columns = row_text(change->columns, change->column_count);

	if (table->columns && strcmp(table->columns, columns) != 0)
		tell(replay, table->topic, "columns changed without DDL", columns);
	free(table->columns);
	table->columns = columns;
}

static const char *
field(const struct change *change, const char *name)
{
	for (size_t i = 0; change->new_row && i < change->column_count; i++)
	{
		if (strcmp(change->columns[i], name) == 0)
			return change->new_row[i];
	}
	return NULL;
}

static char *
json_row_text(const json_t *array)
{
	size_t		count = json_array_size(array);
	const char **values = allocate(count, sizeof(char *));
	char	   *text;

	for (size_t i = 0; i < count; i++)
		values[i] = json_string_value(json_array_get(array, i));
	text = row_text(values, count);
	free(values);
	return text;
}

static void
apply_ddl(struct replay *replay, const struct change *change)
{
	const char *schema = field(change, "schema_name");
	const char *name = field(change, "table_name");
	const char *cols = field(change, "cols");
	const char *rows = field(change, "rows");
	char		topic[TOPIC_NAME_MAX + 1];
	struct table *table;
	json_t	   *json;

	if (schema == NULL || name == NULL)
		die("malformed row of " DDL_TOPIC);
	topic_name_default(topic, "", schema, name);
	table = table_find(replay, topic);
	table_clear(table);
	free(table->columns);
	table->columns = NULL;
	replay->rewritten++;
	if (cols == NULL)
		return;

	json = json_loads(cols, 0, NULL);
	table->columns = json_row_text(json);
	json_decref(json);
	json = json_loads(rows, 0, NULL);
	for (size_t i = 0; i < json_array_size(json); i++)
	{
		char	   *text = json_row_text(json_array_get(json, i));

		table_add(table, text, 1, NULL);
		free(text);
	}
	json_decref(json);
}

/* ---- tables ---- */

static struct table *
table_find(struct replay *replay, const char *topic)
{
	uint64_t	hash = topic_name_hash(topic, strlen(topic));
	struct table **slot = &replay->tables[hash % 1024];
	struct table *table;

	for (table = *slot; table; table = table->next)
	{
		if (strcmp(table->topic, topic) == 0)
			return table;
	}
	table = allocate(1, sizeof(*table));
	table->topic = strdup(topic);
	table->bucket_count = 16;
	table->buckets = allocate(table->bucket_count, sizeof(struct row *));
	table->next = *slot;
	*slot = table;
	return table;
}

static void
table_clear(struct table *table)
{
	for (size_t i = 0; i < table->bucket_count; i++)
	{
		while (table->buckets[i])
		{
			struct row *next = table->buckets[i]->next;

			free(table->buckets[i]);
			table->buckets[i] = next;
		}
	}
	table->row_count = 0;
}

static void
table_grow(struct table *table)
{
	size_t		count = table->bucket_count * 2;
	struct row **buckets = allocate(count, sizeof(struct row *));

	for (size_t i = 0; i < table->bucket_count; i++)
	{
		while (table->buckets[i])
		{
			struct row *row = table->buckets[i];

			table->buckets[i] = row->next;
			row->next = buckets[row->hash % count];
			buckets[row->hash % count] = row;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = count;
}

/* *after, if wanted: how many there are then. */
static void
table_add(struct table *table, const char *text, int64_t by, int64_t *after)
{
	size_t		len = strlen(text);
	uint64_t	hash = topic_name_hash(text, len);
	struct row **slot;
	struct row *row;

	if (table->row_count > table->bucket_count)
		table_grow(table);
	slot = &table->buckets[hash % table->bucket_count];
	while (*slot && ((*slot)->hash != hash ||
					 strcmp((*slot)->text, text) != 0))
		slot = &(*slot)->next;
	if (*slot == NULL)
	{
		*slot = allocate(1, sizeof(struct row) + len + 1);
		(*slot)->hash = hash;
		strcpy((*slot)->text, text);
		table->row_count++;
	}

	row = *slot;
	row->count += by;
	if (after)
		*after = row->count;
	if (row->count == 0)
	{
		*slot = row->next;
		free(row);
		table->row_count--;
	}
}

/* A length and its bytes for each value, "-" for null; NULL for no row. */
static char *
row_text(const char *const *values, size_t count)
{
	char	   *text = NULL;
	size_t		size;
	FILE	   *out;

	if (values == NULL)
		return NULL;
	out = open_memstream(&text, &size);
	for (size_t i = 0; i < count; i++)
	{
		if (values[i])
			fprintf(out, "%zu:%s,", strlen(values[i]), values[i]);
		else
			fputs("-,", out);
	}
	fclose(out);
	return text;
}

/* ---- comparing ---- */

uint64_t
replay_compare(struct replay *replay, const char *conninfo,
			   const char *settings, const char *publication)
{
	const char *keywords[] = {"dbname", "client_encoding", NULL};
	const char *values[] = {conninfo, "UTF8", NULL};
	PGconn	   *conn = PQconnectdbParams(keywords, values, 1);
	PGresult   *tables;
	uint64_t	rows = 0;
	char		text[2000];

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	PQclear(query(conn, settings));
	snprintf(text, sizeof(text),
			 "SELECT n.nspname, c.relname, a.list,"
			 " format('%%I.%%I', n.nspname, c.relname)"
			 " FROM pg_publication_tables p"
			 " JOIN pg_namespace n ON n.nspname = p.schemaname"
			 " JOIN pg_class c ON c.relnamespace = n.oid"
			 "  AND c.relname = p.tablename,"
			 " LATERAL (SELECT string_agg(format('%%I', attname), ', '"
			 "  ORDER BY attnum) AS list"
			 "  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0"
			 "  AND NOT attisdropped AND attgenerated = '') a"
			 " WHERE p.pubname = '%s' AND c.relkind = 'r' ORDER BY 1, 2",
			 publication);
	tables = query(conn, text);
	for (int i = 0; i < PQntuples(tables); i++)
		rows += compare_table(replay, conn, tables, i);
	printf("copies of %d tables, %" PRIu64 " rows compared with the source"
		   " (%" PRIu64 " times DDL was applied), %" PRIu64 " differences\n",
		   PQntuples(tables), rows, replay->rewritten, replay->differences);
	PQclear(tables);
	PQfinish(conn);
	return replay->differences;
}

/* The only row of a result, as a record would tell it. */
static char *
result_text(const PGresult *result)
{
	int			count = PQnfields(result);
	char	  **values = allocate((size_t) count, sizeof(char *));
	char	   *text;

	for (int c = 0; c < count; c++)
	{
		const char *value = PQgetvalue(result, 0, c);

		if (PQgetisnull(result, 0, c))
			continue;
		values[c] = utf8_mended(value, strlen(value));
		if (values[c] == NULL)
			values[c] = strdup(value);
	}
	text = row_text((const char *const *) values, (size_t) count);
	for (int c = 0; c < count; c++)
		free(values[c]);
	free(values);
	return text;
}

/* Takes the source's rows away from the copy, which must leave nothing. */
static const char *
find_difference(struct table *table, PGconn *conn, uint64_t *rows)
{
	static char detail[300];
	const char *what = NULL;
	PGresult   *result;

	while ((result = PQgetResult(conn)) != NULL)
	{
		char	   *text;
		int64_t		after;

		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
		{
			text = result_text(result);
			table_add(table, text, -1, &after);
			if (after < 0 && what == NULL)
			{
				snprintf(detail, sizeof(detail), "lacks the row %.200s", text);
				what = detail;
			}
			free(text);
			++*rows;
		}
		else if (PQresultStatus(result) != PGRES_TUPLES_OK)
			die("%s", PQresultErrorMessage(result));
		PQclear(result);
	}
	for (size_t i = 0; what == NULL && i < table->bucket_count; i++)
	{
		if (table->buckets[i])
		{
			snprintf(detail, sizeof(detail), "has the row %.200s too many",
					 table->buckets[i]->text);
			what = detail;
		}
	}
	return what;
}

static uint64_t
compare_table(struct replay *replay, PGconn *conn, PGresult *tables,
			  int number)
{
	const char *columns = PQgetvalue(tables, number, 2);
	const char *name = PQgetvalue(tables, number, 3);
	char		topic[TOPIC_NAME_MAX + 1];
	const char *what;
	uint64_t	rows = 0;
	char	   *text;
	size_t		size;
	FILE	   *out = open_memstream(&text, &size);

	topic_name_default(topic, "", PQgetvalue(tables, number, 0),
					   PQgetvalue(tables, number, 1));
	fprintf(out, "SELECT %s FROM ONLY %s", columns, name);
	fclose(out);
	if (!PQsendQuery(conn, text) || !PQsetSingleRowMode(conn))
		die("%s", PQerrorMessage(conn));
	free(text);

	what = find_difference(table_find(replay, topic), conn, &rows);
	if (what)
		tell(replay, topic, "it", what);
	return rows;
}

static PGresult *
query(PGconn *conn, const char *text)
{
	PGresult   *result = PQexec(conn, text);

	if (PQresultStatus(result) != PGRES_TUPLES_OK &&
		PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", text, PQerrorMessage(conn));
	return result;
}
