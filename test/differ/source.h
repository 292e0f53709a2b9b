/*
 * source.h
 *		The messages that a plugin makes of a slot's WAL, one by one, from a
 *		copy of the slot: the slot itself stays where it is.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>

enum source_kind
{
	SOURCE_SQL,					/* one session, by the SQL interface */
	SOURCE_COLD,				/* a new session for every transaction */
	SOURCE_WALSENDER,			/* one session, by the replication protocol */
};

struct source_plan
{
	const char *conninfo;		/* key-value form */
	const char *slot;
	const char *plugin;
	const char *upto;			/* an LSN */
	const char *settings;		/* SQL for each session; NULL for none */
	const char *const *options; /* name, value, ..., NULL */
	enum source_kind kind;
};

struct source;

/* Borrows all of the plan.  Exits when the server does not play along. */
extern struct source *source_open(const struct source_plan *plan);

/*
 * The next message, borrowed until the next call; false at the end.  A source
 * that is a walsender has no end of its own: the reader has to know.
 */
extern bool source_next(struct source *source, const char **data, size_t *len);

extern void source_close(struct source *source);

#endif							/* SOURCE_H */
