/*
 * stream.c
 *		The replication connection: open, receive, confirm, close.
 *
 * Opening waits, but always on poll() and never past the stop flag or its
 * time limit; once the copy runs nothing here waits.
 */
#include "stream.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "names.h"

#define OPEN_SECONDS		60	/* for each step of opening */
#define FINISH_SECONDS		3
#define SERVER_EPOCH_SECONDS 946684800	/* 2000-01-01 in Unix time */

/* bytes of the envelopes of streaming replication */
#define DATA_HEADER_SIZE	25	/* 'w', start, end, time */
#define KEEPALIVE_SIZE		18	/* 'k', end, time, reply wanted */
#define STATUS_SIZE			34	/* 'r', write, flush, apply, time, reply */

struct stream
{
	const struct config *config;	/* borrowed */
	const volatile sig_atomic_t *stop;
	size_t		max_record;
	PGconn	   *conn;			/* owned; NULL when closed */
	bool		streaming;		/* the copy has begun */
	bool		ended;			/* the socket gives no more */
	bool		unflushed;		/* libpq holds bytes the socket refused */
	char	   *system;			/* owned; identifier, NULL before the first */
	unsigned	timeline;		/* of the last connection; 0 before it */
	bool		timeline_changed;
	enum reaction reaction;
#ifdef MUTANT_CONFIRM_KEEPALIVE
	lsn_t		keepalive_end;
#endif
};

static PGconn *begin_connect(const struct config *config);
static char *session_options(const char *conninfo);
static bool finish_connect(struct stream *stream);
static bool identify(struct stream *stream);
static bool check_identity(struct stream *stream, const char *system,
						   unsigned timeline);
static PGresult *run_query(struct stream *stream, const char *sql);
static bool await(struct stream *stream, short events, int64_t deadline);
static char *start_command(const struct stream *stream, lsn_t start,
						   const char *routes);
static void add_option(char **command, const char *name, const char *value);
static char *publication_names(const char *list);
static enum stream_event copy_ended(struct stream *stream);
static void refuse_message(struct stream *stream, char kind, int size);
static void fail_result(struct stream *stream, const char *what,
						const PGresult *result);
static void fail_connection(struct stream *stream, const char *what);
static void react(struct stream *stream, const char *sqlstate,
				  const char *message);
static void log_expanded(const struct stream *stream, const char *hint);
static void put_be64(char *to, uint64_t value);
static char *one_line(const char *message);

struct stream *
stream_init(const struct config *config, size_t max_record,
			const volatile sig_atomic_t *stop)
{
	struct stream *stream = mem_zalloc(sizeof(*stream));

	stream->config = config;
	stream->max_record = max_record;
	stream->stop = stop;
	return stream;
}

void
stream_free(struct stream *stream)
{
	stream_close(stream);
	free(stream->system);
	free(stream);
}

bool
stream_open(struct stream *stream)
{
	stream->reaction = REACTION_RETRY;
	stream->ended = stream->unflushed = false;
	stream->conn = begin_connect(stream->config);
	if (!finish_connect(stream) || !identify(stream))
	{
		stream_close(stream);
		return false;
	}
	return true;
}

bool
stream_timeline_changed(const struct stream *stream)
{
	return stream->timeline_changed;
}

bool
stream_start(struct stream *stream, lsn_t start, const char *routes)
{
	char	   *command = start_command(stream, start, routes);
	PGresult   *result = run_query(stream, command);

	log_debug("%s", command);
	free(command);
	if (result == NULL || PQresultStatus(result) != PGRES_COPY_BOTH)
	{
		if (result != NULL)
			fail_result(stream, "could not start streaming", result);
		PQclear(result);
		stream_close(stream);
		return false;
	}
	PQclear(result);
	stream->streaming = true;
	return true;
}

bool
stream_is_open(const struct stream *stream)
{
	return stream->streaming;
}

int
stream_fd(const struct stream *stream)
{
	return stream->streaming && !stream->ended ? PQsocket(stream->conn) : -1;
}

bool
stream_wants_write(const struct stream *stream)
{
	return stream->streaming && stream->unflushed;
}

/* A connection that broke may still hold messages, the reason among them. */
void
stream_read(struct stream *stream)
{
	if (stream->streaming && !stream->ended && !PQconsumeInput(stream->conn))
		stream->ended = true;
}

enum stream_event
stream_receive(struct stream *stream, struct stream_message *message)
{
	char	   *buffer;
	int			size = PQgetCopyData(stream->conn, &buffer, 1);

	if (size == 0 && !stream->ended)
		return STREAM_WAIT;
	if (size <= 0)
		return copy_ended(stream);

	if (buffer[0] == 'w' && size >= DATA_HEADER_SIZE)
	{
		message->buffer = buffer;
		message->size = (size_t) size;
		message->frame = buffer + DATA_HEADER_SIZE;
		message->frame_size = (size_t) size - DATA_HEADER_SIZE;
		return STREAM_FRAME;
	}
	if (buffer[0] == 'k' && size >= KEEPALIVE_SIZE)
	{
		bool		wanted = buffer[KEEPALIVE_SIZE - 1] != 0;

#ifdef MUTANT_CONFIRM_KEEPALIVE
		uint64_t	end;

		memcpy(&end, buffer + 1, sizeof(end));
		stream->keepalive_end = be64toh(end);
#endif
		PQfreemem(buffer);
		return wanted ? STREAM_ANSWER : STREAM_KEEPALIVE;
	}
	refuse_message(stream, buffer[0], size);
	PQfreemem(buffer);
	return STREAM_LOST;
}

/*
 * Write, flush and apply are one: a record is written when Kafka has it.  The
 * server would wait at its shutdown for a write that runs behind.
 */
bool
stream_confirm(struct stream *stream, lsn_t lsn)
{
	char		status[STATUS_SIZE] = {'r'};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	put_be64(status + 1, lsn);
	put_be64(status + 9, lsn);
	put_be64(status + 17, lsn);
	put_be64(status + 25,
			 (uint64_t) ((now.tv_sec - SERVER_EPOCH_SECONDS) * 1000000LL +
						 now.tv_nsec / 1000));
	if (PQputCopyData(stream->conn, status, sizeof(status)) != 1)
	{
		fail_connection(stream, "could not confirm");
		return false;
	}
	return stream_flush(stream);
}

bool
stream_flush(struct stream *stream)
{
	int			rc = PQflush(stream->conn);

	stream->unflushed = rc == 1;
	if (rc < 0)
	{
		fail_connection(stream, "could not write to the server");
		return false;
	}
	return true;
}

/* What still arrives is thrown away: it was not confirmed. */
void
stream_finish(struct stream *stream)
{
	int64_t		deadline = clock_ms() + FINISH_SECONDS * 1000;
	char	   *buffer;
	int			size;

	if (!stream->streaming || stream->ended ||
		PQputCopyEnd(stream->conn, NULL) != 1)
		return;
	while (clock_ms() < deadline)
	{
		struct pollfd fd = {PQsocket(stream->conn), POLLIN, 0};

		if (PQflush(stream->conn) == 1)
			fd.events |= POLLOUT;
		while ((size = PQgetCopyData(stream->conn, &buffer, 1)) > 0)
			PQfreemem(buffer);
		if (size < 0)
			break;
		poll(&fd, 1, 100);
		if (!PQconsumeInput(stream->conn))
			break;
	}
}

void
stream_close(struct stream *stream)
{
	PQfinish(stream->conn);
	stream->conn = NULL;
	stream->streaming = false;
}

enum reaction
stream_reaction(const struct stream *stream)
{
	return stream->reaction;
}

void
stream_free_buffer(void *buffer)
{
	PQfreemem(buffer);
}

#ifdef MUTANT_CONFIRM_KEEPALIVE
lsn_t
stream_keepalive_end(const struct stream *stream)
{
	return stream->keepalive_end;
}
#endif

/*
 * What stands before dbname are defaults that conninfo may change, what stands
 * after it may not be changed.  A dead peer is noticed by TCP: silence of the
 * server means nothing, it may be decoding.
 */
static PGconn *
begin_connect(const struct config *config)
{
	char	   *options = session_options(config->conninfo);
	const char *const keywords[] = {
		"fallback_application_name", "connect_timeout", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout",
		"dbname", "replication", "client_encoding", "options", NULL,
	};
	const char *const values[] = {
		"wal2kafka", "10", "30",
		"10", "3", "60000",
		config->conninfo, "database", "UTF8", options, NULL,
	};
	PGconn	   *conn = PQconnectStartParams(keywords, values, 1);

	free(options);
	/* a refused connection has no result: its SQLSTATE is in the message */
	if (conn != NULL)
		PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return conn;
}

/* Settings of role or database that would end the session; people's go last. */
static char *
session_options(const char *conninfo)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	const char *given = getenv("PGOPTIONS");
	char	   *options;

	for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
			given = o->val;
	options = mem_format("-c statement_timeout=0 -c lock_timeout=0 "
						 "-c idle_session_timeout=0 "
						 "-c idle_in_transaction_session_timeout=0 %s",
						 given != NULL ? given : "");
	PQconninfoFree(parsed);
	return options;
}

static bool
finish_connect(struct stream *stream)
{
	int64_t		deadline = clock_ms() + OPEN_SECONDS * 1000;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (stream->conn == NULL || PQstatus(stream->conn) == CONNECTION_BAD)
		status = PGRES_POLLING_FAILED;
	while (status != PGRES_POLLING_OK)
	{
		if (status == PGRES_POLLING_FAILED)
		{
			fail_connection(stream, "could not connect");
			return false;
		}
		if (!await(stream, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
				   deadline))
			return false;
		status = PQconnectPoll(stream->conn);
	}
	if (PQsetnonblocking(stream->conn, 1) != 0)
	{
		fail_connection(stream, "could not set up the connection");
		return false;
	}
	return true;
}

static bool
identify(struct stream *stream)
{
	PGresult   *result = run_query(stream, "IDENTIFY_SYSTEM");
	bool		ok = false;

	if (result == NULL)
		return false;
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
		PQnfields(result) < 2)
		fail_result(stream, "could not identify the server", result);
	else
		ok = check_identity(stream, PQgetvalue(result, 0, 0),
							(unsigned) strtoul(PQgetvalue(result, 0, 1),
											   NULL, 10));
	PQclear(result);
	return ok;
}

static bool
check_identity(struct stream *stream, const char *system, unsigned timeline)
{
	if (stream->system == NULL)
		stream->system = mem_strdup(system);
	else if (strcmp(stream->system, system) != 0)
	{
		log_error("the server is another one: system identifier %s, was %s",
				  system, stream->system);
		log_hint("If that is meant, start wal2kafka anew.");
		stream->reaction = REACTION_PERSON;
		return false;
	}
	stream->timeline_changed = stream->timeline != 0 &&
		stream->timeline != timeline;
	if (stream->timeline_changed)
		log_warning("the server's timeline is %u, was %u: reading from where "
					"the slot stands", timeline, stream->timeline);
	stream->timeline = timeline;
	return true;
}

/* The last result but a copy's; NULL when the connection broke, logged. */
static PGresult *
run_query(struct stream *stream, const char *sql)
{
	int64_t		deadline = clock_ms() + OPEN_SECONDS * 1000;
	PGresult   *last = NULL;
	PGresult   *result;
	int			unsent = 1;

	if (PQsendQuery(stream->conn, sql) != 1)
	{
		fail_connection(stream, "could not send a command");
		return NULL;
	}
	for (;;)
	{
		while (unsent == 1 && (unsent = PQflush(stream->conn)) == 1)
			if (!await(stream, POLLOUT, deadline))
				return NULL;
		while (PQisBusy(stream->conn))
		{
			if (!await(stream, POLLIN, deadline))
				break;
			if (!PQconsumeInput(stream->conn))
				break;
		}
		if (PQisBusy(stream->conn))
			break;
		result = PQgetResult(stream->conn);
		if (result == NULL)
			return last;
		PQclear(last);
		last = result;
		if (PQresultStatus(result) == PGRES_COPY_BOTH)
			return result;
	}
	if (!*stream->stop && clock_ms() < deadline)
		fail_connection(stream, "lost the connection to the server");
	PQclear(last);
	return NULL;
}

/* Waits for the socket; false at the stop flag or, logged, after too long. */
static bool
await(struct stream *stream, short events, int64_t deadline)
{
	while (!*stream->stop)
	{
		struct pollfd fd = {PQsocket(stream->conn), events, 0};

		if (clock_ms() >= deadline)
		{
			log_error("the server did not answer within %d s", OPEN_SECONDS);
			return false;
		}
		if (poll(&fd, 1, 200) > 0)
			return true;
	}
	return false;
}

static char *
start_command(const struct stream *stream, lsn_t start, const char *routes)
{
	const struct config *config = stream->config;
	char	   *slot = names_quote(config->slot);
	char	   *publications = publication_names(config->publication);
	char	   *max_record = mem_format("%zu", stream->max_record);
	bool		sized = false;
	char	   *command =
		mem_format("START_REPLICATION SLOT %s LOGICAL " LSN_FORMAT
				   " (\"proto_version\" '1'", slot, LSN_ARGS(start));

	if (publications[0] != '\0')
		add_option(&command, "publication_names", publications);
	if (config->topic_prefix[0] != '\0')
		add_option(&command, "topic_prefix", config->topic_prefix);
	if (routes[0] != '\0')
		add_option(&command, "routes", routes);
	for (size_t i = 0; i < config->plugin_count; i++)
	{
		sized |= strcmp(config->plugin[i].name, "max_record") == 0;
		add_option(&command, config->plugin[i].name, config->plugin[i].value);
	}
	if (!sized && stream->max_record > 0)
		add_option(&command, "max_record", max_record);
	free(max_record);
	free(publications);
	free(slot);
	slot = command;
	command = mem_format("%s)", slot);
	free(slot);
	return command;
}

/* The replication grammar knows no escape in a string but a doubled quote. */
static void
add_option(char **command, const char *name, const char *value)
{
	char	   *quoted = mem_alloc(2 * strlen(value) + 1);
	char	   *to = quoted;
	char	   *longer;

	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '\'')
			*to++ = '\'';
		*to++ = *c;
	}
	*to = '\0';
	longer = mem_format("%s, \"%s\" '%s'", *command, name, quoted);
	free(quoted);
	free(*command);
	*command = longer;
}

static char *
publication_names(const char *list)
{
	struct names names;
	char	   *joined;

	if (list[0] == '\0' || !names_parse(&names, list, ','))
		return mem_strdup(list);
	joined = names_join(&names, ",");
	names_free(&names);
	return joined;
}

/* The server ended the copy: in good order, with an error, or by vanishing. */
static enum stream_event
copy_ended(struct stream *stream)
{
	PGresult   *result = PQgetResult(stream->conn);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_COPY_IN)
	{
		log_warning("the server has ended the stream");
		stream->reaction = REACTION_WAIT;
	}
	else if (result != NULL)
		fail_result(stream, "the stream broke", result);
	else
		fail_connection(stream, "lost the connection to the server");
	PQclear(result);
	return STREAM_LOST;
}

static void
refuse_message(struct stream *stream, char kind, int size)
{
	log_error("unexpected message from the server: type 0x%02x, %d bytes",
			  (unsigned char) kind, size);
	stream->reaction = REACTION_REPEAT;
}

static void
fail_result(struct stream *stream, const char *what, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);

	if (sqlstate == NULL || primary == NULL)
	{
		fail_connection(stream, what);
		return;
	}
	log_error("%s: %s (SQLSTATE %s)%s%s%s%s", what, primary, sqlstate,
			  detail != NULL ? "; " : "", detail != NULL ? detail : "",
			  context != NULL ? "; " : "", context != NULL ? context : "");
	if (hint != NULL)
		log_hint("%s", hint);
	react(stream, sqlstate, primary);
}

/* libpq's own words; a refusal by the server has its SQLSTATE among them. */
static void
fail_connection(struct stream *stream, const char *what)
{
	char	   *message = one_line(PQerrorMessage(stream->conn));
	char		sqlstate[6] = "";

	for (const char *c = message; (c = strstr(c, ":  ")) != NULL; c++)
		if (strspn(c + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
			c[8] == ':')
			memcpy(sqlstate, c + 3, 5);
	log_error("%s: %s", what, message);
	react(stream, sqlstate, message);
	free(message);
}

static void
react(struct stream *stream, const char *sqlstate, const char *message)
{
	const char *hint;

	stream->reaction = reaction_find(sqlstate, message, &hint);
	if (hint != NULL)
		log_expanded(stream, hint);
}

static void
log_expanded(const struct stream *stream, const char *hint)
{
	static const char *const names[] = {"{role}", "{database}"};
	const char *values[] = {PQuser(stream->conn), PQdb(stream->conn)};
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

static void
put_be64(char *to, uint64_t value)
{
	uint64_t	big = htobe64(value);

	memcpy(to, &big, sizeof(big));
}

/* libpq's messages end in line feeds and hold some; LOCATION is for hackers. */
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
