/*
 * decoding_check.h
 *		What decoding needs of the server, as "check" judges it: settings,
 *		role, slot and plugin.
 */
#ifndef DECODING_CHECK_H
#define DECODING_CHECK_H

#include "config.h"
#include "report.h"
#include "server.h"

/*
 * A query that fails counts as what it asked for not being there.  To learn
 * whether the server would load the plugin it makes a temporary slot, for
 * which it waits some seconds, and drops it.
 */
extern void decoding_check(struct server *server, const struct config *cfg,
						   struct report *report);

#endif							/* DECODING_CHECK_H */
