/*
 * feedback.h
 *		When the server is told how far everything is delivered.
 *
 * On its own timer, so that a full ledger does not look like a dead client;
 * sooner if there is news, at once if the server asks.  No I/O here; times
 * are clock_ms().
 */
#ifndef FEEDBACK_H
#define FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lsn.h"

struct feedback
{
	lsn_t		confirmed;		/* last sent to the server */
	int64_t		at;				/* when that was */
	int			interval;		/* ms, without news */
	bool		wanted;			/* the server asked */
	unsigned	questions;		/* since questions_from, frames apart */
	int64_t		questions_from;
};

/* When the next is due; "idle" when no delivery is outstanding. */
extern int64_t feedback_due(const struct feedback *feedback, lsn_t confirmable,
							bool idle);

extern void feedback_sent(struct feedback *feedback, lsn_t confirmed);

/*
 * A new connection: due at once, and in time for a server that waits that
 * many ms for a sign of life; 0: for ever.
 */
extern void feedback_restart(struct feedback *feedback, int patience);

/*
 * The server wants an answer.  True once it has asked so often, with nothing
 * new to be sent, that it must be waiting for us to leave.
 */
extern bool feedback_asked(struct feedback *feedback);

/* It sent a frame: it is not waiting. */
static inline void
feedback_got_frame(struct feedback *feedback)
{
	feedback->questions = 0;
}

#endif							/* FEEDBACK_H */
