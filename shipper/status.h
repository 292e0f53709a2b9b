/*
 * status.h
 *		How far the slot is, on standard output.
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>

#include "config.h"

/* EXIT_PERSON when there is no slot that can be read. */
extern enum exit_status status_print(const struct config *cfg, bool json);

#endif							/* STATUS_H */
