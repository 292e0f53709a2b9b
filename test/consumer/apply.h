/*
 * apply.h
 *		Applies changes to tables of the same names in another database.
 *
 * A batch is one transaction: any number of changes and positions, then
 * apply_commit().  Statements are sent without waiting for each other's
 * result, so an error shows at the commit.
 */
#ifndef APPLY_H
#define APPLY_H

#include "contract.h"

struct apply;

/* Where a partition was left.  Nothing is known yet when "known" is false. */
struct position
{
	bool		known;
	int64_t		next_offset;
	uint64_t	lsn;
	uint64_t	seq_id;
};

/* All that return false have said why on stderr. */

/*
 * Connects, and makes the table of positions where it is missing.  With
 * plain_insert no row may be inserted that is there: right for changes in one
 * partition, and for a snapshot that comes before all of them.
 */
extern struct apply *apply_open(const char *conninfo, const char *consumer,
								bool plain_insert);
extern void apply_close(struct apply *apply);

extern bool apply_load_position(struct apply *apply, const char *topic,
								int32_t partition, struct position *position);

extern bool apply_change(struct apply *apply, const struct change *change);
extern bool apply_save_position(struct apply *apply, const char *topic,
								int32_t partition,
								const struct position *position);
extern bool apply_commit(struct apply *apply);

/* Updates and deletes that found no row, so far. */
extern uint64_t apply_missed(const struct apply *apply);

#endif							/* APPLY_H */
