/*
 * watch.h
 *		The slot and the end of the log, as the server tells every few seconds.
 *
 * A thread asks, over a connection that is made for it and closed again: what
 * the replication connection tells is how far the server has read, and not how
 * far its log goes.  Only people are told; nothing is decided by it.
 */
#ifndef WATCH_H
#define WATCH_H

#include "config.h"

struct watch;

/* Borrows the config. */
extern struct watch *watch_open(const struct config *config);

/* Puts what was found since into the metrics. */
extern void watch_collect(struct watch *watch);

/*
 * Ends the thread; one that a name service holds up for longer than two
 * seconds is left to the end of the process.  NULL is fine.
 */
extern void watch_close(struct watch *watch);

#endif							/* WATCH_H */
