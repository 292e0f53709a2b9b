/*
 * keeper_state.h
 *		What keeper.c and keeper_admit.c share, and nobody else.
 */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include "keeper.h"
#include "snapshot_plan.h"
#include "standing.h"
#include "store.h"

struct keeper
{
	const struct config *config;	/* borrowed */
	struct store *store;		/* owned; NULL: no record is kept */
	struct standing standing;	/* of the last server that was admitted */
	bool		admitted;
	bool		known;			/* "stored" is what the store holds */
	struct state stored;		/* neither here nor below with a snapshot */
	struct state next;			/* while writing */
	bool		writing;
	bool		worked;			/* one was written */
	bool		doubted;		/* another may have written since */

	bool		transactional;	/* others write, and tell what they read */
	bool		has_told;
	struct state told;			/* with the snapshot that was read, or NULL */

	struct snapshot_plan *plan; /* borrowed; part of the record */
	uint64_t	stored_plan;	/* its version in there */
	uint64_t	next_plan;

	bool		has_fingerprint;	/* of this run */
	uint64_t	fingerprint;
	lsn_t		unsure;			/* up to here a run that ended in the middle
								 * may have sent; LSN_INVALID: it did not */

	int64_t		paid_until;		/* ms; each record costs INTERVAL_MS */
	int64_t		retry_at;		/* ms; after a failure */
	int64_t		complained_at;	/* ms; 0: never */
	int64_t		behind_since;	/* ms; 0: not in the way */
	int64_t		unknown_since;	/* ms; what was sent is not on record; 0: is */
	int64_t		finish_by;		/* ms; 0: not finishing */
};

#endif							/* KEEPER_STATE_H */
