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

#include "config.h"
#include "ledger.h"
#include "probe.h"
#include "sink.h"
#include "topic.h"
#include "transaction.h"

#define PRODUCER_BATCH	128	/* records in one call, like CURSOR_RECORDS */

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
	size_t		batch_size;		/* librdkafka's setting */
	uint64_t	outstanding;	/* deliveries that librdkafka has */
	bool		stalled;		/* records wait to be taken */
	enum sink_health health;
	int64_t		fatal_at;		/* ms; when librdkafka gave up, else 0 */
	rd_kafka_resp_err_t fatal;	/* why */
	char		complaint[256]; /* of the connection that failed last */
	bool		halted;			/* at a record that cannot be sent; logged */
	int32_t		copies;			/* sent of a record for every partition */
	bool		copies_counted; /* in the ledger, all of them */
	pthread_t	reaper;			/* runs once abandoned */
	bool		reaping;
	bool		reaped;			/* only read after the pipe said so */
	rd_kafka_message_t batch[PRODUCER_BATCH];
};

/*
 * Takes records in order and stops at the first that must wait: behind a
 * closed gate, a full queue, a topic not yet looked up.  Nothing behind it
 * goes first, in any topic.  Returns how many it took.
 */
extern size_t produce_records(struct producer *producer,
							  const struct sink_record *records,
							  size_t count);

/* A report, an error or a log line; acknowledges in the ledger. */
extern void delivery_take(struct producer *producer, rd_kafka_event_t *event);

/* The next producer makes no batch larger than that. */
extern void producer_limit_batches(size_t limit);

#endif							/* PRODUCER_STATE_H */
