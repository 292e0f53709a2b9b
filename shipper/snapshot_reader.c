/*
 * snapshot_reader.c
 *		An ordinary connection that reads tables, without waiting.
 */
#include "snapshot_reader.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define QUEUE_FRAMES	64
#define QUEUE_BYTES		(2 * 1024 * 1024)	/* then nothing more is read */

/* of COPY's binary format */
#define SIGNATURE		"PGCOPY\n\377\r\n"	/* and a NUL */
#define HEADER_SIZE		19		/* signature, flags, no extension */
#define TUPLE_SIZE		6		/* how many fields, length of the one */

struct reader
{
	PGconn	   *conn;			/* owned */
	enum reader_state state;
	bool		copying;		/* it is a copy, and has begun */
	bool		begun;			/* its header was read */
	PGresult   *answer;			/* owned; the last one, or the error */

	struct stream_message queue[QUEUE_FRAMES];
	size_t		first;
	size_t		count;
	size_t		bytes;
};

static void start(struct reader *reader, const char *sql);
static void read_results(struct reader *reader);
static void take_result(struct reader *reader, PGresult *result);
static void read_frames(struct reader *reader);
static bool has_room(const struct reader *reader);
static bool take_row(struct reader *reader, char *buffer, size_t size);
static void drop_frames(struct reader *reader);

struct reader *
reader_open(PGconn *conn)
{
	struct reader *reader = mem_zalloc(sizeof(*reader));

	reader->conn = conn;
	return reader;
}

void
reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	drop_frames(reader);
	PQclear(reader->answer);
	PQfinish(reader->conn);
	free(reader);
}

void
reader_ask(struct reader *reader, const char *sql)
{
	start(reader, sql);
}

void
reader_copy(struct reader *reader, const char *sql)
{
	reader->begun = false;
	start(reader, sql);
}

static void
start(struct reader *reader, const char *sql)
{
	PQclear(reader->answer);
	reader->answer = NULL;
	reader->copying = false;
	reader->state = PQsendQuery(reader->conn, sql) == 1 &&
		PQflush(reader->conn) >= 0 ? READER_BUSY : READER_LOST;
}

enum reader_state
reader_step(struct reader *reader)
{
	if (reader->state != READER_BUSY)
		return reader->state;
	if (PQflush(reader->conn) < 0)
		reader->state = READER_LOST;
	else if (reader->copying && !has_room(reader))
		return READER_BUSY;
	else if (!PQconsumeInput(reader->conn))
		reader->state = READER_LOST;
	else if (reader->copying)
		read_frames(reader);
	else
		read_results(reader);
	return reader->state;
}

static void
read_results(struct reader *reader)
{
	while (reader->state == READER_BUSY && !reader->copying &&
		   !PQisBusy(reader->conn))
	{
		PGresult   *result = PQgetResult(reader->conn);

		if (result != NULL)
			take_result(reader, result);
		else if (reader->answer == NULL ||
				 PQstatus(reader->conn) == CONNECTION_BAD)
			reader->state = READER_LOST;
		else
			reader->state =
				PQresultStatus(reader->answer) == PGRES_FATAL_ERROR ?
				READER_REFUSED : READER_DONE;
	}
	if (reader->copying)
		read_frames(reader);
}

/* An error counts more than what came before it; nothing comes after. */
static void
take_result(struct reader *reader, PGresult *result)
{
	if (PQresultStatus(result) == PGRES_COPY_OUT)
	{
		reader->copying = true;
		PQclear(result);
		return;
	}
	PQclear(reader->answer);
	reader->answer = result;
}

static void
read_frames(struct reader *reader)
{
	while (has_room(reader))
	{
		char	   *buffer;
		int			size = PQgetCopyData(reader->conn, &buffer, 1);

		if (size == 0)
			return;
		if (size < 0)
		{
			reader->copying = false;
			read_results(reader);
			return;
		}
		if (!take_row(reader, buffer, (size_t) size))
			PQfreemem(buffer);
	}
}

static bool
has_room(const struct reader *reader)
{
	return reader->count == 0 ||
		(reader->count < QUEUE_FRAMES && reader->bytes < QUEUE_BYTES);
}

/* The first row has the header in front; the trailer counts -1 fields. */
static bool
take_row(struct reader *reader, char *buffer, size_t size)
{
	const unsigned char *at = (const unsigned char *) buffer;
	size_t		left = size;
	size_t		last = (reader->first + reader->count) % QUEUE_FRAMES;

	if (!reader->begun && left >= HEADER_SIZE &&
		memcmp(at, SIGNATURE, sizeof(SIGNATURE)) == 0)
	{
		at += HEADER_SIZE;
		left -= HEADER_SIZE;
	}
	reader->begun = true;
	if (left < TUPLE_SIZE || at[0] != 0 || at[1] != 1 || at[2] == 0xff)
		return false;
	reader->queue[last] = (struct stream_message) {
		.buffer = buffer,
		.size = size,
		.frame = (const char *) at + TUPLE_SIZE,
		.frame_size = left - TUPLE_SIZE,
	};
	reader->count++;
	reader->bytes += size;
	return true;
}

bool
reader_frame(struct reader *reader, struct stream_message *message)
{
	if (reader->count == 0)
		return false;
	*message = reader->queue[reader->first];
	reader->first = (reader->first + 1) % QUEUE_FRAMES;
	reader->count--;
	reader->bytes -= message->size;
	return true;
}

bool
reader_has_frames(const struct reader *reader)
{
	return reader->count > 0;
}

static void
drop_frames(struct reader *reader)
{
	struct stream_message message;

	while (reader_frame(reader, &message))
		stream_free_buffer(message.buffer);
}

const PGresult *
reader_answer(const struct reader *reader)
{
	return reader->answer;
}

const char *
reader_sqlstate(const struct reader *reader)
{
	const char *state = PQresultErrorField(reader->answer, PG_DIAG_SQLSTATE);

	return state != NULL ? state : "";
}

const char *
reader_error(const struct reader *reader)
{
	const char *text = PQresultErrorField(reader->answer,
										  PG_DIAG_MESSAGE_PRIMARY);

	return text != NULL ? text : "the connection is lost";
}

const char *
reader_hint(const struct reader *reader)
{
	const char *text = PQresultErrorField(reader->answer,
										  PG_DIAG_MESSAGE_HINT);

	return text != NULL ? text : "";
}

int
reader_fd(const struct reader *reader)
{
	return reader->state == READER_BUSY &&
		(!reader->copying || has_room(reader)) ? PQsocket(reader->conn) : -1;
}
