/*
 * verdict.h
 *		What can be wrong, by name, and how often it was found.
 *
 * Each finding is a line "NAME: ADDRESS".  The names are what tests look for;
 * they do not change.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum fault
{
	FAULT_UNREADABLE,			/* no record as the README has it */
	FAULT_LOST,					/* committed, and not in Kafka */
	FAULT_MADE_UP,				/* in Kafka, and never committed */
	FAULT_TORN,					/* a part of a transaction is there */
	FAULT_SPLIT,				/* one transaction has two LSNs */
	FAULT_MERGED,				/* two transactions have one */
	FAULT_REORDERED,			/* comes after what is behind it */
	FAULT_DIFFERENT,			/* repeated with other bytes */
	FAULT_ELSEWHERE,			/* repeated in another partition */
	FAULT_GAP,					/* an ordinal of a transaction is missing */
	FAULT_KEY_MOVED,			/* a key is in two partitions */
	FAULT_MISPLACED,			/* not where Java's partitioner puts its key */
	FAULT_COPY_MISSING,			/* one for every partition is not in all */
	FAULT_TWICE,				/* exactly once: a committed repeat */
	FAULT_ABORTED,				/* exactly once: only in aborted batches */
	FAULT_INCONSISTENT,			/* one offset, two records */
	FAULT_VANISHED,				/* a partition is shorter than it was */
	FAULT_EARLY,				/* the slot was confirmed past it */
	FAULT_STALE,				/* a snapshot's, behind what is above it */
	FAULT_INSIDE,				/* a snapshot's, with a transaction's LSN */
	FAULTS
};

struct verdict
{
	const char *level;			/* printed behind an address; NULL: nothing */
	uint64_t	found[FAULTS];
};

/* Counts a finding, and prints it unless there have been many of its kind. */
extern void verdict_add(struct verdict *verdict, enum fault fault,
						const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Prints the counts, as the end of a line that has begun. */
extern void verdict_print(const struct verdict *verdict);

extern bool verdict_is_clean(const struct verdict *verdict);

#endif							/* VERDICT_H */
