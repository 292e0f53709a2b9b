/*
 * snapshot.h
 *		Copies the rows that tables have already, between the changes.
 *
 * While a snapshot goes on, the stream is held now and then at a point outside
 * of transactions.  There a round of chunks goes in, read under one database
 * snapshot that sees all that was sent before; doc/snapshot.md says why no
 * change is lost or undone by it.
 *
 * Nothing waits but connecting.  The loop asks before it reads the stream
 * (snapshot_holds), before it uses a frame of it (snapshot_admits), and takes
 * from here what goes in (snapshot_next).
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <poll.h>
#include <stdbool.h>

#include <jansson.h>

#include "config.h"
#include "frame.h"
#include "ledger.h"
#include "sight.h"
#include "slot_export.h"
#include "snapshot_plan.h"
#include "stream.h"

#define SNAPSHOT_CONNECTIONS_MAX	16

struct snapshot;

/* Borrows the config and the transactions that were sent. */
extern struct snapshot *snapshot_open(const struct config *config,
									  size_t max_record,
									  const struct sight_sent *sent);
extern void snapshot_close(struct snapshot *snapshot);

/*
 * Before the loop: copy all that is captured, as it was when a slot was made,
 * which is taken over; or, "all", if no state record tells that the slot was
 * read before.
 */
extern void snapshot_wish(struct snapshot *snapshot,
						  const struct slot_export *made, bool all);

/* Whether it copies before the first change: the stream may have to wait. */
extern bool snapshot_is_initial(const struct snapshot *snapshot);

/* Whether nothing is left to do, and whether a table failed. */
extern bool snapshot_has_ended(const struct snapshot *snapshot);
extern bool snapshot_has_failed(const struct snapshot *snapshot);

/* Whether that record is one of a snapshot. */
extern bool snapshot_sent(const struct snapshot *snapshot,
						  struct position position);

/* What it has to do; the keeper loads it and tells the state record of it. */
extern struct snapshot_plan *snapshot_plan(struct snapshot *snapshot);

/* --- people's wishes: NULL, or why not, to be freed, as *hint ---------- */

extern char *snapshot_want(struct snapshot *snapshot, size_t count,
						   const char *const *tables, char **hint);
extern char *snapshot_pause(struct snapshot *snapshot, char **hint);
extern char *snapshot_resume(struct snapshot *snapshot, char **hint);
extern char *snapshot_cancel(struct snapshot *snapshot, char **hint);

/* Where it stands, a new reference. */
extern json_t *snapshot_status(const struct snapshot *snapshot);

/* --- the loop ---------------------------------------------------------- */

/*
 * The stream was opened, with those routes, or is gone.  "fresh": no state
 * record tells of the slot.
 */
extern void snapshot_stream_opened(struct snapshot *snapshot,
								   struct stream *stream, const char *routes,
								   bool fresh);
extern void snapshot_stream_lost(struct snapshot *snapshot);

/*
 * What was sent and is not acknowledged will be sent again: no chunk on its
 * way counts.
 */
extern void snapshot_restart(struct snapshot *snapshot);

/*
 * One step, each turn of the loop.  "acked": how far all is acknowledged;
 * "sent": the last position given to the sink; "idle": the cursor has no
 * frame.
 */
extern void snapshot_serve(struct snapshot *snapshot, struct position acked,
						   struct position sent, bool idle);

/* Whether the stream must not be read now. */
extern bool snapshot_holds(const struct snapshot *snapshot);

/*
 * Whether a frame of the stream may go on now.  If not, the message is kept
 * here and comes back by snapshot_next().
 */
extern bool snapshot_admits(struct snapshot *snapshot,
							const struct stream_message *message);

/* A frame of the stream is at the cursor. */
extern void snapshot_note(struct snapshot *snapshot,
						  const struct frame *frame);

enum snapshot_next
{
	SNAPSHOT_NOTHING,
	SNAPSHOT_CHUNK,				/* a frame of a chunk */
	SNAPSHOT_KEPT,				/* the stream's that was kept */
};

/* What goes to the cursor before anything is read from the stream. */
extern enum snapshot_next snapshot_next(struct snapshot *snapshot,
										struct stream_message *message);

/* A chunk's frame is at the cursor. */
extern void snapshot_took(struct snapshot *snapshot,
						  const struct frame *frame);

/* Fills in what to poll for, returns how many. */
extern int	snapshot_poll_fds(const struct snapshot *snapshot,
							  struct pollfd *fds);

/* ms until snapshot_serve() should be called again; -1: when polled */
extern int	snapshot_timeout(const struct snapshot *snapshot);

#endif							/* SNAPSHOT_H */
