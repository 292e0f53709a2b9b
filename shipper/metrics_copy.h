/*
 * metrics_copy.h
 *		A copy of the metrics for another thread, made by the loop on demand.
 *
 * So the loop counts in plain fields, and pays for a copy only when somebody
 * asks, at most once every few milliseconds.
 */
#ifndef METRICS_COPY_H
#define METRICS_COPY_H

#include "cursor.h"
#include "ledger.h"
#include "metrics.h"

/* The descriptor that wakes the loop when a byte is written to it. */
extern void metrics_copy_init(int wake);

/* The loop's part, every turn: fills in what is only known when asked. */
extern void metrics_copy_serve(const struct ledger *ledger,
						   const struct cursor *cursor);

/*
 * The other thread's: a copy that is a few milliseconds old, or as old as the
 * loop's last if that does not turn.  Waits that long for it at most, and not
 * again until it does.
 */
extern void metrics_copy_take(struct metrics *to);

#endif							/* METRICS_COPY_H */
