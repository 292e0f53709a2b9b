/*
 * retry.h
 *		When to try again, and when to stop trying.
 *
 * Delays grow from 1 s to 60 s with jitter and start anew once something was
 * delivered, or after a minute of streaming.  No I/O here; times are those of
 * clock_ms().
 */
#ifndef RETRY_H
#define RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "lsn.h"
#include "reaction.h"

struct retry
{
	int64_t		at;				/* not before */
	unsigned	attempts;		/* failures since things last went well */
	bool		worked;			/* a stream was open once */
	bool		careful;		/* the plugin halts at some change */
	int64_t		opened_at;
	lsn_t		opened_lsn;		/* confirmable then */
	lsn_t		repeat_lsn;		/* where the same error came before */
	unsigned	repeats;
};

static inline void
retry_at_once(struct retry *retry, int64_t now)
{
	retry->at = now;
}

/* After the next delay, but no sooner than in "least" ms; logged. */
extern void retry_plan(struct retry *retry, int64_t least);

/* A stream was opened; lsn is what is confirmable. */
extern void retry_opened(struct retry *retry, lsn_t lsn);

/* It is still open: forgets the failures once it has brought something on. */
extern void retry_steady(struct retry *retry, lsn_t lsn);

/*
 * A stream was lost, or could not be opened; "streaming" tells which, lsn what
 * is confirmable.  Plans what the reaction asks for.  False if a person must
 * see to it first.
 */
extern bool retry_after(struct retry *retry, enum reaction reaction, lsn_t lsn,
						bool streaming);

#endif							/* RETRY_H */
