/*
 * identity.h
 *		Who the server is: system, timeline, and how far its log goes.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <signal.h>
#include <stdbool.h>

#include <libpq-fe.h>

#include "lsn.h"
#include "reaction.h"

struct identity
{
	char	   *system;			/* owned; identifier, NULL before the first */
	unsigned	timeline;		/* of the last connection; 0 before it */
	bool		standby;		/* it was one when asked for that */
	lsn_t		left_at;		/* where this server's log left the timeline
								 * of the connection before; LSN_INVALID: it
								 * is the same */
};

/*
 * Asks a new connection and compares with the one before: it must be the same
 * system, on the same timeline or a later one, and its log must hold what was
 * confirmed and the transaction that was sent last (LSN_INVALID: none).  False
 * when it is not, logged; *reaction then says what helps.
 */
extern bool identity_ask(struct identity *identity, PGconn *conn,
						 lsn_t confirmed, lsn_t sent,
						 const volatile sig_atomic_t *stop,
						 enum reaction *reaction);

extern void identity_free(struct identity *identity);

/*
 * Where the log left a timeline, from the text of a history file: a line for
 * each earlier timeline with its number and the LSN of its end.  LSN_INVALID
 * if the timeline is not among them.
 */
extern lsn_t identity_left_at(const char *history, unsigned timeline);

#endif							/* IDENTITY_H */
