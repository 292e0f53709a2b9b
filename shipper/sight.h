/*
 * sight.h
 *		Which transactions of the stream a database snapshot sees.
 *
 * A transaction is sent when its commit is in the log, and seen a little
 * later, when its process has left the list of those that run; one that waits
 * for a synchronous standby stays in it for long.  So the order of commits
 * does not tell who sees whom: only the transaction ids do.
 *
 * Ids are 32 bits wide and compared as the server does, modulo 2^32.  No I/O.
 */
#ifndef SIGHT_H
#define SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#define SIGHT_SENT		65536	/* transactions remembered; a power of two */

struct sight_list
{
	uint32_t   *xids;			/* owned */
	size_t		count;
};

/* A database snapshot, as pg_current_snapshot() tells it. */
struct sight
{
	uint32_t	xmin;			/* all before it have ended */
	uint32_t	xmax;			/* it and all behind it are not seen */
	struct sight_list running;	/* those between that have not */
	struct sight_list unseen;	/* of those it does not see, all that are
								 * committed in the log */
};

/*
 * The transactions that were sent last, for some minutes: longer ago, what
 * became of them is in the server's commit log for sure.
 */
struct sight_sent
{
	struct
	{
		uint32_t	xid;
		uint32_t	at;			/* s, by a clock that is not set back */
	}			noted[SIGHT_SENT];	/* a ring */
	uint64_t	count;			/* ever noted */
};

/*
 * Fills it from what the server wrote: two numbers, and two arrays as in
 * "{1,2}".  False, with nothing allocated, if it is none.
 */
extern bool sight_parse(struct sight *sight, const char *xmin,
						const char *xmax, const char *running,
						const char *unseen);
extern void sight_free(struct sight *sight);

/* What wrote no row, and has no id, is seen. */
extern bool sight_sees(const struct sight *sight, uint32_t xid);

/* Whether it sees every transaction of a frame that was not read yet. */
extern bool sight_sees_frame(const struct sight *sight,
							 const struct frame *frame);

/* Whether it sees every one that was sent lately. */
extern bool sight_sees_sent(const struct sight *sight,
							const struct sight_sent *sent);

/*
 * Whether some may have been noted and forgotten since there were so many, so
 * long ago (ms, of clock_ms()).
 */
extern bool sight_has_forgotten(const struct sight_sent *sent, uint64_t count,
								int64_t at);

/*
 * Whether one that is committed was not seen before either: it waits for
 * something, and may have been sent at any time.
 */
extern bool sight_is_stuck(const struct sight *sight,
						   const struct sight *before);

extern void sight_note(struct sight_sent *sent, uint32_t xid);

#endif							/* SIGHT_H */
