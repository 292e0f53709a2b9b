/*
 * start.h
 *		What is looked at before each start of the stream, besides the slot.
 */
#ifndef START_H
#define START_H

#include "config.h"
#include "server.h"

/*
 * The publications exist, the routes' tables and columns too: EXIT_ASKED, and
 * *routes is the plugin's option, "" if there are none, to be freed.  Else how
 * to leave (EXIT_RESTART: time may mend it), logged.
 */
extern enum exit_status start_check(struct server *server,
									const struct config *cfg, char **routes);

#endif							/* START_H */
