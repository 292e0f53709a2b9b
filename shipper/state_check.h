/*
 * state_check.h
 *		What "check" says of the state record.
 */
#ifndef STATE_CHECK_H
#define STATE_CHECK_H

#include "config.h"
#include "report.h"

/* Looks whether the record can be kept, and what it says; makes nothing. */
extern void state_check(const struct config *cfg, struct report *report);

#endif							/* STATE_CHECK_H */
