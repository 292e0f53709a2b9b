/*
 * earlier.h
 *		The state record of an earlier slot, or of an earlier life of this one:
 *		heeded, or forgotten on purpose.
 */
#ifndef EARLIER_H
#define EARLIER_H

#include "config.h"

/*
 * Forgets the slot's state record, where the config keeps one: the next start
 * takes the slot as it stands.  EXIT_RESTART: its place could not be reached,
 * or EXIT_PERSON, logged.
 */
extern enum exit_status earlier_drop(const struct config *cfg);

/*
 * The same when the slot itself is gone, or was just made.  Failing is no more
 * than a warning that says what to do.
 */
extern void earlier_forget(const struct config *cfg);

/*
 * The slot does not exist: EXIT_ASKED if nothing is known of it, EXIT_PERSON
 * if it was there once, EXIT_RESTART if that cannot be told; logged.
 */
extern enum exit_status earlier_vanished(const struct config *cfg);

#endif							/* EARLIER_H */
