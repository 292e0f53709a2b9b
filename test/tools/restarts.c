/*
 * restarts.c
 *		Starts decoding many times on one replication connection, and says what
 *		memory the walsender had early on and at the end.
 *
 *	restarts CONNINFO SLOT TIMES OPTIONS... LAST_OPTIONS
 *
 * OPTIONS are lists as START_REPLICATION takes them, used in turn, and each
 * start is to end in an error: a walsender whose client once ended a stream
 * ends all later ones at once.  Then one start with LAST_OPTIONS is read until
 * a message has the word "last", and stopped.  Nothing is ever confirmed.
 * Prints "early NAME BYTES" and "late NAME BYTES" for the kinds of memory
 * contexts.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#define WARM_UP 30

static void
print_memory(PGconn *conn, const char *when)
{
	PGresult   *result = PQexec(conn,
								"SELECT name, sum(total_bytes)"
								" FROM pg_backend_memory_contexts"
								" GROUP BY name ORDER BY name");

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		fprintf(stderr, "restarts: %s", PQerrorMessage(conn));
		exit(1);
	}
	for (int i = 0; i < PQntuples(result); i++)
		printf("%s\t%s\t%s\n", when, PQgetvalue(result, i, 0),
			   PQgetvalue(result, i, 1));
	PQclear(result);
}

/* Reads all that is left of a command. */
static void
drain(PGconn *conn)
{
	PGresult   *result;
	char	   *message;

	while ((result = PQgetResult(conn)) != NULL)
	{
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		while (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
		{
			int			len = PQgetCopyData(conn, &message, 0);

			if (len < 0)
				break;
			PQfreemem(message);
		}
	}
}

/* Whether the message with the word came. */
static bool
read_until_last(PGconn *conn)
{
	char	   *message;
	int			len;

	while ((len = PQgetCopyData(conn, &message, 0)) >= 0)
	{
		bool		last = message[0] == 'w' &&
			memmem(message, len, "last", 4);

		PQfreemem(message);
		if (last)
			return true;
	}
	return false;
}

/*
 * Whether the stream went on until "last", and the connection still is there.
 */
static bool
start_and_stop(PGconn *conn, const char *slot, const char *options)
{
	char		command[1024];
	PGresult   *result;
	bool		good;

	snprintf(command, sizeof(command),
			 "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (%s)", slot, options);
	result = PQexec(conn, command);
	good = PQresultStatus(result) == PGRES_COPY_BOTH &&
		read_until_last(conn) && PQputCopyEnd(conn, NULL) == 1;
	PQclear(result);
	drain(conn);
	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "restarts: %s", PQerrorMessage(conn));
		exit(1);
	}
	return good;
}

int
main(int argc, char **argv)
{
	int			times = argc > 5 ? atoi(argv[3]) : 0;
	char		conninfo[1024];
	PGconn	   *conn;

	if (times < 1)
	{
		fprintf(stderr, "usage: restarts CONNINFO SLOT TIMES OPTIONS... "
				"LAST_OPTIONS\n");
		return 1;
	}
	snprintf(conninfo, sizeof(conninfo), "%s replication=database", argv[1]);
	conn = PQconnectdb(conninfo);

	for (int i = 0; i < times; i++)
	{
		if (start_and_stop(conn, argv[2], argv[4 + i % (argc - 5)]))
		{
			fprintf(stderr, "restarts: start %d did not fail\n", i);
			return 1;
		}
		if (i == WARM_UP)
			print_memory(conn, "early");
	}
	if (!start_and_stop(conn, argv[2], argv[argc - 1]))
	{
		fprintf(stderr, "restarts: %s", PQerrorMessage(conn));
		return 1;
	}
	print_memory(conn, "late");
	PQfinish(conn);
	return 0;
}
