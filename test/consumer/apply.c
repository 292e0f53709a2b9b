/*
 * apply.c
 *		Changes as SQL.  An insert is an upsert where the table has a primary
 *		key, unless plain ones are asked for; updates and deletes find their row
 *		by the primary key's columns in the old row, or by the whole old row where
 *		there is none.
 */
#include "apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#define STATEMENT_BUCKETS 256

/* A table of the target and its primary key, from its catalog. */
struct table
{
	char	   *name;
	char	   *quoted;
	char	  **key;
	size_t		key_count;
	struct table *next;
};

/* A prepared statement, for one operation with one set of columns. */
struct statement
{
	char	   *what;			/* operation, table, columns */
	char		name[16];
	struct statement *next;
};

struct apply
{
	PGconn	   *conn;			/* in pipeline mode */
	PGconn	   *catalog;		/* for questions that need an answer now */
	char	   *consumer;
	bool		plain_insert;
	struct table *tables;
	struct statement *statements[STATEMENT_BUCKETS];
	unsigned	statement_count;
	bool		in_transaction;
	bool	   *finds_row;		/* of each command sent: it must find a row */
	size_t		sent;
	size_t		room;
	uint64_t	missed;
};

/* A string under construction. */
struct text
{
	char	   *data;
	size_t		len;
	size_t		room;
};

static PGconn *connect_to(const char *conninfo);
static bool run(PGconn *conn, const char *sql);
static bool send_statement(struct apply *apply, const char *name,
						   size_t count, const char *const *values,
						   bool finds_row);
static bool send_sql(struct apply *apply, const char *sql);
static bool count_command(struct apply *apply, int sent, bool finds_row);
static bool read_results(struct apply *apply);
static struct table *find_table(struct apply *apply, const char *name);
static struct table *load_table(struct apply *apply, const char *name);
static bool check_key(const struct table *table, const struct change *change);
static const char *find_statement(struct apply *apply,
								  const struct table *table,
								  const struct change *change);
static char *build_sql(struct apply *apply, const struct table *table,
					   const struct change *change);
static void build_insert(struct apply *apply, struct text *sql,
						 const struct table *table,
						 const struct change *change);
static void build_where(struct apply *apply, struct text *sql,
						const struct table *table,
						const struct change *change, size_t first);
static bool moves_key(const struct table *table, const struct change *change);
static bool sets_column(const struct table *table,
						const struct change *change, size_t i);
static bool is_key(const struct table *table, const char *column);
static void add(struct text *text, const char *string);
static void add_name(struct text *text, PGconn *conn, const char *name);
static void add_number(struct text *text, size_t number);

struct apply *
apply_open(const char *conninfo, const char *consumer, bool plain_insert)
{
	struct apply *apply = calloc(1, sizeof(*apply));

	apply->consumer = strdup(consumer);
	apply->plain_insert = plain_insert;
	apply->catalog = connect_to(conninfo);
	apply->conn = connect_to(conninfo);
	if (apply->catalog && apply->conn &&
		run(apply->catalog,
			"CREATE TABLE IF NOT EXISTS consumer_position ("
			"consumer text, topic text, \"partition\" integer, "
			"next_offset bigint NOT NULL, "
			"lsn numeric(20) NOT NULL, seq_id numeric(20) NOT NULL, "
			"PRIMARY KEY (consumer, topic, \"partition\"))") &&
		PQenterPipelineMode(apply->conn))
		return apply;
	apply_close(apply);
	return NULL;
}

void
apply_close(struct apply *apply)
{
	PQfinish(apply->conn);
	PQfinish(apply->catalog);
	for (struct table *next, *t = apply->tables; t; t = next)
	{
		next = t->next;
		for (size_t i = 0; i < t->key_count; i++)
			free(t->key[i]);
		free(t->key);
		free(t->name);
		free(t->quoted);
		free(t);
	}
	for (int i = 0; i < STATEMENT_BUCKETS; i++)
		for (struct statement *next, *s = apply->statements[i]; s; s = next)
		{
			next = s->next;
			free(s->what);
			free(s);
		}
	free(apply->finds_row);
	free(apply->consumer);
	free(apply);
}

bool
apply_load_position(struct apply *apply, const char *topic, int32_t partition,
					struct position *position)
{
	char		number[16];
	const char *values[] = {apply->consumer, topic, number};
	PGresult   *res;
	bool		ok;

	snprintf(number, sizeof(number), "%d", (int) partition);
	res = PQexecParams(apply->catalog,
					   "SELECT next_offset, lsn, seq_id "
					   "FROM consumer_position "
					   "WHERE consumer = $1 AND topic = $2 "
					   "AND \"partition\" = $3",
					   3, NULL, values, NULL, NULL, 0);
	ok = PQresultStatus(res) == PGRES_TUPLES_OK;
	memset(position, 0, sizeof(*position));
	if (!ok)
		fprintf(stderr, "could not read the position: %s",
				PQerrorMessage(apply->catalog));
	else if (PQntuples(res) == 1)
	{
		position->known = true;
		position->next_offset = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
		position->lsn = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
		position->seq_id = strtoull(PQgetvalue(res, 0, 2), NULL, 10);
	}
	PQclear(res);
	return ok;
}

bool
apply_change(struct apply *apply, const struct change *change)
{
	struct table *table = find_table(apply, change->table_name);
	size_t		count = change->column_count;
	const char **values;
	const char *name;
	size_t		used = 0;
	bool		ok;

	if (table == NULL || !check_key(table, change))
		return false;
	if (!apply->in_transaction && !send_sql(apply, "BEGIN"))
		return false;
	apply->in_transaction = true;
	name = find_statement(apply, table, change);
	if (name == NULL)
		return false;

	/* the new row's values, then those that find the old one */
	values = calloc(2 * count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		if (sets_column(table, change, i))
			values[used++] = change->new_row[i];
	for (size_t i = 0; change->old_row && i < count; i++)
		if (table->key_count == 0 || is_key(table, change->columns[i]))
			values[used++] = change->old_row[i];
	ok = send_statement(apply, name, used, values, change->op != OP_INSERT);
	free(values);
	return ok;
}

bool
apply_save_position(struct apply *apply, const char *topic, int32_t partition,
					const struct position *position)
{
	static const char upsert[] =
	"INSERT INTO consumer_position VALUES ($1, $2, $3, $4, $5, $6) "
	"ON CONFLICT (consumer, topic, \"partition\") "
	"DO UPDATE SET next_offset = EXCLUDED.next_offset, "
	"lsn = EXCLUDED.lsn, seq_id = EXCLUDED.seq_id";
	char		number[4][24];
	const char *values[] = {apply->consumer, topic, number[0], number[1],
	number[2], number[3]};

	if (!apply->in_transaction && !send_sql(apply, "BEGIN"))
		return false;
	apply->in_transaction = true;
	snprintf(number[0], sizeof(number[0]), "%d", (int) partition);
	snprintf(number[1], sizeof(number[1]), "%" PRId64, position->next_offset);
	snprintf(number[2], sizeof(number[2]), "%" PRIu64, position->lsn);
	snprintf(number[3], sizeof(number[3]), "%" PRIu64, position->seq_id);
	return count_command(apply,
						 PQsendQueryParams(apply->conn, upsert, 6, NULL,
										   values, NULL, NULL, 0),
						 false);
}

bool
apply_commit(struct apply *apply)
{
	if (!apply->in_transaction)
		return true;
	apply->in_transaction = false;
	return send_sql(apply, "COMMIT") && PQpipelineSync(apply->conn) &&
		read_results(apply);
}

uint64_t
apply_missed(const struct apply *apply)
{
	return apply->missed;
}

/* Values are compared as text where there is no key: fix how they look. */
static PGconn *
connect_to(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) == CONNECTION_OK &&
		run(conn, "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; "
			"SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
			"SET bytea_output = 'hex'; SET extra_float_digits = 1; "
			"SET client_min_messages = 'warning'"))
		return conn;
	fprintf(stderr, "could not connect to the target: %s",
			PQerrorMessage(conn));
	PQfinish(conn);
	return NULL;
}

static bool
run(PGconn *conn, const char *sql)
{
	PGresult   *res = PQexec(conn, sql);
	bool		ok = PQresultStatus(res) == PGRES_COMMAND_OK;

	if (!ok)
		fprintf(stderr, "%s", PQerrorMessage(conn));
	PQclear(res);
	return ok;
}

static bool
send_statement(struct apply *apply, const char *name, size_t count,
			   const char *const *values, bool finds_row)
{
	return count_command(apply,
						 PQsendQueryPrepared(apply->conn, name, (int) count,
											 values, NULL, NULL, 0),
						 finds_row);
}

static bool
send_sql(struct apply *apply, const char *sql)
{
	return count_command(apply,
						 PQsendQueryParams(apply->conn, sql, 0, NULL, NULL,
										   NULL, NULL, 0),
						 false);
}

static bool
count_command(struct apply *apply, int sent, bool finds_row)
{
	if (!sent)
	{
		fprintf(stderr, "could not send to the target: %s",
				PQerrorMessage(apply->conn));
		return false;
	}
	if (apply->sent == apply->room)
	{
		apply->room = 2 * apply->room + 64;
		apply->finds_row = realloc(apply->finds_row,
								   apply->room * sizeof(bool));
	}
	apply->finds_row[apply->sent++] = finds_row;
	return true;
}

static bool
read_results(struct apply *apply)
{
	bool		ok = true;
	PGresult   *res;

	for (size_t i = 0; i < apply->sent; i++)
		while ((res = PQgetResult(apply->conn)) != NULL)
		{
			if (ok && PQresultStatus(res) != PGRES_COMMAND_OK)
			{
				fprintf(stderr, "target: %s", PQresultErrorMessage(res));
				ok = false;
			}
			if (apply->finds_row[i] && strcmp(PQcmdTuples(res), "0") == 0)
				apply->missed++;
			PQclear(res);
		}
	apply->sent = 0;
	PQclear(PQgetResult(apply->conn));	/* of the sync */
	return ok;
}

static struct table *
find_table(struct apply *apply, const char *name)
{
	for (struct table *t = apply->tables; t; t = t->next)
		if (strcmp(t->name, name) == 0)
			return t;
	return load_table(apply, name);
}

static struct table *
load_table(struct apply *apply, const char *name)
{
	PGresult   *res;
	struct table *table;
	char	   *quoted = PQescapeIdentifier(apply->catalog, name,
											strlen(name));
	const char *values[] = {quoted};

	res = PQexecParams(apply->catalog,
					   "SELECT c.oid::regclass, a.attname "
					   "FROM pg_class c "
					   "LEFT JOIN pg_index i ON i.indrelid = c.oid "
					   "AND i.indisprimary "
					   "LEFT JOIN pg_attribute a ON a.attrelid = c.oid "
					   "AND a.attnum = ANY (i.indkey) "
					   "WHERE c.oid = to_regclass($1) ORDER BY a.attnum",
					   1, NULL, values, NULL, NULL, 0);
	PQfreemem(quoted);
	if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) == 0)
	{
		fprintf(stderr, "there is no table \"%s\" in the target\n", name);
		PQclear(res);
		return NULL;
	}

	table = calloc(1, sizeof(*table));
	table->name = strdup(name);
	table->quoted = strdup(PQgetvalue(res, 0, 0));
	table->key = calloc((size_t) PQntuples(res), sizeof(char *));
	for (int i = 0; i < PQntuples(res) && !PQgetisnull(res, i, 1); i++)
		table->key[table->key_count++] = strdup(PQgetvalue(res, i, 1));
	PQclear(res);
	table->next = apply->tables;
	apply->tables = table;
	return table;
}

/* A record that does not tell the key columns cannot be applied. */
static bool
check_key(const struct table *table, const struct change *change)
{
	size_t		found = 0;

	for (size_t i = 0; i < change->column_count; i++)
		found += is_key(table, change->columns[i]);
	if (found == table->key_count)
		return true;
	fprintf(stderr, "the record lacks key columns of table \"%s\"\n",
			table->name);
	return false;
}

static const char *
find_statement(struct apply *apply, const struct table *table,
			   const struct change *change)
{
	struct text what = {0};
	struct statement *statement;
	unsigned	hash = 5381;
	char	   *sql;
	bool		ok;

	add_number(&what, change->op);
	add(&what, moves_key(table, change) ? "moved " : " ");
	add(&what, table->quoted);
	for (size_t i = 0; i < change->column_count; i++)
	{
		add(&what, "\x01");
		add(&what, change->columns[i]);
	}
	for (const char *c = what.data; *c; c++)
		hash = hash * 33 + (unsigned char) *c;
	hash %= STATEMENT_BUCKETS;

	for (statement = apply->statements[hash]; statement;
		 statement = statement->next)
		if (strcmp(statement->what, what.data) == 0)
		{
			free(what.data);
			return statement->name;
		}

	statement = calloc(1, sizeof(*statement));
	statement->what = what.data;
	snprintf(statement->name, sizeof(statement->name), "s%u",
			 apply->statement_count++);
	statement->next = apply->statements[hash];
	apply->statements[hash] = statement;
	sql = build_sql(apply, table, change);
	ok = count_command(apply,
					   PQsendPrepare(apply->conn, statement->name, sql, 0,
									 NULL),
					   false);
	free(sql);
	return ok ? statement->name : NULL;
}

static char *
build_sql(struct apply *apply, const struct table *table,
		  const struct change *change)
{
	struct text sql = {0};
	size_t		used = 0;

	switch (change->op)
	{
		case OP_INSERT:
			build_insert(apply, &sql, table, change);
			break;
		case OP_UPDATE:
			add(&sql, "UPDATE ");
			add(&sql, table->quoted);
			add(&sql, " SET ");
			for (size_t i = 0; i < change->column_count; i++)
			{
				if (!sets_column(table, change, i))
					continue;
				add(&sql, used ? ", " : "");
				add_name(&sql, apply->conn, change->columns[i]);
				add(&sql, " = $");
				add_number(&sql, ++used);
			}
			build_where(apply, &sql, table, change, used + 1);
			break;
		case OP_DELETE:
			add(&sql, "DELETE FROM ");
			add(&sql, table->quoted);
			build_where(apply, &sql, table, change, 1);
			break;
	}
	return sql.data;
}

static void
build_insert(struct apply *apply, struct text *sql, const struct table *table,
			 const struct change *change)
{
	const char *separator = ") DO UPDATE SET ";

	add(sql, "INSERT INTO ");
	add(sql, table->quoted);
	add(sql, " (");
	for (size_t i = 0; i < change->column_count; i++)
	{
		add(sql, i ? ", " : "");
		add_name(sql, apply->conn, change->columns[i]);
	}
	add(sql, ") OVERRIDING SYSTEM VALUE VALUES (");
	for (size_t i = 0; i < change->column_count; i++)
	{
		add(sql, i ? ", $" : "$");
		add_number(sql, i + 1);
	}
	add(sql, ")");
	if (table->key_count == 0 || apply->plain_insert)
		return;

	add(sql, " ON CONFLICT (");
	for (size_t i = 0; i < table->key_count; i++)
	{
		add(sql, i ? ", " : "");
		add_name(sql, apply->conn, table->key[i]);
	}
	if (change->column_count == table->key_count)
		add(sql, ") DO NOTHING");
	for (size_t i = 0; i < change->column_count; i++)
	{
		if (is_key(table, change->columns[i]))
			continue;
		add(sql, separator);
		add_name(sql, apply->conn, change->columns[i]);
		add(sql, " = EXCLUDED.");
		add_name(sql, apply->conn, change->columns[i]);
		separator = ", ";
	}
}

/*
 * By key, or one row that equals the whole old one.  format() gives a type's
 * text output, which a cast to text does not for all types.
 */
static void
build_where(struct apply *apply, struct text *sql, const struct table *table,
			const struct change *change, size_t first)
{
	const char *separator = " WHERE ";

	if (table->key_count == 0)
	{
		add(sql, " WHERE ctid = (SELECT ctid FROM ");
		add(sql, table->quoted);
	}
	for (size_t i = 0; i < change->column_count; i++)
	{
		if (table->key_count > 0 && !is_key(table, change->columns[i]))
			continue;
		add(sql, separator);
		separator = " AND ";
		if (table->key_count == 0)
			add(sql, "CASE WHEN ");
		add_name(sql, apply->conn, change->columns[i]);
		if (table->key_count == 0)
		{
			add(sql, " IS NOT NULL THEN format('%s', ");
			add_name(sql, apply->conn, change->columns[i]);
			add(sql, ") END IS NOT DISTINCT FROM $");
		}
		else
			add(sql, " = $");
		add_number(sql, first++);
	}
	if (table->key_count == 0)
		add(sql, " LIMIT 1)");
}

/* Whether an update gives the row another key. */
static bool
moves_key(const struct table *table, const struct change *change)
{
	if (change->op != OP_UPDATE)
		return false;
	for (size_t i = 0; i < change->column_count; i++)
	{
		const char *before = change->old_row[i];
		const char *after = change->new_row[i];

		if (is_key(table, change->columns[i]) && before && after &&
			strcmp(before, after) != 0)
			return true;
	}
	return false;
}

/*
 * Whether a column takes its new value.  A key that stays is not written:
 * an identity column that is GENERATED ALWAYS would refuse.
 */
static bool
sets_column(const struct table *table, const struct change *change, size_t i)
{
	if (change->new_row == NULL)
		return false;
	return change->op == OP_INSERT || moves_key(table, change) ||
		change->column_count == table->key_count ||
		!is_key(table, change->columns[i]);
}

static bool
is_key(const struct table *table, const char *column)
{
	for (size_t i = 0; i < table->key_count; i++)
		if (strcmp(table->key[i], column) == 0)
			return true;
	return false;
}

static void
add(struct text *text, const char *string)
{
	size_t		len = strlen(string);

	if (text->len + len + 1 > text->room)
	{
		text->room = 2 * (text->len + len + 1);
		text->data = realloc(text->data, text->room);
	}
	memcpy(text->data + text->len, string, len + 1);
	text->len += len;
}

static void
add_name(struct text *text, PGconn *conn, const char *name)
{
	char	   *quoted = PQescapeIdentifier(conn, name, strlen(name));

	add(text, quoted);
	PQfreemem(quoted);
}

static void
add_number(struct text *text, size_t number)
{
	char		digits[24];

	snprintf(digits, sizeof(digits), "%zu", number);
	add(text, digits);
}
