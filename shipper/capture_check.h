/*
 * capture_check.h
 *		The tables that are captured, as "check" judges them.
 */
#ifndef CAPTURE_CHECK_H
#define CAPTURE_CHECK_H

#include "capture.h"
#include "config.h"
#include "report.h"

/*
 * Whether there is any, and for each whether readers can tell its rows apart,
 * a delete finds its partition, and an update is sent whole.  What routes and
 * labels have wrong was said by capture_read().
 */
extern void capture_check(const struct config *cfg,
						  const struct capture *capture,
						  struct report *report);

#endif							/* CAPTURE_CHECK_H */
