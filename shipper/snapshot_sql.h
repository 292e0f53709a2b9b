/*
 * snapshot_sql.h
 *		The queries of a snapshot, as text.
 */
#ifndef SNAPSHOT_SQL_H
#define SNAPSHOT_SQL_H

#include <stdint.h>

#include "config.h"
#include "lsn.h"
#include "snapshot_plan.h"

/* Columns of what snapshot_sql_tables() returns; no name: no such table. */
enum snapshot_column
{
	SNAPSHOT_ASKED,				/* the name in the plan */
	SNAPSHOT_NAME,				/* schema.table, a leaf of the one asked for */
	SNAPSHOT_KEY,				/* JSON array of columns, or null */
	SNAPSHOT_OPERATORS,			/* likewise of schemas, of their operators */
	SNAPSHOT_KIND,				/* of relation, as in pg_class */
	SNAPSHOT_WHAT,				/* what it is; see snapshot_plan.h */
	SNAPSHOT_ESTIMATE,			/* rows; -1: not known */
	SNAPSHOT_WIDTH,				/* bytes of a row */
};

/* All are to be freed. */

/* What the tables that have not ended are made of. */
extern char *snapshot_sql_tables(const struct config *config,
								 const struct snapshot_plan *plan);

/*
 * Who holds a lock for writing on a table that is still to be begun, an array;
 * null: nobody.  Of those in "among", if it is not NULL.
 */
extern char *snapshot_sql_writers(const struct snapshot_plan *plan,
								  const char *among);

/*
 * Takes a database snapshot, and asks what the table is that is locked:
 * columns SNAPSHOT_LOOK_*.  "initial": it was taken before; asks whether the
 * table is stored where it was then.
 */
extern char *snapshot_sql_look(const char *table, bool initial);

enum snapshot_look_column
{
	SNAPSHOT_LOOK_WHAT,
	SNAPSHOT_LOOK_SAME,			/* when initial; else the following */
	SNAPSHOT_LOOK_XMIN = 1,
	SNAPSHOT_LOOK_XMAX,
	SNAPSHOT_LOOK_RUNNING,
	SNAPSHOT_LOOK_UNSEEN,
	SNAPSHOT_LOOK_LSN,
	SNAPSHOT_LOOK_NAME,
};

/*
 * Keys at which the next chunks of so many rows end, at most "chunks" of them:
 * the key's columns as text.
 */
extern char *snapshot_sql_bounds(const struct snapshot_table *table,
								 const json_t *after, int64_t rows,
								 int chunks);

/*
 * Copies the frames of the rows behind one key up to another; NULL: from the
 * first, to the last.  "options" is an SQL array.
 */
extern char *snapshot_sql_copy(const struct snapshot_table *table,
							   const json_t *after, const json_t *upto,
							   lsn_t lsn, uint64_t ordinal,
							   const char *options);

#endif							/* SNAPSHOT_SQL_H */
