/*
 * monitor.h
 *		What the loop does for those who look at it from outside: HTTP.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>

#include "config.h"
#include "cursor.h"
#include "ledger.h"

struct monitor;

/*
 * Begins to answer, if the config wants that; "wake" is a descriptor that
 * wakes the loop when a byte is written to it.  NULL: it cannot, logged.
 */
extern struct monitor *monitor_open(const struct config *config, int wake);

/* Every turn of the loop, which should be one each few seconds at least. */
extern void monitor_turn(struct monitor *monitor, const struct ledger *ledger,
						 const struct cursor *cursor);

/* NULL is fine. */
extern void monitor_close(struct monitor *monitor);

#define MONITOR_TURN_MS	1000

#endif							/* MONITOR_H */
