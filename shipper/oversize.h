/*
 * oversize.h
 *		Records that are larger than Kafka takes.
 */
#ifndef OVERSIZE_H
#define OVERSIZE_H

#include <stdbool.h>
#include <librdkafka/rdkafka.h>

#include "producer_state.h"

/*
 * Whether the record may be sent.  One that Kafka would surely refuse is logged
 * with its address, and then nothing more goes out.
 */
extern bool oversize_fits(struct producer *producer,
						  const struct sink_record *record);

/* Logs the address of a record that the broker has refused for its size. */
extern void oversize_refused(const rd_kafka_message_t *message);

#endif							/* OVERSIZE_H */
