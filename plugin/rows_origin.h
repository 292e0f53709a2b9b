/*
 * rows_origin.h
 *		A table that rows come from: the one asked for, or a partition of it.
 */
#ifndef ROWS_ORIGIN_H
#define ROWS_ORIGIN_H

#include "catalog/pg_attribute.h"

#include "compat.h"
#include "record.h"

typedef struct Wal2KafkaRowsOrigin
{
	Oid			relid;
	Wal2KafkaRelation *entry;
	AttrNumber *attnums;		/* in this table, of the stored columns of the
								 * one asked for; NULL: these are all, and in
								 * the same places */
	Wal2KafkaRow row;			/* room for one; other columns are null */
} Wal2KafkaRowsOrigin;

/* Whether rows hold a column, rather than make it up when it is read. */
static inline bool
wal2kafka_rows_is_stored(Form_pg_attribute att)
{
	return !att->attisdropped &&
		att->attgenerated != ATTRIBUTE_GENERATED_VIRTUAL;
}

/* ERROR on what has no rows of its own in the log, a view say. */
extern void wal2kafka_rows_check_table(Relation relation);

/*
 * The table, or all partitions of a partitioned one, locked until the end of
 * the transaction.  Memory is CurrentMemoryContext's.  ERROR on one whose
 * inserts the stream would not send.
 */
extern List *wal2kafka_rows_origins(Relation asked,
									const Wal2KafkaOptions *options,
									Wal2KafkaCharset charset);

#endif							/* ROWS_ORIGIN_H */
