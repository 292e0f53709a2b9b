/*
 * proxy_kafka.h
 *		What the fault proxy knows of Kafka: where messages end, which request
 *		an answer belongs to, and how to refuse a Produce request by itself.
 */
#ifndef PROXY_KAFKA_H
#define PROXY_KAFKA_H

#include <stdbool.h>

#include "proxy_link.h"

/* What is done with an answer to a request of one API. */
enum kafka_action
{
	ANSWER_PASS,
	ANSWER_DROP,				/* it never comes */
	ANSWER_RESET,				/* in its place both ends see a reset */
	ANSWER_HOLD,				/* it and all behind it, until released */
	ANSWER_DELAY,				/* ms */
	ANSWER_ERROR,				/* the request goes nowhere, the answer is this
								 * error; Produce alone */
	REQUEST_HOLD,				/* the request and all behind it */
	REQUEST_RESET,				/* a reset, the request goes nowhere */
};

/* The next "count" requests of this API, after "skip" of them; false: full. */
extern bool kafka_rule(int api, enum kafka_action action, int count, int skip,
					   int argument);

/*
 * From now on the first Produce request of each producer id to each partition
 * gets this error; 0: no longer.  The answer waits until a second request to
 * the partition was passed on, or for "wait" ms.
 */
extern void kafka_first(int code, int wait);

extern void kafka_forget_rules(void);

/* Moves whole messages of flow->in on their way, or does what a rule says. */
extern void kafka_pass(struct link *link, enum direction way,
					   struct faults *faults);

/* What was held goes on. */
extern void kafka_release(struct link *link);

/* Sends the answers that have waited long enough; ms until the next, or -1. */
extern int	kafka_tick(struct link *link);

/* How many requests of this API have come. */
extern unsigned long kafka_requests(int api);

extern void kafka_forget(struct link *link);

#endif							/* PROXY_KAFKA_H */
