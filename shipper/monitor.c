/*
 * monitor.c
 *		What the loop does for those who look at it from outside.
 */
#include "monitor.h"

#include <stdlib.h>

#include "clock.h"
#include "http.h"
#include "mem.h"
#include "metrics.h"
#include "metrics_copy.h"
#include "ready.h"
#include "watch.h"

#define QUIET_MS	3000		/* without anything to deliver */

struct monitor
{
	struct http *http;			/* owned; NULL: not wanted */
	struct watch *watch;		/* owned; likewise */
	bool		restarting;
	uint64_t	acknowledged;	/* when the last restart was noticed, and */
	int64_t		well_since;		/* ms; what speaks for its end; 0: nothing */
};

static void judge_restart(struct monitor *monitor,
						  const struct ledger *ledger);

struct monitor *
monitor_open(const struct config *config, int wake)
{
	struct monitor *monitor = mem_zalloc(sizeof(*monitor));

	metrics.started_at = metrics_now();
	ready_turned();
	metrics_copy_init(wake);
	if (!http_is_wanted(config))
		return monitor;
	monitor->http = http_open(config);
	if (monitor->http != NULL)
	{
		monitor->watch = watch_open(config);
		return monitor;
	}
	free(monitor);
	return NULL;
}

void
monitor_turn(struct monitor *monitor, const struct ledger *ledger,
			 const struct cursor *cursor)
{
	if (monitor->http == NULL)
		return;
	ready_turned();
	judge_restart(monitor, ledger);
	watch_collect(monitor->watch);
	metrics_copy_serve(ledger, cursor);
}

/*
 * A new producer proves nothing: what failed may fail again.  A delivery does,
 * or that the server has nothing more to be delivered.
 */
static void
judge_restart(struct monitor *monitor, const struct ledger *ledger)
{
	if ((ready_faults() & 1u << READY_RESTART) == 0)
		monitor->restarting = false;
	else if (!monitor->restarting)
	{
		monitor->restarting = true;
		monitor->acknowledged = metrics.acknowledged;
		monitor->well_since = 0;
	}
	else if (metrics.acknowledged != monitor->acknowledged)
		ready_set(READY_RESTART, false);
	else if (!metrics.streaming || !ledger_is_empty(ledger))
		monitor->well_since = 0;
	else if (monitor->well_since == 0)
		monitor->well_since = clock_ms();
	else if (clock_ms() - monitor->well_since > QUIET_MS)
		ready_set(READY_RESTART, false);
}

void
monitor_close(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	watch_close(monitor->watch);
	http_close(monitor->http);
	free(monitor);
}
