/*
 * accumulator.h
 *		Records that wait in the producer for their partition, in order.
 *
 * librdkafka counts the records of a partition that are in flight where it
 * means the requests (RD_KAFKA_IDEMP_MAX_INFLIGHT, rdkafka_broker.c): with five
 * or more it makes no further request, and its thread waits actively once
 * those that it has been given have lingered.  So it is given a partition's
 * next records when they can go, and they linger here.
 */
#ifndef ACCUMULATOR_H
#define ACCUMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "ledger.h"

/* One record, for one partition; the bytes are its frame's. */
struct waiting
{
	struct waiting *next;
	struct ledger_entry *entry;
	struct frame_record body;
};

/* Those of one partition. */
struct line
{
	struct waiting *first;		/* NULL: none */
	struct waiting *last;
	size_t		count;
	size_t		bytes;			/* as librdkafka counts a batch's */
	int64_t		since;			/* ms; when the oldest came */

	/* While they may go: a place among the lines that do, by time. */
	bool		listed;
	int64_t		due;			/* ms, or DUE_IF_FULL */
	struct line *before;
	struct line *behind;
};

struct accumulator
{
	int64_t		linger;			/* ms */
	size_t		batch_bytes;	/* a line this long does not linger */
	size_t		batch_count;
	uint64_t	count;			/* records that wait */
	struct line *first;			/* the one that is due first; NULL: none */
	struct line *last;
	struct waiting *spare;
	struct waiting **blocks;	/* owned; all that wait or are spare */
	size_t		block_count;
};

extern void accumulator_init(struct accumulator *accumulator, int64_t linger,
							 size_t batch_bytes, size_t batch_count);

/* Frees what waits with it; lines must not be used again. */
extern void accumulator_free(struct accumulator *accumulator);

/* Puts a record behind those of its line. */
extern void accumulator_add(struct accumulator *accumulator, struct line *line,
							struct ledger_entry *entry,
							const struct frame_record *body, int64_t now);

/* The first record of a line has gone. */
extern void accumulator_drop(struct accumulator *accumulator,
							 struct line *line);

/* What waits in a line may go, when it has lingered: nothing if none does. */
extern void accumulator_admit(struct accumulator *accumulator,
							  struct line *line);

/* It may not. */
extern void accumulator_hold(struct accumulator *accumulator,
							 struct line *line);

/* Times before and behind all others. */
#define DUE_IF_FULL		0
#define DUE_AT_ONCE		INT64_MAX

/* A line whose records are to go at that time in ms, NULL: none. */
extern struct line *accumulator_due(const struct accumulator *accumulator,
									int64_t due);

/* What librdkafka at most makes of a record in a batch, in bytes. */
extern size_t accumulator_size(const struct frame_record *body);

#endif							/* ACCUMULATOR_H */
