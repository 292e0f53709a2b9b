/*
 * ledger.h
 *		Frames in flight, in the order of the log: who owns their memory, and
 *		how far the slot may be confirmed.
 *
 * A queue of entries, one a frame.  The confirmable LSN is the safe LSN of the
 * newest entry such that it and every one before it is acknowledged; it never
 * goes backwards.  Nothing else may be confirmed: not a record's LSN, nor a
 * keepalive's.  No I/O here.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lsn.h"

/* A record's place: transactions by commit, then the ordinal within one. */
struct position
{
	lsn_t		commit;			/* LSN_INVALID: before everything */
	uint64_t	ordinal;
};

static inline bool
position_is_after(struct position a, struct position b)
{
	return a.commit > b.commit ||
		(a.commit == b.commit && a.ordinal > b.ordinal);
}

struct ledger_entry
{
	struct ledger_entry *next;	/* owned by the ledger; newer */
	void	   *buffer;			/* owned; records point into it */
	size_t		size;
	const char *frame;			/* in the buffer; set by who added it, or
								 * NULL */
	size_t		frame_size;
	uint64_t	outstanding;	/* deliveries not yet acknowledged */
	lsn_t		safe;
	struct position last;		/* of its last record, if it has any */
	bool		held;			/* until it is released */
	int64_t		received;		/* Unix time, us; 0: it has no records */
	int64_t		committed;		/* likewise, of its last transaction; 0: not
								 * known by this server's clock */
};

struct ledger
{
	void		(*free_buffer) (void *buffer);

	/* is told of entries that are done, if not NULL */
	void		(*done) (int64_t received, int64_t committed);

	bool		hold;			/* new entries wait for ledger_release() too */
	struct ledger_entry *head;	/* oldest; NULL when empty */
	struct ledger_entry *tail;
	size_t		size;			/* bytes of the buffers held */
	uint64_t	outstanding;	/* sum over the entries */
	lsn_t		confirmable;
	struct position sent;		/* greatest that a sink was ever given */
	struct position acked;		/* last record of the acknowledged prefix */
};

extern void ledger_init(struct ledger *ledger,
						void (*free_buffer) (void *buffer));

/*
 * Takes over a buffer whose frame holds that many records, the last of them
 * at "last" (ignored without records).  The entry lives until all of it and
 * of every one before it is acknowledged; with no records and nothing before
 * it that is at once, then NULL is returned.
 */
extern struct ledger_entry *ledger_add(struct ledger *ledger, void *buffer,
									   size_t size, uint32_t records,
									   lsn_t safe, struct position last);

/* One record will be delivered that many more times than once. */
extern void ledger_expect(struct ledger *ledger, struct ledger_entry *entry,
						  uint32_t more);

/* That many deliveries are done.  The entry may be gone afterwards. */
extern void ledger_ack(struct ledger *ledger, struct ledger_entry *entry,
					   uint32_t count);

/*
 * The newest entry of which no delivery is outstanding, or that is not the
 * last: all of it, and of those before it, was given to the sink.  NULL if
 * there is none.
 */
extern struct ledger_entry *ledger_settled(const struct ledger *ledger);

/* Entries up to that one are held no longer; nothing if it is NULL. */
extern void ledger_release(struct ledger *ledger,
						   struct ledger_entry *through);

static inline bool
ledger_is_empty(const struct ledger *ledger)
{
	return ledger->head == NULL;
}

/*
 * Frees what is in flight, unacknowledged; nothing may point into it any
 * more.  What was confirmable stays, and so does the acknowledged position.
 */
extern void ledger_reset(struct ledger *ledger);

/*
 * With an empty ledger: nothing from that LSN on is confirmable, because the
 * server's log goes on otherwise there, or another program may have gone on.
 * The positions stay: what was acknowledged was.
 */
extern void ledger_cut(struct ledger *ledger, lsn_t lsn);

#endif							/* LEDGER_H */
