/*
 * record.h
 *		What wal2kafka says happened: the records of its frames, each checked
 *		by itself against the contract.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"
#include "source.h"

enum old_row
{
	OLD_FULL,
	OLD_KEY,
	OLD_NONE,
};

struct record
{
	struct change change;		/* the five fields; no op of a truncate */
	bool		truncate;
	bool		cascade;
	bool		restart_identity;
	const char *schema;
	const char *commit_ts;
	uint32_t	xid;
	enum old_row old;
	bool		key_change;
	const json_t *unchanged;	/* an array; NULL for none */
	const json_t *identity;		/* field "key": an array; NULL for none */
	char	   *topic;
	char	   *kafka_key;		/* NULL for a null key */
	size_t		kafka_key_len;
	char	   *value;			/* as it came */
	size_t		value_len;
};

struct records;

/* Changes a record's value before it is read; see doctor.h. */
struct doctor;

/*
 * Takes the source over.  "end" is the LSN at which a walsender is left.  The
 * doctor may be NULL.
 */
extern struct records *records_open(struct source *source, uint64_t end,
									struct doctor *doctor);

/*
 * The next record, to be freed with record_free(); NULL at the end.  A record
 * that breaks the contract comes with "fault" set to what is wrong, and is
 * not to be looked at further.
 */
extern struct record *records_next(struct records *ours, const char **fault);

extern void record_free(struct record *record);
extern void records_close(struct records *ours);

#endif							/* RECORD_H */
