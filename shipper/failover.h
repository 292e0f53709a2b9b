/*
 * failover.h
 *		A slot that standbys have too, so that one that is promoted goes on.
 */
#ifndef FAILOVER_H
#define FAILOVER_H

#include "config.h"
#include "report.h"
#include "server.h"
#include "slot.h"

/*
 * NULL if the server can make the slot that the config asks for, and the slot
 * is one if it exists; else what is in the way, to be freed, with the remedy
 * in *remedy, likewise.
 */
extern char *failover_difference(const struct config *cfg,
								 const struct server *server,
								 const struct slot *slot, char **remedy);

/* The same for "check", and whether the shipper may get ahead of standbys. */
extern void failover_check(struct server *server, const struct config *cfg,
						   const struct slot *slot, struct report *report);

#endif							/* FAILOVER_H */
