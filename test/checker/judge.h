/*
 * judge.h
 *		Judges the records alone: order, repeats, sequence, partitions.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "history.h"

struct judge
{
	struct history *history;	/* borrowed */
	struct verdict *verdict;	/* borrowed */
	enum level	level;
	bool		once;			/* no record may be there twice */
	bool		growing;		/* partitions were added meanwhile */

	const struct record **first;	/* one of each (lsn, seq_id); owned */
	size_t		count;
	uint64_t	repeats;
	uint64_t	transactions;
	uint64_t	copied;			/* of these, a snapshot's */
};

/* Leaves the first occurrences, in the order of (lsn, seq_id). */
extern void judge_records(struct judge *judge);

extern void judge_free(struct judge *judge);

#endif							/* JUDGE_H */
