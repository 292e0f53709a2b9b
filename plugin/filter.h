/*
 * filter.h
 *		The row filter of one table: the WHERE of its publications.
 */
#ifndef FILTER_H
#define FILTER_H

#include "nodes/pg_list.h"

#include "record.h"

typedef enum Wal2KafkaFilterOp
{
	FILTER_INSERT,
	FILTER_UPDATE,
	FILTER_DELETE,
} Wal2KafkaFilterOp;

#define FILTER_OPS	(FILTER_DELETE + 1)

typedef struct Wal2KafkaFilter Wal2KafkaFilter;

/*
 * The filter that the publications put on "relation" published as
 * "published", read as of the active snapshot and made in
 * CurrentMemoryContext, with which it goes: it holds nothing else.  NULL if
 * every row passes.
 */
extern Wal2KafkaFilter *wal2kafka_filter_build(Relation relation,
											   Relation published,
											   const List *publications);

/*
 * Replaces large values that the filter looks at by fetched ones, in
 * CurrentMemoryContext: for a row that lies in the table now.
 */
extern void wal2kafka_filter_fetch(const Wal2KafkaFilter *filter,
								   const Wal2KafkaRow *row);

/*
 * Whether the row passes.  A large value that an update did not touch, and
 * that is therefore not in "row", is taken from "old" where that is given
 * and holds it.  An ERROR of the expression passes through.
 */
extern bool wal2kafka_filter_passes(Wal2KafkaFilter *filter,
									Wal2KafkaFilterOp op,
									const Wal2KafkaRow *row,
									const Wal2KafkaRow *old);

#endif							/* FILTER_H */
