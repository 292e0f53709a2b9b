/*
 * stream.h
 *		The replication connection: open, receive, confirm, close.
 *
 * The only file of the data path that knows libpq.  Functions that fail have
 * logged why; stream_reaction() then tells what helps.
 */
#ifndef STREAM_H
#define STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "lsn.h"
#include "reaction.h"

struct pg_conn;					/* libpq's */
struct standing;
struct stream;

enum stream_event
{
	STREAM_FRAME,				/* a frame was received */
	STREAM_KEEPALIVE,			/* a sign of life */
	STREAM_ANSWER,				/* likewise, and it wants an answer now */
	STREAM_WAIT,				/* nothing yet: wait for the descriptor */
	STREAM_LOST,				/* the connection is over */
};

/* One received message; the bytes lie in buffer, which the caller owns. */
struct stream_message
{
	void	   *buffer;			/* for stream_free_buffer() */
	size_t		size;
	const char *frame;			/* what the plugin wrote */
	size_t		frame_size;
};

/*
 * Borrows the config; "stop" is a flag that ends waiting inside the functions
 * that block; max_record is the largest record that the sink takes.
 */
extern struct stream *stream_init(const struct config *config,
								  size_t max_record,
								  const volatile sig_atomic_t *stop);
extern void stream_free(struct stream *stream);

/*
 * Connects and learns who the server is.  Blocks, seconds at most.  A server
 * whose log does not hold what was confirmed to it, or the transaction of the
 * last record that was sent, is refused.
 */
extern bool stream_open(struct stream *stream, lsn_t confirmed, lsn_t sent);

/*
 * Where the server's log, as this program read it, goes on otherwise, after a
 * promotion; LSN_INVALID when it does not.
 */
extern lsn_t stream_left_at(const struct stream *stream);

/* The server's process at the other end, of an open stream. */
extern int	stream_process(const struct stream *stream);

/*
 * Starts streaming at an LSN (LSN_INVALID: wherever the slot stands), with
 * the plugin's routes; "careful" as for replcommand_start().  Blocks like
 * stream_open().
 */
extern bool stream_start(struct stream *stream, lsn_t start,
						 const char *routes, bool careful);

/* Between the two: where it stands, see standing.h. */
extern bool stream_standing(struct stream *stream, struct standing *standing);
extern bool stream_find_fork(struct stream *stream, uint32_t timeline,
							 struct standing *standing);

/*
 * Another connection to the same server, an ordinary one that does not block,
 * or NULL; see connect_beside().  Blocks like stream_open().
 */
extern struct pg_conn *stream_beside(struct stream *stream,
									 enum reaction *reaction);

/* After how many ms of silence the server ends the stream; 0: never. */
extern int	stream_patience(const struct stream *stream);

extern bool stream_is_open(const struct stream *stream);

/* What poll() should watch; -1 when there is nothing to wait for. */
extern int	stream_fd(const struct stream *stream);

/* Whether to watch for room to write too, for stream_flush(). */
extern bool stream_wants_write(const struct stream *stream);

/* Reads what has arrived from the socket; no message is given out yet. */
extern void stream_read(struct stream *stream);

/* The next message that was read. */
extern enum stream_event stream_receive(struct stream *stream,
										struct stream_message *message);

/* Tells the server that everything below the LSN is delivered. */
extern bool stream_confirm(struct stream *stream, lsn_t lsn);

/*
 * Tells the server the same over a connection that is open and does not
 * stream: nothing is decoded by the plugin.  It may fail: then what lies
 * before is sent again.
 */
extern void stream_advance(struct stream *stream, lsn_t lsn);

/* Sends what the socket did not take before. */
extern bool stream_flush(struct stream *stream);

/* Ends the copy in good order: the server has got every confirmation. */
extern void stream_finish(struct stream *stream);

extern void stream_close(struct stream *stream);

/* What helps against the last failure. */
extern enum reaction stream_reaction(const struct stream *stream);

/* Frees a stream_message's buffer. */
extern void stream_free_buffer(void *buffer);

#endif							/* STREAM_H */
