/*
 * source.c
 *		Messages of a copied slot.
 */
#include "source.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "die.h"

#define NAME_SIZE		64
#define XLOG_HEADER		25		/* 'w', start, end, time */
#define KEEPALIVE_SIZE	18		/* 'k', end, time, wants an answer */
#define STATUS_SIZE		34

struct source
{
	const struct source_plan *plan;
	char		copy[NAME_SIZE];
	PGconn	   *conn;
	PGresult   *result;			/* of one row, the message before */
	char	   *message;		/* of a walsender, likewise */
	bool		busy;			/* a query has more rows to give */
	size_t		returned;		/* rows of this query */
};

static void connect_source(struct source *source);
static void copy_slot(struct source *source);
static void start(struct source *source);
static bool next_row(struct source *source, const char **data, size_t *len);
static bool next_copy(struct source *source, const char **data, size_t *len);
static void answer(struct source *source);
static void run(struct source *source, const char *query);
static char *options_text(struct source *source, const char *between,
						  const char *joint);

struct source *
source_open(const struct source_plan *plan)
{
	static int	number;
	struct source *source = allocate(1, sizeof(*source));

	source->plan = plan;
	snprintf(source->copy, sizeof(source->copy), "differ_%d_%d",
			 (int) getpid(), ++number);
	connect_source(source);
	copy_slot(source);
	start(source);
	return source;
}

void
source_close(struct source *source)
{
	char		query[200];

	if (source->plan->kind == SOURCE_COLD)
	{
		PQfinish(source->conn);
		connect_source(source);
		snprintf(query, sizeof(query),
				 "SELECT pg_drop_replication_slot('%s')", source->copy);
		run(source, query);
	}
	PQclear(source->result);
	PQfreemem(source->message);
	PQfinish(source->conn);		/* a temporary slot goes with it */
	free(source);
}

bool
source_next(struct source *source, const char **data, size_t *len)
{
	if (source->plan->kind == SOURCE_WALSENDER)
		return next_copy(source, data, len);

	while (!next_row(source, data, len))
	{
		if (source->plan->kind != SOURCE_COLD || source->returned == 0)
			return false;
		PQfinish(source->conn);
		connect_source(source);
		start(source);
	}
	return true;
}

static void
connect_source(struct source *source)
{
	const struct source_plan *plan = source->plan;
	const char *keywords[] = {
		"dbname", "client_encoding", "replication", NULL
	};
	const char *values[] = {
		plan->conninfo, "UTF8",
		plan->kind == SOURCE_WALSENDER ? "database" : "", NULL
	};

	source->conn = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(source->conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(source->conn));
	if (plan->settings)
		run(source, plan->settings);
}

/* What one session reads is gone with it; else the copy has to outlive it. */
static void
copy_slot(struct source *source)
{
	char		query[300];

	snprintf(query, sizeof(query),
			 "SELECT pg_catalog.pg_copy_logical_replication_slot("
			 "'%s', '%s', %s, '%s')", source->plan->slot, source->copy,
			 source->plan->kind == SOURCE_COLD ? "false" : "true",
			 source->plan->plugin);
	run(source, query);
}

static void
start(struct source *source)
{
	bool		walsender = source->plan->kind == SOURCE_WALSENDER;
	char	   *options = options_text(source, walsender ? " " : ", ", ", ");
	size_t		size = strlen(options) + 300;
	char	   *query = allocate(1, size);

	if (walsender)
	{
		snprintf(query, size, "START_REPLICATION SLOT %s LOGICAL 0/0 (%s)",
				 source->copy, options);
		PQclear(source->result);
		source->result = PQexec(source->conn, query);
		if (PQresultStatus(source->result) != PGRES_COPY_BOTH)
			die("%s", PQerrorMessage(source->conn));
	}
	else
	{
		snprintf(query, size, "SELECT data FROM "
				 "pg_catalog.pg_logical_slot_get_binary_changes("
				 "'%s', '%s', %s, %s)", source->copy, source->plan->upto,
				 source->plan->kind == SOURCE_COLD ? "1" : "NULL", options);
		if (!PQsendQueryParams(source->conn, query, 0, NULL, NULL, NULL, NULL,
							   1) || !PQsetSingleRowMode(source->conn))
			die("%s", PQerrorMessage(source->conn));
		source->busy = true;
		source->returned = 0;
	}
	free(options);
	free(query);
}

static bool
next_row(struct source *source, const char **data, size_t *len)
{
	PQclear(source->result);
	source->result = NULL;
	while (source->busy)
	{
		source->result = PQgetResult(source->conn);
		if (source->result == NULL)
		{
			source->busy = false;
			break;
		}
		if (PQresultStatus(source->result) == PGRES_SINGLE_TUPLE)
		{
			*data = PQgetvalue(source->result, 0, 0);
			*len = (size_t) PQgetlength(source->result, 0, 0);
			source->returned++;
			return true;
		}
		if (PQresultStatus(source->result) != PGRES_TUPLES_OK)
			die("%s: %s", source->plan->plugin,
				PQresultErrorMessage(source->result));
		PQclear(source->result);
		source->result = NULL;
	}
	return false;
}

static bool
next_copy(struct source *source, const char **data, size_t *len)
{
	int			size;

	for (;;)
	{
		PQfreemem(source->message);
		source->message = NULL;
		size = PQgetCopyData(source->conn, &source->message, 0);
		if (size < 0)
			die("%s: %s", source->plan->plugin, PQerrorMessage(source->conn));
		if (source->message[0] == 'w' && size >= XLOG_HEADER)
		{
			*data = source->message + XLOG_HEADER;
			*len = (size_t) (size - XLOG_HEADER);
			return true;
		}
		if (source->message[0] == 'k' && size == KEEPALIVE_SIZE &&
			source->message[KEEPALIVE_SIZE - 1])
			answer(source);
	}
}

/* Alive; and nothing is ever confirmed. */
static void
answer(struct source *source)
{
	char		status[STATUS_SIZE] = {'r'};

	if (PQputCopyData(source->conn, status, sizeof(status)) != 1 ||
		PQflush(source->conn) != 0)
		die("%s", PQerrorMessage(source->conn));
}

static void
run(struct source *source, const char *query)
{
	PGresult   *result = PQexec(source->conn, query);

	if (PQresultStatus(result) != PGRES_TUPLES_OK &&
		PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", query, PQerrorMessage(source->conn));
	PQclear(result);
}

/* name BETWEEN 'value' JOINT ...; in SQL the name is a literal as well */
static char *
options_text(struct source *source, const char *between, const char *joint)
{
	bool		walsender = source->plan->kind == SOURCE_WALSENDER;
	const char *const *option;
	char	   *text = NULL;
	size_t		size;
	FILE	   *out = open_memstream(&text, &size);

	for (option = source->plan->options; *option; option += 2)
	{
		char	   *name = walsender ?
			PQescapeIdentifier(source->conn, option[0], strlen(option[0])) :
			PQescapeLiteral(source->conn, option[0], strlen(option[0]));
		char	   *value =
			PQescapeLiteral(source->conn, option[1], strlen(option[1]));

		fprintf(out, "%s%s%s%s",
				option == source->plan->options ? "" : joint, name, between,
				value);
		PQfreemem(name);
		PQfreemem(value);
	}
	fclose(out);
	return text;
}
