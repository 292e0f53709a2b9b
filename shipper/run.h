/*
 * run.h
 *		The subcommand that ships: slot to sink, until asked to stop.
 */
#ifndef RUN_H
#define RUN_H

#include "config.h"

/*
 * Streams the slot into the sink.  Mends by itself what time can mend;
 * otherwise returns how the process should leave, the reason logged.
 */
extern enum exit_status run(const struct config *config);

#endif							/* RUN_H */
