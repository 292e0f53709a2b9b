/*
 * rows.h
 *		The rows that a table has now, as the caller may read them.
 *
 * An ordinary query fetches them, so rights and row security are the caller's.
 */
#ifndef ROWS_H
#define ROWS_H

#include "record.h"

typedef struct Wal2KafkaRows Wal2KafkaRows;

/*
 * Opens the table, or all partitions of a partitioned one, under the active
 * snapshot.  "where" is the text of a condition and "limit" of a LIMIT, or
 * NULL.  Memory is CurrentMemoryContext's, which must live as long.  ERROR on
 * what the stream would not send as inserts.
 */
extern Wal2KafkaRows *wal2kafka_rows_open(Oid relid, const char *where,
										  const char *limit,
										  const Wal2KafkaOptions *options,
										  Wal2KafkaCharset charset);

/*
 * Runs the query for a few rows more, which replace those fetched before.
 * False: there are none.
 */
extern bool wal2kafka_rows_fetch(Wal2KafkaRows *rows);

/*
 * The next of the rows that were fetched and its table; false: there is none.
 * Both are valid until the next call.
 */
extern bool wal2kafka_rows_next(Wal2KafkaRows *rows,
								Wal2KafkaRelation **relation,
								const Wal2KafkaRow **row);

/* Ends the query; not needed after an ERROR. */
extern void wal2kafka_rows_close(Wal2KafkaRows *rows);

#endif							/* ROWS_H */
