/*
 * pgoutput.h
 *		What pgoutput says happened: its protocol, version 1, as changes.
 */
#ifndef PGOUTPUT_H
#define PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"

enum their_op
{
	THEIR_INSERT,
	THEIR_UPDATE,
	THEIR_DELETE,
	THEIR_TRUNCATE,
};

struct their_value
{
	char		kind;			/* 'n'ull, 't'ext, 'u'nchanged */
	const char *text;			/* not terminated */
	size_t		len;
};

struct their_column
{
	char	   *name;
	bool		key;			/* of the replica identity; all under FULL */
};

struct their_table
{
	char	   *schema;
	char	   *name;
	char		identity;		/* as in pg_class.relreplident */
	size_t		count;
	struct their_column *columns;
};

struct their_change
{
	uint64_t	lsn;			/* of the commit */
	int64_t		commit_time;	/* microseconds since 2000 */
	uint32_t	xid;
	enum their_op op;
	const struct their_table *table;
	char		old_kind;		/* 'K'ey, full 'O'ld, 0 for none */
	struct their_value *old_row;	/* parallel to the table's columns */
	struct their_value *new_row;
	bool		cascade;		/* of a truncate, which is one per table */
	bool		restart_identity;
};

struct pgoutput;

/* Takes the source over. */
extern struct pgoutput *pgoutput_open(struct source *source);

/* The next change, borrowed until the next call; NULL at the end. */
extern const struct their_change *pgoutput_next(struct pgoutput *theirs);

extern void pgoutput_close(struct pgoutput *theirs);

#endif							/* PGOUTPUT_H */
