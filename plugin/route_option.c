/*
 * route_option.c
 *		Reads routes from the option "routes"; its grammar is in route.h.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "parser/scansup.h"

#include "route.h"
#include "topicname.h"

static Wal2KafkaConfigRoute *parse_route(char *piece);
static void parse_setting(Wal2KafkaConfigRoute *route, const char *piece,
						  char *word);
static char *next_part(char **rest, const char *separators);
static List *parse_names(char *word, char separator, const char *piece);
static char *parse_name(const char *part, const char *piece);
static void bad_route(const char *piece, const char *detail);

List *
wal2kafka_routes_parse(const char *value)
{
	char	   *rest = pstrdup(value);
	List	   *routes = NIL;

	while (rest != NULL)
	{
		char	   *piece = next_part(&rest, ";");
		Wal2KafkaConfigRoute *route;

		if (piece[strspn(piece, " \t\r\n")] == '\0')
			continue;
		route = parse_route(piece);
		if (wal2kafka_routes_find(routes, route->schema, route->table))
			bad_route(piece, "The table has a route already.");
		routes = lappend(routes, route);
	}
	return routes;
}

const Wal2KafkaConfigRoute *
wal2kafka_routes_find(const List *routes, const char *schema,
					  const char *table)
{
	ListCell   *cell;

	foreach(cell, routes)
	{
		const Wal2KafkaConfigRoute *route = lfirst(cell);

		if (strcmp(route->table, table) == 0 &&
			strcmp(route->schema, schema) == 0)
			return route;
	}
	return NULL;
}

static Wal2KafkaConfigRoute *
parse_route(char *piece)
{
	Wal2KafkaConfigRoute *route = palloc0(sizeof(Wal2KafkaConfigRoute));
	char	   *rest = pstrdup(piece);

	while (rest != NULL)
	{
		char	   *word = next_part(&rest, " \t\r\n");
		List	   *names;

		if (*word == '\0')
			continue;
		if (route->table != NULL)
		{
			parse_setting(route, piece, word);
			continue;
		}
		names = parse_names(word, '.', piece);
		if (list_length(names) != 2)
			bad_route(piece, "A route begins with SCHEMA.TABLE.");
		route->schema = linitial(names);
		route->table = lsecond(names);
	}
	if (route->topic == NULL && route->key == NIL)
		bad_route(piece, "A route has a \"topic=NAME\", a \"key=COLUMN,COLUMN\", or both.");
	return route;
}

static void
parse_setting(Wal2KafkaConfigRoute *route, const char *piece, char *word)
{
	if (strncmp(word, "topic=", 6) == 0 && route->topic == NULL)
	{
		if (!topic_name_is_legal(word + 6))
			bad_route(piece, psprintf("\"%s\" is not a legal name of a topic.",
									  word + 6));
		route->topic = pstrdup(word + 6);
	}
	else if (strncmp(word, "key=", 4) == 0 && route->key == NIL)
	{
		ListCell   *a;
		ListCell   *b;

		route->key = parse_names(word + 4, ',', piece);
		foreach(a, route->key)
			for_each_cell(b, route->key, lnext(route->key, a))
				if (strcmp(lfirst(a), lfirst(b)) == 0)
					bad_route(piece, psprintf("Column \"%s\" is repeated.",
											  (char *) lfirst(a)));
	}
	else
		bad_route(piece, psprintf("\"%s\" is neither \"topic=NAME\" nor \"key=COLUMN,COLUMN\", or is repeated.",
								  word));
}

/*
 * Cuts the text at its first separator outside double quotes; *rest is what
 * follows, NULL when there was none.
 */
static char *
next_part(char **rest, const char *separators)
{
	char	   *part = *rest;
	char	   *c;
	bool		quoted = false;

	for (c = part; *c != '\0'; c++)
	{
		if (*c == '"')
			quoted = !quoted;
		else if (!quoted && strchr(separators, *c) != NULL)
			break;
	}
	*rest = *c != '\0' ? c + 1 : NULL;
	*c = '\0';
	return part;
}

static List *
parse_names(char *word, char separator, const char *piece)
{
	char		separators[2] = {separator, '\0'};
	List	   *names = NIL;

	while (word != NULL)
		names = lappend(names,
						parse_name(next_part(&word, separators), piece));
	return names;
}

/* An SQL identifier: all of it quoted, or none. */
static char *
parse_name(const char *part, const char *piece)
{
	StringInfoData name;
	const char *c;

	if (*part != '"' && *part != '\0' && strchr(part, '"') == NULL)
		return downcase_identifier(part, strlen(part), false, false);

	initStringInfo(&name);
	for (c = part + 1; *part == '"' && *c != '\0'; c++)
	{
		if (*c != '"')
			appendStringInfoChar(&name, *c);
		else if (c[1] == '"')
			appendStringInfoChar(&name, *c++);
		else
			break;
	}
	if (*part != '"' || *c != '"' || c[1] != '\0' || name.len == 0)
		bad_route(piece, psprintf("\"%s\" is not a name in SQL's form.",
								  part));
	return name.data;
}

static void
bad_route(const char *piece, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid route \"%s\" in option \"routes\"", piece),
			 errdetail("%s", detail)));
}
