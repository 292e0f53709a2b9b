/*
 * topic_state.h
 *		What topic.c, topic_answer.c and topic_watch.c share, and nobody else.
 */
#ifndef TOPIC_STATE_H
#define TOPIC_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lookup.h"
#include "topic.h"

struct topics
{
	const struct config *config;	/* borrowed */
	rd_kafka_t *kafka;			/* borrowed */
	char	   *reserved;		/* owned; topic of the state record, or NULL */
	struct lookups *lookups;	/* owned */
	struct topic *list;			/* owned */
	unsigned	waiting;		/* topics to be asked for again */
	size_t		smallest;		/* of their limits; 0: none is known */
	bool		changed;
	int64_t		recheck_at;		/* ms */
	int64_t		recheck_ms;
	int64_t		watch_at;		/* ms */
	bool		watching;		/* all were asked for as some stand still */
	bool		login_refused;	/* and all were asked for because of it */
};

/* Judges the answer to a question. */
extern enum sink_health topic_take_answer(struct topics *topics,
										  const struct lookup *lookup);

/* A topic has that many partitions from now on, and nothing is on its way. */
extern void topic_set_count(struct topic *topic, int32_t count);

/* Every second: readiness, and asks why partitions stand still, if some do. */
extern void topic_watch(struct topics *topics);

/* Says so of those that do, by what the brokers say of them. */
extern void topic_tell_stuck(struct topics *topics,
							 const struct rd_kafka_metadata *metadata);

#endif							/* TOPIC_STATE_H */
