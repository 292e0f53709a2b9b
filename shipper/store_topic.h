/*
 * store_topic.h
 *		What store_topic.c, store_topic_setup.c and store_topic_read.c share,
 *		and nobody else.
 */
#ifndef STORE_TOPIC_H
#define STORE_TOPIC_H

#include <librdkafka/rdkafka.h>

#include "store.h"

#define STORE_STEP_MS		500	/* between two looks at the stop flag */
#define STORE_WAIT_MS		5000	/* for Kafka to answer, each time */

struct store_topic
{
	struct store base;
	char	   *name;			/* owned */
	rd_kafka_t *kafka;			/* owned; writes */
	rd_kafka_queue_t *queue;	/* owned; delivery reports, answers */
	rd_kafka_topic_t *handle;	/* owned */
	int			wake[2];		/* pipe: something is in the queue */
	enum store_progress progress;
	int64_t		written_at;		/* ms, of clock_ms() */
	int			patience;		/* ms, for a delivery report */
	bool		good;			/* one partition, compacted: seen once */
};

/*
 * Whether the topic is one to keep records in, after creating it if it is
 * missing and "make".  STORE_FOUND: it is; STORE_NONE: there is none.
 */
extern enum store_answer store_topic_prepare(struct store_topic *topic,
											 bool make);

/* Asks for the topic to be created; the answer comes to the queue. */
extern bool store_topic_create(struct store_topic *topic,
							   rd_kafka_queue_t *answers, char *error,
							   size_t size);

/* The slot's record, as the topic has it now. */
extern enum store_answer store_topic_scan(struct store_topic *topic,
										  struct state *state);

/* Between two waits: whether the stop flag is set; the loop is not stuck. */
extern bool store_topic_stopped(const struct store_topic *topic);

#endif							/* STORE_TOPIC_H */
