/*
 * broker.h
 *		The Kafka half of "check".
 */
#ifndef BROKER_H
#define BROKER_H

#include "capture.h"
#include "config.h"
#include "names.h"
#include "report.h"

/*
 * Asks the cluster, once: does it answer, can every address that it
 * advertises be reached, do the topics exist, would their names collide.
 */
extern void broker_check(const struct config *cfg,
						 const struct names *topics,
						 const struct capture *capture,
						 struct report *report);

#endif							/* BROKER_H */
