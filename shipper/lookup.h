/*
 * lookup.h
 *		Questions about topics: how many partitions, what settings, or to make
 *		one.
 *
 * The calls block, so a thread of its own makes them, one after another.  It
 * owns a question from when it is asked until the answer is taken, and touches
 * nothing else but the librdkafka handle.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>

#include "config.h"

struct topic;

/* One question, about a topic or, with NULL, the partitions of all known. */
struct lookup
{
	struct lookup *next;
	struct topic *topic;		/* borrowed; name and handle never change */
	bool		create;			/* it, first */
	bool		hurried;

	rd_kafka_resp_err_t err;	/* of a call, or of the topic */
	char		text[256];		/* of an error, when there is more to say */
	int32_t		count;			/* of partitions */
	size_t		max_record;		/* its max.message.bytes; 0: not known */
	bool		compacted;		/* its cleanup.policy, if that is known */
	const struct rd_kafka_metadata *all;	/* owned; answer about all */
};

struct lookups;

/* wake: a descriptor that gets a byte when there are answers. */
extern struct lookups *lookups_open(const struct config *config,
									rd_kafka_t *kafka, int wake);

/* "hurried": an answer that takes longer than 3 s is none. */
extern void lookups_ask(struct lookups *lookups, struct topic *topic,
						bool create);
extern void lookups_ask_all(struct lookups *lookups, bool hurried);

/* The answers there are, linked; each goes to lookup_free(). */
extern struct lookup *lookups_take(struct lookups *lookups);

extern void lookup_free(struct lookup *lookup);

/* Waits for the thread, a few seconds at most. */
extern void lookups_close(struct lookups *lookups);

#endif							/* LOOKUP_H */
