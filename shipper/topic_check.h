/*
 * topic_check.h
 *		The settings of Kafka's topics, as "check" judges them.
 */
#ifndef TOPIC_CHECK_H
#define TOPIC_CHECK_H

#include <librdkafka/rdkafka.h>

#include "capture.h"
#include "config.h"
#include "names.h"
#include "report.h"

/*
 * Of those topics that there are: what they take, and whether they keep it.
 * Only as far as this principal may read settings.
 */
extern void topic_check(rd_kafka_t *rk, const struct config *cfg,
						const struct rd_kafka_metadata *metadata,
						const struct names *topics,
						const struct capture *capture, struct report *report);

#endif							/* TOPIC_CHECK_H */
