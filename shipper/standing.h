/*
 * standing.h
 *		Where the server and the slot stand, as told by the connection that is
 *		about to stream.
 *
 * Both functions wait like connect_query(), and log what fails.
 */
#ifndef STANDING_H
#define STANDING_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "lsn.h"
#include "reaction.h"
#include "state.h"

struct standing
{
	char		system[STATE_SYSTEM_SIZE];
	uint32_t	timeline;
	lsn_t		end;			/* of the server's log */
	bool		standby;		/* it is in recovery, and may lag */
	bool		active;			/* somebody reads the slot */
	lsn_t		slot;			/* confirmed; LSN_INVALID: there is no slot */
	lsn_t		fork;			/* where the timeline asked for ended in this
								 * server's history; LSN_INVALID: not in it */
};

extern bool standing_read(PGconn *conn, const char *slot,
						  const volatile sig_atomic_t *stop,
						  enum reaction *reaction, struct standing *standing);

/* Fills in the fork of an older timeline, which fails without a history. */
extern bool standing_find_fork(PGconn *conn, uint32_t timeline,
							   const volatile sig_atomic_t *stop,
							   enum reaction *reaction,
							   struct standing *standing);

#endif							/* STANDING_H */
