/*
 * snapshot_plan.h
 *		What a snapshot has to copy, and how far each table is.
 *
 * A table is copied in chunks, in the order of its primary key.  A chunk is
 * done when the sink has acknowledged its last record; the key that it ended
 * at is then where a later start goes on.  What is to be copied and how far it
 * is, is part of the state record, as JSON.  No I/O here.
 */
#ifndef SNAPSHOT_PLAN_H
#define SNAPSHOT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "ledger.h"
#include "snapshot_table.h"

#define SNAPSHOT_ALL	"*"		/* in place of a name: whatever is captured */

struct snapshot_table
{
	char	   *name;			/* as SQL takes it, with its schema; owned, as
								 * the rest is */
	enum snapshot_table_state state;
	char	   *error;			/* why it failed, or NULL */

	/* what the server said when it was last asked */
	bool		known;			/* it was */
	json_t	   *key;			/* names of the columns that order it */
	json_t	   *operators;		/* schemas of what compares them */
	char	   *what;			/* which table it is, how its key is ordered:
								 * if that changes, it begins anew */
	int64_t		estimate;		/* rows; -1: not known */
	int64_t		width;			/* bytes of a row on the average */

	/* how far it is acknowledged, and sent */
	json_t	   *after;			/* the last key's texts; NULL: at the start */
	json_t	   *sent_after;
	uint64_t	rows;
	bool		sent_all;		/* its last chunk was sent */
	bool		later;			/* not to be copied as it was when the slot
								 * was made: it is gone */
};

struct snapshot_chunk;

struct snapshot_plan
{
	struct snapshot_table *tables;
	size_t		count;
	json_t	   *index;			/* of the tables' places, by name */
	bool		paused;
	uint64_t	version;		/* of what snapshot_plan_record() tells */
	uint64_t	acked_rows;		/* ever */
	struct snapshot_chunk *oldest;	/* sent, not acknowledged; a queue */
	struct snapshot_chunk *newest;
};

extern void snapshot_plan_free(struct snapshot_plan *plan);

/* Replaces it by what a state record says; NULL: nothing. */
extern void snapshot_plan_load(struct snapshot_plan *plan,
							   const json_t *record);

/*
 * For the state record, once everything up to that position is in the sink;
 * a new reference, or NULL when there is nothing to tell.  It has a bounded
 * size; of more tables than that has room for it tells the number.
 */
extern json_t *snapshot_plan_record(const struct snapshot_plan *plan,
									struct position delivered);

/*
 * Adds a table, from its beginning; one that has ended begins anew.  False: it
 * is on its way.
 */
extern bool snapshot_plan_add(struct snapshot_plan *plan, const char *name);

/* Forgets tables that have ended, if all have. */
extern void snapshot_plan_tidy(struct snapshot_plan *plan);

/* The table of that name, or NULL. */
extern struct snapshot_table *
snapshot_plan_find(const struct snapshot_plan *plan, const char *name);

/*
 * The table to copy from now: the one begun, or the first; NULL: none.
 * "initial": of those that are not for later.
 */
extern struct snapshot_table *
snapshot_plan_next(const struct snapshot_plan *plan, bool initial);

/* Whether any table is waiting or being copied. */
extern bool snapshot_plan_is_open(const struct snapshot_plan *plan);

/* How a table ended; "error" is copied, or NULL. */
extern void snapshot_plan_end(struct snapshot_plan *plan,
							  struct snapshot_table *table,
							  enum snapshot_table_state state,
							  const char *error);

/* It begins anew. */
extern void snapshot_plan_rewind(struct snapshot_plan *plan,
								 struct snapshot_table *table);

/* Those that were begun do: their records would be others now. */
extern void snapshot_plan_rewind_all(struct snapshot_plan *plan);

extern void snapshot_plan_remove(struct snapshot_plan *plan,
								 struct snapshot_table *table);

extern void snapshot_plan_pause(struct snapshot_plan *plan, bool paused);

/*
 * A chunk was given to the sink: it ends with the record at "last"
 * (LSN_INVALID: it has none) and the key "after" (its reference is taken; NULL:
 * at the table's end).
 */
extern void snapshot_plan_sent(struct snapshot_plan *plan,
							   struct snapshot_table *table,
							   struct position last, json_t *after,
							   uint64_t rows);

/* All up to that position is acknowledged. */
extern void snapshot_plan_acked(struct snapshot_plan *plan,
								struct position acked);

/* What was sent and not acknowledged is to be sent again. */
extern void snapshot_plan_unsent(struct snapshot_plan *plan);

/* Acknowledged rows of all its tables, and the sum of their estimates. */
extern uint64_t snapshot_plan_rows(const struct snapshot_plan *plan);
extern uint64_t snapshot_plan_estimate(const struct snapshot_plan *plan);

#endif							/* SNAPSHOT_PLAN_H */
