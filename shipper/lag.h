/*
 * lag.h
 *		How far behind the server's log we are.
 */
#ifndef LAG_H
#define LAG_H

#include "metrics.h"

/* Bytes of log that are not confirmed; NAN: not known yet. */
extern double lag_bytes(const struct metrics *metrics);

/*
 * How old the oldest thing is that waits: received and not acknowledged, or
 * still in the server's log, as far as anybody told us; 0: nothing waits.
 */
extern double lag_seconds(const struct metrics *metrics, int64_t now);

/* Whether the log held nothing more for us at the last look at the slot. */
extern bool lag_is_caught_up(const struct metrics *metrics);

#endif							/* LAG_H */
