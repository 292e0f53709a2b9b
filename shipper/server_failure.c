/*
 * server_failure.c
 *		Why the server could not be connected to.
 */
#include "server_failure.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"

/* FATAL and ERROR are five capitals too, but a SQLSTATE has digits. */
static bool
is_sqlstate(const char *text)
{
	return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
		strncmp(text + 5, ": ", 2) == 0 && strcspn(text, "0123456789") < 5;
}

/* One line: further hosts after "; ", without libpq's questions. */
static char *
join_lines(const char *text)
{
	char	   *joined = mem_strdup("");

	for (size_t len; *text != '\0'; text += len + (text[len] == '\n'))
	{
		char	   *longer;

		len = strcspn(text, "\n");
		if (*text == '\t' || len == 0)
			continue;
		longer = mem_format("%s%s%.*s", joined, *joined ? "; " : "",
							(int) len, text);
		free(joined);
		joined = longer;
	}
	return joined;
}

/*
 * Finds the SQLSTATE in "FATAL:  28P01: password ..." and cuts it out, as
 * well as the line that names the server's source file.
 */
static void
tidy_error(char *message, char sqlstate[6])
{
	char	   *at = message;

	sqlstate[0] = '\0';
	while ((at = strstr(at, ": ")) != NULL)
	{
		char	   *code = at + 1 + strspn(at + 1, " ");

		if (is_sqlstate(code))
		{
			memcpy(sqlstate, code, 5);
			sqlstate[5] = '\0';
			memmove(at + 2, code + 7, strlen(code + 7) + 1);
			break;
		}
		at = code;
	}
	at = sqlstate[0] != '\0' ? strchr(message, '\n') : NULL;
	if (at != NULL)
		*at = '\0';
}

/* The remedy for a connection that failed, or NULL. */
static const char *
connect_hint(const char *sqlstate, const char *message)
{
	if (strcmp(sqlstate, "28P01") == 0)
		return "Check user and password in the conninfo, or the password "
			"file (~/.pgpass or passfile=).";
	if (strncmp(sqlstate, "28", 2) == 0)
		return "Check that the role exists and may log in, and that the "
			"server's pg_hba.conf has a line for this host, role and "
			"database (reload after a change).";
	if (strcmp(sqlstate, "3D000") == 0)
		return "Check dbname in the conninfo.";
	if (strcmp(sqlstate, "53300") == 0)
		return "Raise max_connections, or the role's CONNECTION LIMIT.";
	if (sqlstate[0] != '\0')
		return NULL;
	if (strstr(message, "no password supplied") != NULL)
		return "Put the password into a password file (~/.pgpass or "
			"passfile=), or into the conninfo.";
	if (strstr(message, "root certificate file") != NULL)
		return "Name the certificate authority with sslrootcert= in the "
			"conninfo, or choose another sslmode there.";
	if (strstr(message, "SSL") != NULL ||
		strstr(message, "certificate") != NULL)
		return "sslmode is verify-full for other machines unless the "
			"conninfo sets it.";
	return "Check host and port in the conninfo, and that the server runs "
		"and listens there (listen_addresses).";
}

/* Without a SQLSTATE the words are libpq's own, which are not translated. */
static enum exit_status
connect_status(const char *sqlstate, const char *message)
{
	if (strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0 ||
		strcmp(sqlstate, "42501") == 0)
		return EXIT_PERSON;
	if (sqlstate[0] == '\0' &&
		(strstr(message, "SSL was required") != NULL ||
		 strstr(message, "no password supplied") != NULL ||
		 strstr(message, "certificate") != NULL))
		return EXIT_PERSON;
	return EXIT_RESTART;
}

enum exit_status
server_failure_log(PGconn *conn, bool late)
{
	char	   *message = mem_strdup(PQerrorMessage(conn));
	char	   *line;
	char		sqlstate[6];
	const char *hint;
	enum exit_status status;

	tidy_error(message, sqlstate);
	line = join_lines(message);
	hint = connect_hint(sqlstate, line);
	log_error("could not connect to PostgreSQL: %s",
			  late ? "timeout expired" : line);
	if (hint != NULL)
		log_hint("%s", hint);
	status = connect_status(sqlstate, line);
	free(message);
	free(line);
	return status;
}
