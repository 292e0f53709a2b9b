/*
 * slot_export.h
 *		A new slot, and a database snapshot of exactly where it begins.
 *
 * What the snapshot sees was committed before the slot's first transaction,
 * and all else is in the stream.  The snapshot can be used as long as the
 * connection that made the slot does nothing else.
 */
#ifndef SLOT_EXPORT_H
#define SLOT_EXPORT_H

#include "config.h"
#include "lsn.h"
#include "slot.h"

struct slot_export
{
	struct pg_conn *conn;		/* owned; NULL: no slot was made */
	char	   *snapshot;		/* its name; owned */
	lsn_t		point;			/* every commit of the slot is at or behind it */
};

/*
 * Makes the config's slot.  Waits for transactions that run now, and names
 * them after a while, through "name_blockers".  *error, to be freed, says why
 * it could not be made.
 */
extern enum slot_refusal
slot_export_create(struct server *server, const struct config *cfg,
				   void (*name_blockers) (struct server *server),
				   struct slot_export *made, char **error);

/* The snapshot ends. */
extern void slot_export_free(struct slot_export *made);

#endif							/* SLOT_EXPORT_H */
