/*
 * drain.c
 *		Reads a slot as fast as it can and throws away what comes.
 *
 *	drain CONNINFO SLOT PLUGIN END ROWS VERIFY [OPTION=VALUE...]
 *
 * PLUGIN says how to count rows, see rows.c; VERIFY is 1 or 0.  Prints "pid",
 * the walsender's, and when it has got ROWS rows and everything up to the LSN
 * END one line of figures.  Then it stays connected until its input ends, so
 * that more can be asked about the walsender.
 *
 * It never confirms anything: the slot can be read again.
 */
#include <endian.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "rows.h"

#define FEEDBACK_NS		INT64_C(1000000000)
#define PATIENCE_NS		INT64_C(5000000000) /* for rows that are late */
#define ENVELOPE		5		/* of the protocol: type and length */
#define DATA_HEADER		25		/* 'w', three numbers */

struct drain
{
	PGconn	   *conn;
	rows_counter counter;
	bool		verify;
	uint64_t	end;			/* LSN */
	uint64_t	wanted;			/* rows */
	struct rows_place place;	/* of what was verified */

	uint64_t	rows;
	uint64_t	messages;
	uint64_t	bytes;
	int64_t		reached;		/* when everything up to end was sent */
	int64_t		feedback;		/* when the server was last told */
};

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("drain: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(1);
}

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What the scheduler counted for a process of one thread. */
static int64_t
cpu_ns(int pid)
{
	char		name[64];
	int64_t		ns = 0;
	FILE	   *file;

	snprintf(name, sizeof(name), "/proc/%d/schedstat", pid);
	file = fopen(name, "r");
	if (file == NULL || fscanf(file, "%" SCNd64, &ns) != 1)
		die("cannot read %s", name);
	fclose(file);
	return ns;
}

/* How often this process went to sleep. */
static long
sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static uint64_t
get_u64(const char *from)
{
	uint64_t	value;

	memcpy(&value, from, sizeof(value));
	return be64toh(value);
}

static uint64_t
parse_lsn(const char *text)
{
	uint32_t	high;
	uint32_t	low;

	if (sscanf(text, "%" SCNx32 "/%" SCNx32, &high, &low) != 2)
		die("no LSN: %s", text);
	return (uint64_t) high << 32 | low;
}

static PGconn *
open_connection(const char *conninfo)
{
	const char *const names[] = {
		"dbname", "replication", "application_name", NULL
	};
	const char *const values[] = {conninfo, "database", "drain", NULL};
	PGconn	   *conn = PQconnectdbParams(names, values, 1);

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	return conn;
}

static void
start_stream(PGconn *conn, const char *slot, char **options)
{
	char		command[4096];
	size_t		len;
	PGresult   *result;

	len = (size_t) snprintf(command, sizeof(command),
							"START_REPLICATION SLOT \"%s\" LOGICAL 0/0", slot);
	for (const char *before = " ("; *options != NULL; options++, before = ", ")
	{
		const char *value = strchr(*options, '=');

		if (value == NULL)
			die("no value: %s", *options);
		len += (size_t) snprintf(command + len, sizeof(command) - len,
								 "%s\"%.*s\" '%s'%s", before,
								 (int) (value - *options), *options,
								 value + 1, options[1] == NULL ? ")" : "");
		if (len >= sizeof(command))
			die("too many options");
	}
	result = PQexec(conn, command);
	if (PQresultStatus(result) != PGRES_COPY_BOTH)
		die("%s: %s", command, PQerrorMessage(conn));
	PQclear(result);
}

/* A sign of life that confirms nothing; the server says where it is then. */
static void
send_feedback(struct drain *drain)
{
	char		message[1 + 4 * 8 + 1] = {'r'};

	if (PQputCopyData(drain->conn, message, sizeof(message)) != 1 ||
		PQflush(drain->conn) < 0)
		die("%s", PQerrorMessage(drain->conn));
	drain->feedback = clock_ns(CLOCK_MONOTONIC);
}

static void
take_data(struct drain *drain, const char *message, size_t len)
{
	const char *reason;
	int			rows = drain->counter(message, len);

	if (rows < 0)
		die("a message that the plugin does not write");
	if (drain->verify && !rows_verify(&drain->place, message, len,
									  &reason))
		die("%s", reason);
	drain->messages++;
	drain->rows += (uint64_t) rows;
}

static void
take_message(struct drain *drain, const char *message, size_t len)
{
	drain->bytes += len + ENVELOPE;
	if (message[0] == 'w' && len >= DATA_HEADER)
		take_data(drain, message + DATA_HEADER, len - DATA_HEADER);
	else if (message[0] == 'k' && len >= 9)
	{
		if (get_u64(message + 1) >= drain->end && drain->reached == 0)
			drain->reached = clock_ns(CLOCK_MONOTONIC);
	}
	else
		die("a message of an unknown kind");
}

/* More rows than wanted are seen here too: the server sends in order. */
static bool
is_done(const struct drain *drain)
{
	return drain->reached != 0 && drain->rows >= drain->wanted;
}

static void
wait_for_data(struct drain *drain)
{
	struct pollfd fd = {PQsocket(drain->conn), POLLIN, 0};
	int64_t		now = clock_ns(CLOCK_MONOTONIC);

	if (now - drain->feedback > FEEDBACK_NS)
		send_feedback(drain);
	if (drain->reached != 0 && now - drain->reached > PATIENCE_NS)
		die("%" PRIu64 " rows of %" PRIu64, drain->rows, drain->wanted);
	poll(&fd, 1, 1000);
	if (!PQconsumeInput(drain->conn))
		die("%s", PQerrorMessage(drain->conn));
}

static void
read_stream(struct drain *drain)
{
	drain->feedback = clock_ns(CLOCK_MONOTONIC);
	while (!is_done(drain))
	{
		char	   *message;
		int			len = PQgetCopyData(drain->conn, &message, 1);

		if (len > 0)
		{
			take_message(drain, message, (size_t) len);
			PQfreemem(message);
		}
		else if (len == 0)
			wait_for_data(drain);
		else
			die("the stream ended: %s", PQerrorMessage(drain->conn));
	}
	if (drain->rows != drain->wanted)
		die("%" PRIu64 " rows, not %" PRIu64, drain->rows, drain->wanted);
}

int
main(int argc, char **argv)
{
	struct drain drain = {0};
	int64_t		start;
	int64_t		cpu;
	int64_t		sender_cpu;
	long		slept;
	int			sender;

	if (argc < 7)
		die("drain CONNINFO SLOT PLUGIN END ROWS VERIFY [OPTION=VALUE...]");
	drain.counter = rows_counter_of(argv[3]);
	if (drain.counter == NULL)
		die("unknown plugin: %s", argv[3]);
	drain.end = parse_lsn(argv[4]);
	drain.wanted = strtoull(argv[5], NULL, 10);
	drain.verify = argv[6][0] == '1';
	drain.conn = open_connection(argv[1]);

	sender = PQbackendPID(drain.conn);
	printf("pid %d\n", sender);
	fflush(stdout);
	sender_cpu = cpu_ns(sender);
	start = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	slept = sleeps();
	start_stream(drain.conn, argv[2], argv + 7);
	read_stream(&drain);
	printf("rows %" PRIu64 " messages %" PRIu64 " bytes %" PRIu64
		   " sleeps %ld seconds %.6f client_cpu %.6f sender_cpu %.6f\n",
		   drain.rows, drain.messages, drain.bytes, sleeps() - slept,
		   (double) (clock_ns(CLOCK_MONOTONIC) - start) / 1e9,
		   (double) (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9,
		   (double) (cpu_ns(sender) - sender_cpu) / 1e9);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	PQfinish(drain.conn);
	return 0;
}
