/*
 * unframe.h
 *		A frame's records as rows (lsn, seq_id, topic, key, value), or the last
 *		columns of these.
 */
#ifndef UNFRAME_H
#define UNFRAME_H

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

/*
 * Appends the records of a frame, at most "max" of them, and returns how many
 * it appended.  The bytes are checked like a stranger's: ERROR if they are no
 * frame that can be read alone.
 */
extern int64 wal2kafka_unframe_rows(const char *data, size_t len, int64 max,
									Tuplestorestate *rows, TupleDesc desc);

#endif							/* UNFRAME_H */
