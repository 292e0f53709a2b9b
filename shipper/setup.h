/*
 * setup.h
 *		Slot and publication: made and dropped.
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>

#include "config.h"

/*
 * Makes what is missing, publication first, because the slot's changes are
 * judged by the catalog at their own time.  Changes nothing that exists.
 */
extern enum exit_status setup_init(const struct config *cfg, bool start);

/* Drops the slot, and the publications if asked to. */
extern enum exit_status setup_drop(const struct config *cfg, bool yes,
								   bool publication);

#endif							/* SETUP_H */
