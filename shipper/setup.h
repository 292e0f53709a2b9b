/*
 * setup.h
 *		Slot and publication: made and dropped.
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>

#include "config.h"
#include "slot_export.h"

/*
 * Makes what is missing, publication first, because the slot's changes are
 * judged by the catalog at their own time.  Changes nothing that exists.  If
 * "made" is not NULL, a slot that is made leaves a database snapshot there, to
 * be freed.
 */
extern enum exit_status setup_init(const struct config *cfg, bool start,
								   struct slot_export *made);

/* Drops the slot, and the publications if asked to. */
extern enum exit_status setup_drop(const struct config *cfg, bool yes,
								   bool publication);

#endif							/* SETUP_H */
