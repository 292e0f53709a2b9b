/*
 * lag.c
 *		How far behind the server's log we are.
 *
 * What the stream itself says is not enough: a logical walsender tells how far
 * it has read, not how far the log goes, and in a backlog that is a fraction.
 * So the slot is looked at now and then (watch.h).
 */
#include "lag.h"

#include <math.h>

static lsn_t confirmed(const struct metrics *from);
static int64_t later(int64_t a, int64_t b);

double
lag_bytes(const struct metrics *from)
{
	if (from->server_end == LSN_INVALID || confirmed(from) == LSN_INVALID)
		return NAN;
	return from->server_end > confirmed(from) ?
		(double) (from->server_end - confirmed(from)) : 0;
}

/*
 * Without a connection, or while the server reads on through what concerns
 * nobody, all that is known is when things last stood well.
 */
double
lag_seconds(const struct metrics *from, int64_t now)
{
	int64_t		since = now;

	if (from->outstanding > 0)
		since = from->oldest;
	else if (!from->streaming || !lag_is_caught_up(from))
		since = later(from->commit_time, from->caught_up_at);
	if (since == 0)
		since = from->started_at;
	return since < now ? (double) (now - since) / 1e6 : 0;
}

bool
lag_is_caught_up(const struct metrics *from)
{
	return from->slot.end <= confirmed(from);
}

/* Before we told the server anything, it is what the slot remembers. */
static lsn_t
confirmed(const struct metrics *from)
{
	return from->confirmed > from->slot.confirmed ? from->confirmed :
		from->slot.confirmed;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}
