/*
 * history.h
 *		All records of the topics, partition by partition, as both kinds of
 *		readers see them.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <librdkafka/rdkafka.h>

#include "record.h"
#include "verdict.h"

/* Which of the records a reader sees, or a judgement is about. */
enum level
{
	READ_UNCOMMITTED,
	READ_COMMITTED,
};

/* One partition. */
struct place
{
	char	   *topic;
	int32_t		partition;
	struct record *records;		/* by offset */
	size_t		count;
	size_t		room;
	int64_t		next;			/* behind the last one read */
	int64_t		next_committed; /* likewise, of the read_committed reader */
	int64_t		decided;		/* committed or aborted before it, surely */
	size_t		at;				/* records before it were passed by that one */
};

struct history
{
	struct reading reading;
	struct verdict *verdict;	/* borrowed */
	bool		java;			/* keys lie where Java would put them */
	struct place *places;
	uint32_t	place_count;
	char	  **tables;			/* names, as messages have them */
	uint32_t	table_count;
	uint64_t	aborted;		/* records that were never committed */
};

/* A partition and its end, before it is read at a level. */
extern void history_open(struct history *history, const char *topic,
						 int32_t partition, enum level level,
						 int64_t high);

/* Where to go on reading. */
extern int64_t history_start(const struct history *history, const char *topic,
							 int32_t partition, enum level level);

/* One record, as each kind of reader got it. */
extern void history_take(struct history *history,
						 const rd_kafka_message_t *message);
extern void history_confirm(struct history *history,
							const rd_kafka_message_t *message);

/* The read_committed reader has come to where the other one had. */
extern void history_settle(struct history *history);

/* Keeps everything in a file, for the next round to go on from. */
extern bool history_save(const struct history *history, const char *file);
extern bool history_load(struct history *history, const char *file);

extern void history_free(struct history *history);

/* "topic [partition] offset N, lsn L seq_id S, table T"; in a static buffer */
extern const char *history_address(const struct history *history,
								   const struct record *record);

static inline bool
record_is_at(const struct record *record, enum level level)
{
	return level == READ_UNCOMMITTED || record->committed;
}

static inline bool
record_is_after(const struct record *a, const struct record *b)
{
	return a->lsn > b->lsn || (a->lsn == b->lsn && a->seq_id > b->seq_id);
}

#endif							/* HISTORY_H */
