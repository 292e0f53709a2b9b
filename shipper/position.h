/*
 * position.h
 *		The position in Kafka: where a restart goes on, with exactly once.
 */
#ifndef POSITION_H
#define POSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "state.h"

/*
 * Reads the newest committed one of the slot, after the transactional id was
 * taken.  Waits for it, and for transactions of others that are open in the
 * topic, until stop(arg) says no.  False: could not, err says why.  A topic
 * without a record of the slot is no failure: *found is false.
 */
extern bool position_read(const struct config *config, struct state *state,
						  bool *found, bool (*stop) (void *arg), void *arg,
						  char *err, size_t errsize);

#endif							/* POSITION_H */
