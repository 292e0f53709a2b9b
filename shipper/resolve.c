/*
 * resolve.c
 *		Tables that the config names, found in the catalog.
 */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static bool
fail(char **error, char **remedy, char *what, const char *how)
{
	*error = what;
	*remedy = mem_strdup(how);
	return false;
}

/* "a"."t", "b"."t" for the message about an ambiguous name */
static char *
candidates(const struct rows *rows)
{
	char	   *list = mem_strdup("");

	for (int i = 0; i < rows_count(rows); i++)
	{
		char	   *longer = mem_format("%s%s%s.%s", list, i > 0 ? ", " : "",
										rows_text(rows, i, 1),
										rows_text(rows, i, 2));

		free(list);
		list = longer;
	}
	return list;
}

static bool
take_table(const struct rows *rows, const char *written,
		   struct resolved *table, char **error, char **remedy)
{
	char	   *list;
	char	   *what;

	if (rows_count(rows) == 0)
		return fail(error, remedy,
					mem_format("table %s does not exist", written),
					"Correct the name in the config (SCHEMA.TABLE, in double "
					"quotes where SQL needs them), or create the table.");
	if (rows_count(rows) > 1)
	{
		list = candidates(rows);
		what = mem_format("table %s is ambiguous: %s", written, list);
		free(list);
		return fail(error, remedy, what, "Write SCHEMA.TABLE in the config.");
	}
	table->oid = mem_strdup(rows_text(rows, 0, 0));
	table->schema = mem_strdup(rows_text(rows, 0, 1));
	table->name = mem_strdup(rows_text(rows, 0, 2));
	return true;
}

bool
resolve_table(struct server *server, const char *written,
			  struct resolved *table, char **error, char **remedy)
{
	static const char sql[] =
	"SELECT c.oid, n.nspname, c.relname FROM pg_class c"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relname = $2 AND ($1::text IS NULL OR n.nspname = $1::text)"
	" AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'"
	" AND n.nspname <> 'information_schema' ORDER BY 2";
	struct names parts;
	const char *params[2];
	struct rows *rows;
	bool		found;

	memset(table, 0, sizeof(*table));
	if (!names_parse(&parts, written, '.') || parts.count > 2)
	{
		names_free(&parts);
		return fail(error, remedy, mem_format("%s is not a table's name",
											  written),
					"Write TABLE or SCHEMA.TABLE, in double quotes where SQL "
					"needs them.");
	}
	params[0] = parts.count == 2 ? parts.name[0] : NULL;
	params[1] = parts.name[parts.count - 1];
	rows = server_query(server, sql, 2, params);
	if (rows == NULL)
		found = fail(error, remedy,
					 mem_format("could not look up table %s: %s", written,
								server_error(server)), "Try again.");
	else
		found = take_table(rows, written, table, error, remedy);
	rows_free(rows);
	names_free(&parts);
	return found;
}

static bool
check_columns(struct server *server, struct resolved *table, char **error,
			  char **remedy)
{
	static const char sql[] =
	"SELECT attname FROM pg_attribute WHERE attrelid = $1::oid"
	" AND attnum > 0 AND NOT attisdropped AND attname = $2";

	for (size_t i = 0; i < table->key.count; i++)
	{
		const char *params[] = {table->oid, table->key.name[i]};
		struct rows *rows = server_query(server, sql, 2, params);
		bool		found = rows != NULL && rows_count(rows) == 1;

		rows_free(rows);
		if (!found)
			return fail(error, remedy,
						mem_format("table %s.%s has no column \"%s\"",
								   table->schema, table->name,
								   table->key.name[i]),
						"Correct \"key\" of the route in the config.");
	}
	return true;
}

bool
resolve_route(struct server *server, const struct config_route *route,
			  struct resolved *table, char **error, char **remedy)
{
	bool		found = resolve_table(server, route->table, table, error,
									  remedy);

	if (found)
	{
		table->topic = route->topic;
		if (route->key != NULL)
			names_parse(&table->key, route->key, ',');
		found = check_columns(server, table, error, remedy);
	}
	if (!found)
	{
		char	   *what = mem_format("[route %s]: %s", route->table, *error);

		free(*error);
		*error = what;
		resolve_free(table);
	}
	return found;
}

void
resolve_free(struct resolved *table)
{
	free(table->oid);
	free(table->schema);
	free(table->name);
	names_free(&table->key);
	memset(table, 0, sizeof(*table));
}

char *
resolve_quoted(const struct resolved *table)
{
	char	   *schema = names_quote(table->schema);
	char	   *name = names_quote(table->name);
	char	   *both = mem_format("%s.%s", schema, name);

	free(schema);
	free(name);
	return both;
}
