/*
 * stream.c
 *		The replication connection: open, receive, confirm, close.
 *
 * Opening waits (connect.h), and finishing does, for seconds; while the copy
 * runs nothing here waits.
 */
#include "stream.h"

#include <endian.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "clock.h"
#include "connect.h"
#include "identity.h"
#include "lag.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "pgerror.h"
#include "ready.h"
#include "replcommand.h"
#include "standing.h"

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
	int			patience;		/* wal_sender_timeout, ms; 0: endless */
	bool		unflushed;		/* libpq holds bytes the socket refused */
	struct identity identity;	/* of the server, owned */
	enum reaction reaction;
};

static enum stream_event copy_ended(struct stream *stream);
static void refuse_message(struct stream *stream, char kind, int size);
static void note_end(const char *from);
static void put_be64(char *to, uint64_t value);

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
	identity_free(&stream->identity);
	free(stream);
}

bool
stream_open(struct stream *stream, lsn_t confirmed, lsn_t sent)
{
	stream->reaction = REACTION_RETRY;
	stream->ended = stream->unflushed = false;
	stream->conn = connect_open(stream->config, stream->stop,
								&stream->reaction);
	if (stream->conn != NULL &&
		identity_ask(&stream->identity, stream->conn, confirmed, sent,
					 stream->stop, &stream->reaction))
		return true;
	stream_close(stream);
	return false;
}

lsn_t
stream_left_at(const struct stream *stream)
{
	return stream->identity.left_at;
}

int
stream_process(const struct stream *stream)
{
	return PQbackendPID(stream->conn);
}

int
stream_patience(const struct stream *stream)
{
	return stream->patience;
}

/* Where this fails, starting does too, and says why. */
static void
ask_patience(struct stream *stream)
{
	PGresult   *result = connect_query(stream->conn, "SELECT setting FROM "
									   "pg_settings WHERE name = "
									   "'wal_sender_timeout'", stream->stop,
									   &stream->reaction);

	stream->patience = 0;
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
		stream->patience = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
}

bool
stream_start(struct stream *stream, lsn_t start, const char *routes,
			 bool careful)
{
	/* a standby's log goes on as another when it is promoted, unasked */
	unsigned	timeline = stream->identity.standby ?
		stream->identity.timeline : 0;
	char	   *command = replcommand_start(stream->config, stream->max_record,
											start, routes, timeline, careful);
	PGresult   *result;

	ask_patience(stream);
	result = connect_query(stream->conn, command, stream->stop,
						   &stream->reaction);
	log_debug("%s", command);
	free(command);
	if (result == NULL || PQresultStatus(result) != PGRES_COPY_BOTH)
	{
		if (result != NULL)
			stream->reaction = pgerror_result(stream->conn,
											  "could not start streaming",
											  result);
		PQclear(result);
		stream_close(stream);
		return false;
	}
	PQclear(result);
	stream->streaming = metrics.streaming = true;
	ready_set(READY_SERVER, false);
	ready_set(READY_STANDBY, false);
	return true;
}

bool
stream_standing(struct stream *stream, struct standing *standing)
{
	return standing_read(stream->conn, stream->config->slot, stream->stop,
						 &stream->reaction, standing);
}

bool
stream_find_fork(struct stream *stream, uint32_t timeline,
				 struct standing *standing)
{
	return standing_find_fork(stream->conn, timeline, stream->stop,
							  &stream->reaction, standing);
}

PGconn *
stream_beside(struct stream *stream, enum reaction *reaction)
{
	return connect_beside(stream->config, stream->conn, stream->stop,
						  reaction);
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
		note_end(buffer + 9);
		return STREAM_FRAME;
	}
	if (buffer[0] == 'k' && size >= KEEPALIVE_SIZE)
	{
		bool		wanted = buffer[KEEPALIVE_SIZE - 1] != 0;

		note_end(buffer + 1);
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
		stream->reaction = pgerror_connection(stream->conn,
											  "could not confirm");
		return false;
	}
	metrics.confirmed = lsn;
	return stream_flush(stream);
}

void
stream_advance(struct stream *stream, lsn_t lsn)
{
	char	   *sql = mem_format("SELECT pg_replication_slot_advance('%s', '"
								 LSN_FORMAT "')", stream->config->slot,
								 LSN_ARGS(lsn));
	PGresult   *result = connect_query(stream->conn, sql, stream->stop,
									   &stream->reaction);

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		log_info("confirmed up to " LSN_FORMAT, LSN_ARGS(lsn));
	else
		log_debug("could not confirm: %s", PQerrorMessage(stream->conn));
	PQclear(result);
	free(sql);
}

bool
stream_flush(struct stream *stream)
{
	int			rc = PQflush(stream->conn);

	stream->unflushed = rc == 1;
	if (rc < 0)
	{
		stream->reaction = pgerror_connection(stream->conn,
											  "could not write to the server");
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
	if (stream->streaming && lag_is_caught_up(&metrics))
		metrics.caught_up_at = metrics_now();
	stream->streaming = metrics.streaming = false;
	ready_set(READY_SERVER, true);
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
		stream->reaction = pgerror_stream(stream->conn, "the stream broke",
										  result);
	else
		stream->reaction = pgerror_connection(stream->conn, "lost the "
											  "connection to the server");
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

/* How far the server says it is: good for telling people, nothing else. */
static void
note_end(const char *from)
{
	uint64_t	end;

	memcpy(&end, from, sizeof(end));
	end = be64toh(end);
	if (end > metrics.server_end)
		metrics.server_end = end;
}

static void
put_be64(char *to, uint64_t value)
{
	uint64_t	big = htobe64(value);

	memcpy(to, &big, sizeof(big));
}
