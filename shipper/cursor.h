/*
 * cursor.h
 *		One received frame on its way from the ledger into the sink.
 *
 * There is one place in one frame from which records go on; where it stands
 * still, everything behind it waits.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"
#include "frame.h"
#include "ledger.h"
#include "sight.h"
#include "sink.h"

/* few enough that they stay in the processor's nearest cache */
#define CURSOR_RECORDS	128

enum cursor_state
{
	CURSOR_IDLE,				/* no frame, or done with it */
	CURSOR_STALLED,				/* the sink takes no more now */
	CURSOR_BROKEN,				/* the frame names what it did not announce */
};

struct cursor
{
	struct ledger *ledger;		/* borrowed */
	struct sink *sink;			/* borrowed; changes with each one opened */
	struct catalog catalog;		/* of the connection */
	struct catalog chunk;		/* of a frame that stands alone */
	struct sight_sent sent;		/* transactions of the stream */

	struct ledger_entry *entry; /* holds the frame's bytes; NULL: idle */
	struct frame frame;
	bool		alone;			/* it announces all that it names */
	struct position next;		/* of the next record in the frame */
	struct sink_record records[CURSOR_RECORDS];
	size_t		used;			/* records[taken .. used): not yet sent */
	size_t		taken;
	struct position counted;	/* of the newest one in the tables' counters */

	bool		fingerprint_known;
	uint64_t	fingerprint;
};

extern void cursor_init(struct cursor *cursor, struct ledger *ledger);
extern void cursor_free(struct cursor *cursor);

/* A connection begins: what the last one announced means nothing now. */
extern void cursor_connect(struct cursor *cursor);

/*
 * Takes over a received buffer, whose frame lies at data, into the ledger.
 * The cursor must be idle.  False: it is no frame, logged, and freed.
 */
extern bool cursor_begin(struct cursor *cursor, void *buffer, size_t size,
						 const char *data, size_t len);

/* The same for a frame that is not of the stream, and stands alone. */
extern bool cursor_begin_alone(struct cursor *cursor, void *buffer,
							   size_t size, const char *data, size_t len);

/* Sends what the sink takes. */
extern enum cursor_state cursor_advance(struct cursor *cursor);

/* Lets go of the frame; the ledger is about to be reset. */
extern void cursor_drop(struct cursor *cursor);

#endif							/* CURSOR_H */
