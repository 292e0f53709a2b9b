/*
 * source.h
 *		The source's own log of what it committed, against the records.
 *
 * A file of lines
 *		TABLE <tab> W <tab> VERSION [<tab> XID]		a row version was written
 *		TABLE <tab> D <tab> KEY [<tab> XID]			a row was deleted
 * every line is one record and every record one line; the lines of one xid
 * are one transaction, which is one LSN.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "judge.h"

struct line
{
	uint64_t	fact;
	uint64_t	xid;			/* hash of its text; 0: it has none */
	uint64_t	lsn;			/* of the record found for it; 0: none */
	const char *text;			/* in the file's text; ends with the line */
	bool		alone;			/* no other line says the same */
};

struct source
{
	char	   *text;			/* the file; owned */
	size_t		size;
	struct line *lines;
	size_t		count;
};

/* False: it cannot be read, said on stderr. */
extern bool source_load(struct source *source, const char *name);
extern void source_free(struct source *source);

/* Changes the order of the judge's records and of the lines. */
extern void source_compare(struct source *source, struct judge *judge);

#endif							/* SOURCE_H */
