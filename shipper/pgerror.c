/*
 * pgerror.c
 *		What the server or libpq says when something fails.
 */
#include "pgerror.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "names.h"

static enum reaction failed(const PGconn *conn, const char *what,
							const PGresult *result, bool streaming);
static enum reaction react(const PGconn *conn, const char *sqlstate,
						   const char *message, bool streaming);
static void log_expanded(const PGconn *conn, const char *hint);
static char *one_line(const char *message);

enum reaction
pgerror_result(const PGconn *conn, const char *what, const PGresult *result)
{
	return failed(conn, what, result, false);
}

enum reaction
pgerror_stream(const PGconn *conn, const char *what, const PGresult *result)
{
	return failed(conn, what, result, true);
}

static enum reaction
failed(const PGconn *conn, const char *what, const PGresult *result,
	   bool streaming)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);

	if (sqlstate == NULL || primary == NULL)
		return pgerror_connection(conn, what);
	log_error("%s: %s (SQLSTATE %s)%s%s%s%s", what, primary, sqlstate,
			  detail != NULL ? "; " : "", detail != NULL ? detail : "",
			  context != NULL ? "; " : "", context != NULL ? context : "");
	if (hint != NULL)
		log_hint("%s", hint);
	return react(conn, sqlstate, primary, streaming);
}

/* libpq's own words; a refusal by the server has its SQLSTATE among them. */
enum reaction
pgerror_connection(const PGconn *conn, const char *what)
{
	char	   *message = one_line(PQerrorMessage(conn));
	char		sqlstate[6] = "";
	enum reaction reaction;

	for (const char *c = message; (c = strstr(c, ":  ")) != NULL; c++)
		if (strspn(c + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
			c[8] == ':')
			memcpy(sqlstate, c + 3, 5);
	log_error("%s: %s", what, message);
	reaction = react(conn, sqlstate, message, false);
	free(message);
	return reaction;
}

static enum reaction
react(const PGconn *conn, const char *sqlstate, const char *message,
	  bool streaming)
{
	const char *hint;
	enum reaction reaction = reaction_find(sqlstate, message, streaming,
										   &hint);

	if (hint != NULL)
		log_expanded(conn, hint);
	return reaction;
}

static void
log_expanded(const PGconn *conn, const char *hint)
{
	static const char *const names[] = {"{role}", "{database}"};
	const char *values[] = {PQuser(conn), PQdb(conn)};
	char	   *text = mem_strdup(hint);

	for (int i = 0; i < 2; i++)
	{
		char	   *at = strstr(text, names[i]);
		char	   *quoted;
		char	   *longer;

		if (at == NULL || values[i] == NULL)
			continue;
		quoted = names_quote(values[i]);
		longer = mem_format("%.*s%s%s", (int) (at - text), text, quoted,
							at + strlen(names[i]));
		free(quoted);
		free(text);
		text = longer;
	}
	log_hint("%s", text);
	free(text);
}

/* libpq's messages hold line feeds and end in them. */
static char *
one_line(const char *message)
{
	char	   *text = mem_strdup(message);
	char	   *location = strstr(text, "\nLOCATION:");
	size_t		len;

	if (location != NULL)
		*location = '\0';
	len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return text;
}
