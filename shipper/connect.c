/*
 * connect.c
 *		A replication connection, the commands before the copy, and ordinary
 *		connections to the same server.
 *
 * What waits here waits on poll(), never past the stop flag or a time limit.
 */
#include "connect.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "pgerror.h"
#include "ready.h"

#define STEP_MS			60000	/* for connecting, and for each command */
#define BESIDE_MS		5000	/* for connecting, while others wait */

/* for reading tables */
#define PINNED \
	"-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC" \
	" -c bytea_output=hex -c extra_float_digits=1 -c lc_monetary=C" \
	" -c standard_conforming_strings=on -c search_path= -c row_security=off" \
	" -c array_nulls=on -c lock_timeout=1s"

static PGconn *begin(const struct config *config, const PGconn *peer);
static PGconn *opened(PGconn *conn, const volatile sig_atomic_t *stop,
					  int64_t limit, enum reaction *reaction);
static char *session_options(const char *conninfo, const char *more);
static bool finish(PGconn *conn, const volatile sig_atomic_t *stop,
				   int64_t limit, enum reaction *reaction);
static void complain(int64_t limit);
static void ignore(void *arg, const PGresult *result);
static bool await(const PGconn *conn, const volatile sig_atomic_t *stop,
				  short events, int64_t deadline);

PGconn *
connect_open(const struct config *config, const volatile sig_atomic_t *stop,
			 enum reaction *reaction)
{
	return opened(begin(config, NULL), stop, STEP_MS, reaction);
}

PGconn *
connect_beside(const struct config *config, const PGconn *peer,
			   const volatile sig_atomic_t *stop, enum reaction *reaction)
{
	PGconn	   *conn = begin(config, peer);

	/* anybody's table may have notices to give */
	if (conn != NULL)
		PQsetNoticeReceiver(conn, ignore, NULL);
	return opened(conn, stop, BESIDE_MS, reaction);
}

static void
ignore(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

static PGconn *
opened(PGconn *conn, const volatile sig_atomic_t *stop, int64_t limit,
	   enum reaction *reaction)
{
	*reaction = REACTION_RETRY;
	if (finish(conn, stop, limit, reaction))
		return conn;
	PQfinish(conn);
	return NULL;
}

PGresult *
connect_query(PGconn *conn, const char *sql,
			  const volatile sig_atomic_t *stop, enum reaction *reaction)
{
	PGresult   *result;
	bool		late;

	if (PQsendQuery(conn, sql) != 1)
	{
		*reaction = pgerror_connection(conn, "could not send a command");
		return NULL;
	}
	result = connect_await(conn, stop, STEP_MS, &late);
	if (late)
		complain(STEP_MS);
	return result;
}

PGresult *
connect_await(PGconn *conn, const volatile sig_atomic_t *stop, int64_t limit,
			  bool *late)
{
	int64_t		deadline = clock_ms() + limit;
	PGresult   *last = NULL;
	PGresult   *result;

	*late = false;
	for (;;)
	{
		if (PQflush(conn) == 1 && !await(conn, stop, POLLOUT, deadline))
			break;
		if (PQisBusy(conn))
		{
			if (!await(conn, stop, POLLIN, deadline))
				break;
			/* why it failed is in the result then */
			if (PQconsumeInput(conn))
				continue;
		}
		result = PQgetResult(conn);
		if (result == NULL)
			return last;
		PQclear(last);
		last = result;
		if (PQresultStatus(result) == PGRES_COPY_BOTH)
			return result;
	}
	PQclear(last);
	*late = !*stop;
	return NULL;
}

static void
complain(int64_t limit)
{
	log_error("the server did not answer within %d s", (int) (limit / 1000));
}

/*
 * What stands before dbname are defaults that conninfo may change, what stands
 * after it may not be changed; what is NULL is not there.  A dead peer is
 * noticed by TCP, within 30 s: silence of the server means nothing, it may be
 * decoding.
 */
static PGconn *
begin(const struct config *config, const PGconn *peer)
{
	char	   *options = session_options(config->conninfo,
										  peer != NULL ? PINNED : "");
	const char *const keywords[] = {
		"fallback_application_name", "connect_timeout", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"dbname", "host", "hostaddr", "port", "application_name",
		"replication", "client_encoding", "options", NULL,
	};
	const char *const values[] = {
		"wal2kafka", "10", "10",
		"5", "3", "25000",
		config->conninfo, peer != NULL ? PQhost(peer) : NULL,
		peer != NULL ? PQhostaddr(peer) : NULL,
		peer != NULL ? PQport(peer) : NULL,
		peer != NULL ? "wal2kafka snapshot" : NULL,
		peer != NULL ? "false" : "database", "UTF8", options, NULL,
	};
	PGconn	   *conn = PQconnectStartParams(keywords, values, 1);

	free(options);
	/* a refused connection has no result: its SQLSTATE is in the message */
	if (conn != NULL)
		PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return conn;
}

/*
 * Against settings of role or database; people's own go after them and win,
 * and "more" is not for people to change.
 */
static char *
session_options(const char *conninfo, const char *more)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	const char *given = getenv("PGOPTIONS");
	char	   *options;

	for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
			given = o->val;
	options = mem_format("-c statement_timeout=0 -c lock_timeout=0 "
						 "-c idle_session_timeout=0 "
						 "-c idle_in_transaction_session_timeout=0 %s %s",
						 given != NULL ? given : "", more);
	PQconninfoFree(parsed);
	return options;
}

static bool
finish(PGconn *conn, const volatile sig_atomic_t *stop, int64_t limit,
	   enum reaction *reaction)
{
	int64_t		deadline = clock_ms() + limit;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (conn == NULL || PQstatus(conn) == CONNECTION_BAD)
		status = PGRES_POLLING_FAILED;
	while (status != PGRES_POLLING_OK)
	{
		if (status == PGRES_POLLING_FAILED)
		{
			*reaction = pgerror_connection(conn, "could not connect");
			return false;
		}
		if (!await(conn, stop, status == PGRES_POLLING_READING ? POLLIN :
				   POLLOUT, deadline))
		{
			if (!*stop)
				complain(limit);
			return false;
		}
		status = PQconnectPoll(conn);
	}
	if (PQsetnonblocking(conn, 1) != 0)
	{
		*reaction = pgerror_connection(conn,
									   "could not set up the connection");
		return false;
	}
	return true;
}

/* Waits for the socket; false at the stop flag, or after too long. */
static bool
await(const PGconn *conn, const volatile sig_atomic_t *stop, short events,
	  int64_t deadline)
{
	while (!*stop)
	{
		struct pollfd fd = {PQsocket(conn), events, 0};

		ready_turned();
		if (clock_ms() >= deadline)
			return false;
		if (poll(&fd, 1, 200) > 0)
			return true;
	}
	return false;
}
