/*
 * rows.c
 *		What a query returned.
 */
#include "rows.h"

#include <stdlib.h>

#include <libpq-fe.h>

#include "mem.h"

struct rows
{
	PGresult   *result;			/* owned */
};

struct rows *
rows_take(PGresult *result)
{
	struct rows *rows = mem_alloc(sizeof(*rows));

	rows->result = result;
	return rows;
}

int
rows_count(const struct rows *rows)
{
	return PQntuples(rows->result);
}

const char *
rows_text(const struct rows *rows, int row, int column)
{
	return PQgetvalue(rows->result, row, column);
}

bool
rows_null(const struct rows *rows, int row, int column)
{
	return PQgetisnull(rows->result, row, column);
}

bool
rows_bool(const struct rows *rows, int row, int column)
{
	return *rows_text(rows, row, column) == 't';
}

int64_t
rows_int(const struct rows *rows, int row, int column)
{
	return strtoll(rows_text(rows, row, column), NULL, 10);
}

void
rows_free(struct rows *rows)
{
	if (rows == NULL)
		return;
	PQclear(rows->result);
	free(rows);
}
