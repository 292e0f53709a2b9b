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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "clock.h"
#include "conninfo.h"
#include "log.h"
#include "mem.h"
#include "ready.h"
#include "server_failure.h"

#define ANSWER_MS	60000	/* for a query, where a stop flag is watched */

struct server
{
	PGconn	   *conn;
	char	   *error;			/* of the last query; "" if none */
	char		sqlstate[6];
};

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
		int64_t		left = deadline - clock_ms();
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
	int64_t		deadline = clock_ms() + connect_limit();

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
		*status = server_failure_log(conn, late);
		PQfinish(conn);
		return NULL;
	}

	server = mem_zalloc(sizeof(*server));
	server->conn = conn;
	server->error = mem_strdup("");
	result = PQexec(conn, pin);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		*status = server_failure_log(conn, false);
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
	int64_t		deadline = clock_ms() + ANSWER_MS;
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

	server->sqlstate[0] = '\0';
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		keep_error(server, result);
		PQclear(result);
		return NULL;
	}
	return rows_take(result);
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
