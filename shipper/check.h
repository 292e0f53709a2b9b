/*
 * check.h
 *		Everything that would keep changes from reaching Kafka, in one pass.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#include "config.h"

/*
 * Prints findings and remedies on standard output, and with "tables" the
 * topic and key of each captured table.  EXIT_PERSON if there was a problem;
 * warnings alone are fine.
 */
extern enum exit_status check_all(const struct config *cfg, bool tables);

#endif							/* CHECK_H */
