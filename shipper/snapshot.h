/*
 * snapshot.h
 *		A copy of the metrics for another thread, made by the loop on demand.
 *
 * So the loop counts in plain fields, and pays for a copy only when somebody
 * asks, at most once every few milliseconds.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "cursor.h"
#include "ledger.h"
#include "metrics.h"

/* The descriptor that wakes the loop when a byte is written to it. */
extern void snapshot_init(int wake);

/* The loop's part, every turn: fills in what is only known when asked. */
extern void snapshot_serve(const struct ledger *ledger,
						   const struct cursor *cursor);

/*
 * The other thread's: a copy that is a few milliseconds old, or as old as the
 * loop's last if that does not turn.  Waits that long for it at most, and not
 * again until it does.
 */
extern void snapshot_take(struct metrics *to);

#endif							/* SNAPSHOT_H */
