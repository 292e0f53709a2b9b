/*
 * snapshot.h
 *		The rows that a table has as frames of records.
 */
#ifndef TABLE_SNAPSHOT_H
#define TABLE_SNAPSHOT_H

#include "access/xlogdefs.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

typedef struct Wal2KafkaSnapshotRequest
{
	Oid			relid;
	const char *where;			/* text of a condition, or NULL */
	const char *limit;			/* text of a LIMIT, or NULL */
	List	   *options;		/* of DefElem */
	XLogRecPtr	lsn;			/* of all records */
	uint64		seq_id;			/* of the first, which the next count up */
	bool		unmarked;		/* without "snapshot" */
} Wal2KafkaSnapshotRequest;

typedef struct Wal2KafkaSnapshot Wal2KafkaSnapshot;

/*
 * Prepares, in CurrentMemoryContext, which must live as long.  ERROR on a
 * table whose rows the stream would not send.
 */
extern Wal2KafkaSnapshot *
wal2kafka_snapshot_begin(const Wal2KafkaSnapshotRequest *request);

/* The next frame, which can be read alone; the caller's to pfree.  NULL: none */
extern bytea *wal2kafka_snapshot_frame(Wal2KafkaSnapshot *snapshot);

/* Not needed after an ERROR. */
extern void wal2kafka_snapshot_end(Wal2KafkaSnapshot *snapshot);

#endif							/* TABLE_SNAPSHOT_H */
