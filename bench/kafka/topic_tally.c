/*
 * topic_tally.c
 *		Whether a topic holds the rows 0 .. ROWS - 1, each once and in order.
 *
 *	topic_tally BROKERS TOPIC ROWS
 *
 * The rows were inserted by rising id, so ids rise within a partition.  Prints
 * one line and fails unless all is well: such a run has no figures.
 */
#include <stdio.h>
#include <stdlib.h>

#include "row_id.h"
#include "topic_reader.h"

#define MAX_PARTITIONS	64

struct tally
{
	int64_t		rows;
	unsigned char *seen;		/* by row, owned */
	int64_t		last[MAX_PARTITIONS];	/* highest row of a partition, + 1 */
	int64_t		records;
	int64_t		unknown;
	int64_t		repeated;
	int64_t		reordered;
	int64_t		bytes;			/* of keys and values */
};

static bool
tally_record(const rd_kafka_message_t *msg, void *arg)
{
	struct tally *t = arg;
	int64_t		id = row_id(msg);

	t->records++;
	t->bytes += (int64_t) (msg->key_len + msg->len);
	if (id < 0 || id >= t->rows || msg->partition >= MAX_PARTITIONS)
	{
		t->unknown++;
		return true;
	}
	t->repeated += t->seen[id];
	t->seen[id] = 1;
	t->reordered += id < t->last[msg->partition];
	if (id >= t->last[msg->partition])
		t->last[msg->partition] = id + 1;
	return true;
}

static int64_t
lost(const struct tally *t)
{
	int64_t		count = 0;

	for (int64_t id = 0; id < t->rows; id++)
		count += !t->seen[id];
	return count;
}

int
main(int argc, char **argv)
{
	struct tally t = {.rows = argc == 4 ? atoll(argv[3]) : 0};
	struct topic_reader reader = {
		.topic_count = 1,
		.until_end = true,
		.record = tally_record,
		.arg = &t,
	};
	bool		good;

	if (t.rows < 1)
	{
		fprintf(stderr, "usage: topic_tally BROKERS TOPIC ROWS\n");
		return 1;
	}
	t.seen = calloc((size_t) t.rows, 1);
	reader.brokers = argv[1];
	reader.topics = argv + 2;
	if (!t.seen || !topic_reader_run(&reader))
		return 2;

	printf("records=%lld lost=%lld repeated=%lld reordered=%lld "
		   "unknown=%lld bytes=%lld\n", (long long) t.records,
		   (long long) lost(&t), (long long) t.repeated,
		   (long long) t.reordered, (long long) t.unknown,
		   (long long) t.bytes);
	good = t.records == t.rows && lost(&t) == 0 && t.reordered == 0;
	free(t.seen);
	return good ? 0 : 3;
}
