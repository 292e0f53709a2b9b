/*
 * topic.h
 *		What the producer knows of Kafka's topics: partition counts, pinned at
 *		first use, and the gate of each partition.
 *
 * A topic is ready once it has been looked up; a partition that acknowledges
 * nothing for long is told of.
 */
#ifndef TOPIC_H
#define TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>

#include "accumulator.h"
#include "config.h"
#include "pin.h"
#include "sink.h"

/*
 * The first record that a producer sends to a partition goes alone until it
 * has an offset: with more in flight, the broker may store a later one first
 * and librdkafka would then report the first as delivered.
 */
enum gate
{
	GATE_CLOSED,				/* nothing was sent yet */
	GATE_OPENING,				/* the first one is on its way */
	GATE_OPEN,
};

struct topic_partition
{
	struct line line;			/* what waits; comes first */
	struct topic *topic;		/* borrowed */
	int32_t		number;
	uint32_t	outstanding;	/* deliveries that librdkafka has */
	enum gate	gate;
	int64_t		used;			/* ms; when the last report came, or the first
								 * record after a pause went */
	int64_t		told;			/* ms; when it was last said to stand still */
};

enum topic_state
{
	TOPIC_UNKNOWN,
	TOPIC_ASKED,
	TOPIC_READY,
};

struct topic
{
	struct topic *next;			/* owned by the list */
	char	   *name;			/* owned */
	rd_kafka_topic_t *handle;	/* owned */
	enum topic_state state;
	struct pin *pin;			/* borrowed, for ever */
	int32_t		count;			/* of partitions, as pinned */
	int32_t		next_count;		/* what it is now, if that differs, else 0 */
	struct topic_partition *partitions; /* owned */
	size_t		max_record;		/* its max.message.bytes; 0: not known */
	bool		compacted;		/* takes no record without a key */
	bool		reserved;		/* the state record is kept there */
	unsigned	missing;		/* times it was not there */
	unsigned	denied;			/* times we were not let at it */
	int64_t		ask_at;			/* ms; while unknown */
};

struct topics;

/* wake: a descriptor that gets a byte when there are answers. */
extern struct topics *topics_open(const struct config *config,
								  rd_kafka_t *kafka, int wake);

/* The topic of that name, added if new; NULL with a message logged. */
extern struct topic *topics_find(struct topics *topics, const char *name);

/* Sees that an unknown topic becomes known; nothing if it is not yet time. */
extern void topics_ask(struct topics *topics, struct topic *topic);

/* Takes the answers there are, and asks again whether counts have changed. */
extern enum sink_health topics_collect(struct topics *topics);

/*
 * A broker refused our login: sees whether another lets us in, unless things
 * worked before.
 */
extern void topics_doubt(struct topics *topics);

/* The least of the topics' max.message.bytes, 0 if none is known. */
extern size_t topics_smallest_limit(const struct topics *topics);

/* Whether counts have changed, so that sending must pause. */
extern bool topics_changed(const struct topics *topics);

/* Takes over the new counts; only when nothing is outstanding. */
extern void topics_switch(struct topics *topics);

/* ms until topics_collect() or topics_ask() should be called again. */
extern int	topics_timeout(const struct topics *topics);

/* Waits for the thread, a few seconds at most, and frees the topics. */
extern void topics_close(struct topics *topics);

#endif							/* TOPIC_H */
