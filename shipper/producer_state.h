/*
 * producer_state.h
 *		What producer.c, produce.c and delivery.c share, and nobody else.
 */
#ifndef PRODUCER_STATE_H
#define PRODUCER_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>

#include "accumulator.h"
#include "config.h"
#include "ledger.h"
#include "probe.h"
#include "sink.h"
#include "topic.h"
#include "transaction.h"

#define PRODUCER_BATCH	128	/* records in one call */

struct producer
{
	struct sink base;
	const struct config *config;	/* borrowed */
	struct ledger *ledger;		/* borrowed */
	rd_kafka_t *kafka;			/* owned */
	rd_kafka_queue_t *queue;	/* owned; delivery reports, errors, log */
	struct topics *topics;		/* owned */
	struct probe *probe;		/* owned; NULL: nobody asks */
	struct transaction *transaction;	/* owned; NULL: at least once */
	int			wake[2];		/* pipe: events or answers are there */
	struct position resent;		/* up to it, another producer sent before */
	size_t		max_record;
	struct accumulator accumulator; /* what librdkafka does not have yet */
	uint64_t	outstanding;	/* deliveries: of that, and what it has */
	bool		queue_full;		/* librdkafka takes no more now */
	bool		stalled;		/* records wait to be taken */
	enum sink_health health;
	int64_t		fatal_at;		/* ms; when librdkafka gave up, else 0 */
	rd_kafka_resp_err_t fatal;	/* why */
	char		complaint[256]; /* of the connection that failed last */
	bool		halted;			/* at a record that cannot be sent; logged */
	pthread_t	reaper;			/* runs once abandoned */
	bool		reaping;
	bool		reaped;			/* only read after the pipe said so */
	rd_kafka_message_t batch[PRODUCER_BATCH];
};

/* Whether librdkafka may be given records. */
static inline bool
producer_is_well(const struct producer *producer)
{
	return producer->health == HEALTH_FINE && producer->fatal_at == 0 &&
		!producer->reaping;
}

/*
 * Takes records in order, into the lines of their partitions, and stops at the
 * first that must wait, as its topic is not looked up yet.  Nothing behind it
 * goes first, in any topic.  Returns how many it took.
 */
extern size_t produce_records(struct producer *producer,
							  const struct sink_record *records,
							  size_t count);

/* What waits for the partition may go, if librdkafka can send it. */
extern void handover_admit(struct producer *producer,
						   struct topic_partition *partition);

/* Gives librdkafka what is due at that time in ms, or is full. */
extern void handover_serve(struct producer *producer, int64_t due);

/* ms until it should be called again; -1: when a report came */
extern int	handover_timeout(const struct producer *producer);

/* A report, an error or a log line; acknowledges in the ledger. */
extern void delivery_take(struct producer *producer, rd_kafka_event_t *event);

/* The next producer makes no batch larger than that. */
extern void producer_limit_batches(size_t limit);

#endif							/* PRODUCER_STATE_H */
