/*
 * compare.h
 *		Two accounts of the same WAL, change by change, in order.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgoutput.h"
#include "record.h"

/* What was compared, by kind; the order is that of the report. */
enum counted
{
	COUNT_INSERT,
	COUNT_UPDATE_FULL,
	COUNT_UPDATE_KEY,
	COUNT_UPDATE_NO_OLD,
	COUNT_SPLIT,
	COUNT_DELETE_FULL,
	COUNT_DELETE_KEY,
	COUNT_TRUNCATE,
	COUNT_NULL,
	COUNT_UNCHANGED,
	COUNT_FILLED,
	COUNT_DELETE_NONE,			/* ours alone, see compare.c */
	COUNT_NO_COLUMNS,			/* theirs alone */
	COUNTS
};

struct comparison
{
	struct records *ours;
	struct pgoutput *theirs;
	/* NULL, or called with each of ours */
	void		(*each) (const struct record *record, void *arg);
	void	   *arg;

	uint64_t	transactions;
	uint64_t	changes;
	uint64_t	records;
	uint64_t	counts[COUNTS];
	uint64_t	differences;
};

/* Prints each difference; fills in the numbers. */
extern void compare_with_pgoutput(struct comparison *comparison);

/* Two readings of our own plugin: the same bytes, or they differ. */
extern void compare_with_ours(struct comparison *comparison,
							  struct records *again);

extern void comparison_report(const struct comparison *comparison);

#endif							/* COMPARE_H */
