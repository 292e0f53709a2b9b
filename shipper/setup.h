/*
 * setup.h
 *		Slot and publication: made, looked at before streaming, dropped.
 */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>

#include "config.h"

/*
 * Before streaming: the slot is one that can be read, the publications exist,
 * the routes' tables and columns too.  *routes gets the plugin's option, ""
 * if there are none, to be freed.  What fails is logged.
 */
extern enum exit_status setup_start(const struct config *cfg, char **routes);

/*
 * Makes what is missing, publication first, because the slot's changes are
 * judged by the catalog at their own time.  Changes nothing that exists.
 */
extern enum exit_status setup_init(const struct config *cfg);

/* Drops the slot, and the publications if asked to. */
extern enum exit_status setup_drop(const struct config *cfg, bool yes,
								   bool publication);

#endif							/* SETUP_H */
