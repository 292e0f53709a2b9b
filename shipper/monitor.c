/*
 * monitor.c
 *		What the loop does for those who look at it from outside.
 */
#include "monitor.h"

#include <stdlib.h>

#include "http.h"
#include "mem.h"
#include "metrics.h"
#include "ready.h"
#include "snapshot.h"
#include "watch.h"

struct monitor
{
	struct http *http;			/* owned; NULL: not wanted */
	struct watch *watch;		/* owned; likewise */
};

struct monitor *
monitor_open(const struct config *config, int wake)
{
	struct monitor *monitor = mem_zalloc(sizeof(*monitor));

	metrics.started_at = metrics_now();
	ready_turned();
	snapshot_init(wake);
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
	watch_collect(monitor->watch);
	snapshot_serve(ledger, cursor);
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
