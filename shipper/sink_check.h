/*
 * sink_check.h
 *		Where records would go, as "check" judges it: the folder, or Kafka
 *		with the topics of all tables and messages; and the state record.
 */
#ifndef SINK_CHECK_H
#define SINK_CHECK_H

#include "capture.h"
#include "config.h"
#include "report.h"

/* "capture" may be empty, where the server could not be asked. */
extern void sink_check(const struct config *cfg,
					   const struct capture *capture, struct report *report);

#endif							/* SINK_CHECK_H */
