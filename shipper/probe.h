/*
 * probe.h
 *		Whether Kafka answers while there is nothing to send.
 *
 * librdkafka tells when it lost all brokers, but not when one is back, and a
 * broker that froze looks as it did.  So a thread asks for a topic's metadata
 * every few seconds, unless an acknowledgement came meanwhile; a cluster in
 * which one broker of many is silent answers.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <librdkafka/rdkafka.h>

struct probe;

/* Borrows the handle; wake is a descriptor that gets a byte at each change. */
extern struct probe *probe_open(rd_kafka_t *kafka, int wake);

/*
 * A topic to ask for: without one, the question is for brokers alone, but
 * librdkafka makes it one for all topics that it knows.  Borrowed until
 * probe_close(); the first one counts.
 */
extern void probe_topic(struct probe *probe, rd_kafka_topic_t *topic);

/* Kafka answered at this clock_ms(): there is no need to ask. */
extern void probe_answered(struct probe *probe, int64_t now);

/* It seems to be away: asks at once, and often. */
extern void probe_hurry(struct probe *probe);

/* Sets or clears READY_KAFKA by what was found. */
extern void probe_collect(struct probe *probe);

/* Waits for the thread, two seconds at most; NULL is fine. */
extern void probe_close(struct probe *probe);

#endif							/* PROBE_H */
