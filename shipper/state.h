/*
 * state.h
 *		The state record: what one start of the shipper tells the next.
 *
 * One JSON object for each slot, kept beside the records (store.h).  The rule
 * that makes it worth comparing: the slot is confirmed only up to what the
 * record already says.  So a slot that stands beyond its record was moved by
 * somebody else, whenever and however the shipper ended; one that stands
 * before it is as a crash of the server, or a failover, leaves it.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ledger.h"
#include "lsn.h"

#define STATE_FORMAT		1	/* of the record; readers refuse a later one */
#define STATE_SYSTEM_SIZE	24	/* a 64-bit number in decimals */
#define STATE_SLOT_SIZE		64	/* the server's NAMEDATALEN */
#define STATE_PROGRAM_SIZE	32
#define STATE_WRITTEN_SIZE	32

struct state
{
	char		system[STATE_SYSTEM_SIZE];	/* identifier of the server */
	uint32_t	timeline;
	char		slot[STATE_SLOT_SIZE];
	lsn_t		confirmed;		/* the slot is confirmed up to here at most */
	struct position delivered;	/* last record known to be in the sink, with
								 * all before it; 0/0: none yet */
	struct position sent;		/* last that may be; >= delivered */
	bool		has_fingerprint;
	uint64_t	fingerprint;	/* of the plugin's options, from its frames */
	bool		stopped;		/* the run has ended in order: nothing was sent
								 * after this record, by this run or before */
	bool		clean;			/* and no transaction is in the sink by half */
	char		program[STATE_PROGRAM_SIZE];	/* version that wrote it */
	char		written[STATE_WRITTEN_SIZE];	/* when, for people; or "" */
	json_t	   *snapshot;		/* see snapshot_plan.h; only of a record that was
								 * read, until state_free(); NULL: none */
};

/*
 * Where a log must end at least to hold what was sent: a record of the log
 * begins at the commit LSN, so that alone is not enough.
 */
static inline lsn_t
state_needs(const struct state *state)
{
	return state->sent.commit == LSN_INVALID ? LSN_INVALID :
		state->sent.commit + 1;
}

/*
 * As one line of JSON, to be freed; "program" and "written" are set to now.
 * The snapshot's reference is taken; NULL: none.
 */
extern char *state_encode(const struct state *state, json_t *snapshot);

/*
 * The bytes come from wherever anybody may write and are trusted in nothing.
 * False: they are no state record of a format that is known, and *error says
 * why, to be freed.
 */
extern bool state_parse(struct state *state, const char *data, size_t len,
						char **error);

/* Frees what state_parse() allocated. */
extern void state_free(struct state *state);

/*
 * Which of two records of one slot, both found, holds: the one that promised
 * more in the same history, that of the newer timeline, or the one found later
 * if they are of two servers.  A request of a producer that is gone may be
 * stored behind those of the next, which may have seen a promotion.
 */
extern bool state_supersedes(const struct state *later,
							 const struct state *earlier);

#endif							/* STATE_H */
