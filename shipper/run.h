/*
 * run.h
 *		The subcommand that ships: slot to sink, until asked to stop.
 */
#ifndef RUN_H
#define RUN_H

#include "config.h"
#include "slot_export.h"

/* What is to be done beside streaming. */
struct run_wish
{
	struct slot_export made;	/* copy the tables as they are there, first */
	bool		all;			/* copy all, if this slot was never read */
	bool		leave;			/* when they are copied */
};

/*
 * Streams the slot into the sink.  Mends by itself what time can mend;
 * otherwise returns how the process should leave, the reason logged.  The wish
 * is taken over.
 */
extern enum exit_status run(const struct config *config,
							const struct run_wish *wish);

#endif							/* RUN_H */
