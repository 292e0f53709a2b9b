/*
 * oversize.h
 *		Records that are larger than Kafka takes.
 */
#ifndef OVERSIZE_H
#define OVERSIZE_H

#include <stddef.h>
#include <librdkafka/rdkafka.h>

#include "producer_state.h"

/* The largest key, value and headers, together, that a topic may take. */
extern size_t oversize_limit(const struct producer *producer,
							 const struct topic *topic);

/*
 * A record is larger than that limit: it is logged with its address, and then
 * nothing more goes out.
 */
extern void oversize_halt(struct producer *producer,
						  const struct sink_record *record, size_t limit);

/* Logs the address of a record that the broker has refused for its size. */
extern void oversize_refused(const rd_kafka_message_t *message);

#endif							/* OVERSIZE_H */
