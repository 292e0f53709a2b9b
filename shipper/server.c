/*
 * server.c
 *		An ordinary SQL connection.
 *
 * The connection is made through libpq's asynchronous interface for one
 * reason: only there can verbosity be set before the server answers, and only
 * verbose errors carry the SQLSTATE, which unlike the text does not depend on
 * the server's language.
 */
#include "server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "log.h"
#include "mem.h"
#include "ready.h"

#define CONNECT_TIMEOUT	"10"	/* s, for each address */

struct server
{
	PGconn	   *conn;
	char	   *error;			/* of the last query; "" if none */
	char		sqlstate[6];
};

struct rows
{
	PGresult   *result;
};

#define ANSWER_MS	60000	/* for a query, where a stop flag is watched */

/* Set by "run", which must not wait for a server that does not answer. */
static const volatile sig_atomic_t *stop_flag = NULL;

void
server_watch(const volatile sig_atomic_t *stop)
{
	stop_flag = stop;
}

static bool
stop_wanted(void)
{
	return stop_flag != NULL && *stop_flag;
}

/* --- connecting ------------------------------------------------------ */

static bool
host_is_local(const char *host, size_t len)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "::1"};

	/* a socket's directory, or none: libpq takes the default socket */
	if (len == 0 || *host == '/' || *host == '@')
		return true;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (strlen(local[i]) == len && strncmp(local[i], host, len) == 0)
			return true;
	return false;
}

static bool
hosts_are_local(const char *hosts)
{
	for (;; hosts++)
	{
		size_t		len = strcspn(hosts, ",");

		if (!host_is_local(hosts, len))
			return false;
		hosts += len;
		if (*hosts == '\0')
			return true;
	}
}

/* The value that the connection string gives for a keyword, else "". */
static const char *
conninfo_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

/* As libpq looks it up: string, then environment. */
static const char *
effective(const PQconninfoOption *options, const char *keyword,
		  const char *variable)
{
	const char *value = conninfo_value(options, keyword);

	if (*value == '\0')
		value = getenv(variable);
	return value ? value : "";
}

void
server_defaults(const struct config *cfg)
{
	PQconninfoOption *options = PQconninfoParse(cfg->conninfo, NULL);
	bool		local;

	setenv("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT, 0);
	if (options == NULL)
		return;					/* server_open() says what is wrong */

	/* a service may name any host; it can also set sslmode */
	local = hosts_are_local(effective(options, "host", "PGHOST")) &&
		hosts_are_local(effective(options, "hostaddr", "PGHOSTADDR")) &&
		*effective(options, "service", "PGSERVICE") == '\0';
	if (!local)
		setenv("PGSSLMODE", "verify-full", 0);
	PQconninfoFree(options);
}

/* Milliseconds of a clock that nobody sets. */
static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
connect_limit(void)
{
	const char *text = getenv("PGCONNECT_TIMEOUT");
	int			seconds = text ? atoi(text) : 0;

	return seconds > 0 ? (int64_t) seconds * 1000 : INT64_MAX / 2;
}

/* Waits for what libpq asked for; false when time is up. */
static bool
wait_socket(PGconn *conn, PostgresPollingStatusType what, int64_t deadline)
{
	struct pollfd fd = {.fd = PQsocket(conn)};

	fd.events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	for (;;)
	{
		int64_t		left = deadline - now_ms();
		int			got;

		ready_turned();
		if (left <= 0 || stop_wanted())
			return false;
		got = poll(&fd, 1, left > 200 ? 200 : (int) left);
		if (got > 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
	}
}

static PGconn *
connect_verbosely(const char *conninfo, bool *late)
{
	const char *const keywords[] = {
		"dbname", "replication", "client_encoding",
		"fallback_application_name", NULL
	};
	const char *const values[] = {
		conninfo, "false", "UTF8", "wal2kafka admin", NULL
	};
	PGconn	   *conn = PQconnectStartParams(keywords, values, 1);
	PostgresPollingStatusType what = PGRES_POLLING_WRITING;
	int64_t		deadline = now_ms() + connect_limit();

	*late = false;
	if (conn == NULL || PQstatus(conn) == CONNECTION_BAD)
		return conn;
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	while (what != PGRES_POLLING_OK && what != PGRES_POLLING_FAILED)
	{
		if (!wait_socket(conn, what, deadline))
		{
			*late = true;
			break;
		}
		what = PQconnectPoll(conn);
	}
	return conn;
}

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

static enum exit_status
report_failure(PGconn *conn, bool late)
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

/*
 * libpq names the word that it stumbled over, which in a connection string may
 * be half a password; only the name of an unknown option is safe to show.
 */
static bool
conninfo_is_legal(const char *conninfo)
{
	char	   *message = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &message);

	if (options == NULL)
	{
		bool		safe = message != NULL &&
			strncmp(message, "invalid connection option", 25) == 0;

		log_error("\"conninfo\" is not a connection string: %.*s",
				  safe ? (int) strcspn(message, "\n") : INT_MAX,
				  safe ? message : "it is malformed");
		log_hint("It has the form \"host=... dbname=... user=...\"; values "
				 "with blanks go in single quotes.");
		PQfreemem(message);
		return false;
	}
	PQconninfoFree(options);
	return true;
}

struct server *
server_open(const struct config *cfg, enum exit_status *status)
{
	static const char pin[] =
	"SET search_path = ''; SET statement_timeout = 0;"
	"SET idle_session_timeout = 0; SET DateStyle = 'ISO'; "
	"SET bytea_output = 'hex'; SET standard_conforming_strings = on";
	struct server *server;
	PGresult   *result;
	PGconn	   *conn;
	bool		late;

	*status = EXIT_USAGE;
	if (!conninfo_is_legal(cfg->conninfo))
		return NULL;
	conn = connect_verbosely(cfg->conninfo, &late);
	if (late || PQstatus(conn) != CONNECTION_OK)
	{
		*status = report_failure(conn, late);
		PQfinish(conn);
		return NULL;
	}

	server = mem_zalloc(sizeof(*server));
	server->conn = conn;
	server->error = mem_strdup("");
	result = PQexec(conn, pin);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		*status = report_failure(conn, false);
		PQclear(result);
		server_close(server);
		return NULL;
	}
	PQclear(result);
	*status = EXIT_ASKED;
	return server;
}

void
server_close(struct server *server)
{
	if (server == NULL)
		return;
	PQfinish(server->conn);
	free(server->error);
	free(server);
}

int
server_version(const struct server *server)
{
	return PQserverVersion(server->conn);
}

const char *
server_database(const struct server *server)
{
	return PQdb(server->conn);
}

const char *
server_user(const struct server *server)
{
	return PQuser(server->conn);
}

/* --- queries --------------------------------------------------------- */

static void
keep_error(struct server *server, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	free(server->error);
	server->error = mem_strdup(text ? text : PQerrorMessage(server->conn));
	for (size_t len = strlen(server->error);
		 len > 0 && server->error[len - 1] == '\n';)
		server->error[--len] = '\0';
	snprintf(server->sqlstate, sizeof(server->sqlstate), "%s",
			 state ? state : "");
}

static PGresult *
ask(PGconn *conn, const char *sql, int count, const char *const *params)
{
	int64_t		deadline = now_ms() + ANSWER_MS;
	PGresult   *result;
	PGresult   *more;

	if (stop_flag == NULL)
		return PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0);
	if (PQsendQueryParams(conn, sql, count, NULL, params, NULL, NULL, 0) != 1)
		return NULL;
	while (PQisBusy(conn))
		if (!wait_socket(conn, PGRES_POLLING_READING, deadline) ||
			!PQconsumeInput(conn))
			return NULL;
	result = PQgetResult(conn);
	while ((more = PQgetResult(conn)) != NULL)
		PQclear(more);
	return result;
}

struct rows *
server_query(struct server *server, const char *sql, int count,
			 const char *const *params)
{
	PGresult   *result = ask(server->conn, sql, count, params);
	ExecStatusType status = PQresultStatus(result);
	struct rows *rows;

	server->sqlstate[0] = '\0';
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		keep_error(server, result);
		PQclear(result);
		return NULL;
	}
	rows = mem_alloc(sizeof(*rows));
	rows->result = result;
	return rows;
}

const char *
server_error(const struct server *server)
{
	return server->error;
}

const char *
server_sqlstate(const struct server *server)
{
	return server->sqlstate;
}

struct rows *
server_ask(struct server *server, const char *what, const char *sql,
		   int count, const char *const *params)
{
	struct rows *rows = server_query(server, sql, count, params);

	if (rows == NULL)
		log_error("could not %s: %s", what, server->error);
	return rows;
}

void
server_timeout(struct server *server, const char *timeout)
{
	PQclear(PQexecParams(server->conn, "SELECT set_config("
						 "'statement_timeout', $1, false)", 1, NULL,
						 &timeout, NULL, NULL, 0));
}

enum exit_status
server_status(const struct server *server)
{
	const char *state = server->sqlstate;

	/* lost connection, shutdown, resources, conflict: time mends these */
	if (state[0] == '\0' || strncmp(state, "08", 2) == 0 ||
		strncmp(state, "57", 2) == 0 || strncmp(state, "53", 2) == 0 ||
		strncmp(state, "40", 2) == 0 || strncmp(state, "58", 2) == 0)
		return EXIT_RESTART;
	return EXIT_PERSON;
}

char *
server_identifier(struct server *server, const char *name)
{
	char	   *quoted = PQescapeIdentifier(server->conn, name, strlen(name));
	char	   *copy = mem_strdup(quoted ? quoted : "\"?\"");

	PQfreemem(quoted);
	return copy;
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
