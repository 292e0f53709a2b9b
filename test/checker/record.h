/*
 * record.h
 *		One record of a topic, reduced to what is judged.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* What stays of a record: 64 bytes, since there are millions. */
struct record
{
	uint64_t	lsn;
	uint64_t	seq_id;
	uint64_t	bytes;			/* hash of key, value and headers */
	uint64_t	fact;			/* hash of its line in the ledger; 0: none */
	uint64_t	key;			/* hash of what decides its place; 0: none */
	int64_t		offset;
	uint32_t	place;			/* index of its partition */
	uint32_t	table;			/* index of its table's name */
	bool		committed;		/* a read_committed reader has seen it */
	bool		in_order;		/* greater than all before in its partition */
	bool		everywhere;		/* belongs to every partition */
	bool		snapshot;		/* copies a row, is of no transaction */
};

/* What a value says.  Reused from record to record; memory is the reader's. */
struct reading
{
	const char *version_column; /* borrowed; names a row version */
	const char *key_column;		/* borrowed; names a row */

	uint64_t	lsn;
	uint64_t	seq_id;
	uint64_t	fact;
	bool		everywhere;
	bool		snapshot;
	struct json_text table_name;
	struct json_text schema;	/* empty when the record has none */

	struct json_text scratch;
};

/* False: it is no record. */
extern bool record_read(struct reading *reading, const char *value,
						size_t len);

extern void reading_free(struct reading *reading);

#endif							/* RECORD_H */
