/*
 * snapshot_reader.h
 *		An ordinary connection that reads tables, without waiting.
 *
 * One statement at a time, which is asked for an answer or copies frames.
 */
#ifndef SNAPSHOT_READER_H
#define SNAPSHOT_READER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "stream.h"

enum reader_state
{
	READER_IDLE,				/* nothing was asked */
	READER_BUSY,				/* no answer yet */
	READER_DONE,				/* the answer is there; the copy is over */
	READER_REFUSED,				/* the server's word; see reader_error() */
	READER_LOST,				/* the connection */
};

struct reader;

/* Takes the connection over, which must not block. */
extern struct reader *reader_open(PGconn *conn);
extern void reader_close(struct reader *reader);

/* Starts a statement, or several of which the last one's answer counts. */
extern void reader_ask(struct reader *reader, const char *sql);

/* Starts a statement that copies out frames, one a row of one column. */
extern void reader_copy(struct reader *reader, const char *sql);

/* Reads what is there. */
extern enum reader_state reader_step(struct reader *reader);

/* The answer; valid until the next statement. */
extern const PGresult *reader_answer(const struct reader *reader);

/* Why it was refused, and the server's hint or ""; likewise. */
extern const char *reader_sqlstate(const struct reader *reader);
extern const char *reader_error(const struct reader *reader);
extern const char *reader_hint(const struct reader *reader);

/*
 * The next frame of a copy; the caller owns its buffer (stream.h).  False:
 * none is there yet, or none is left.
 */
extern bool reader_frame(struct reader *reader,
						 struct stream_message *message);

/* Whether frames wait to be taken. */
extern bool reader_has_frames(const struct reader *reader);

/* The socket to poll, or -1 when nothing is to be read now. */
extern int	reader_fd(const struct reader *reader);

#endif							/* SNAPSHOT_READER_H */
