/*
 * snapshot_follow.h
 *		Shows a snapshot until it has ended.
 */
#ifndef SNAPSHOT_FOLLOW_H
#define SNAPSHOT_FOLLOW_H

#include <jansson.h>

#include "config.h"

/*
 * From now on an interrupt is kept for snapshot_follow(): a snapshot that was
 * asked for goes on, and people are to be told so.
 */
extern void snapshot_follow_catch(void);

/*
 * From the shipper's answer so far to its last one, which replaces it.  It may
 * be restarted meanwhile.  EXIT_RESTART: nobody answers any more, logged.  A
 * signal ends the process, as it would have, and says that the snapshot goes
 * on.
 */
extern enum exit_status snapshot_follow(const struct config *config,
										json_t **answer);

#endif							/* SNAPSHOT_FOLLOW_H */
