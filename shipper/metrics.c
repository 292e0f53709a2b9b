/*
 * metrics.c
 *		What an operator can ask.
 */
#include "metrics.h"

#include <string.h>
#include <time.h>

#include "mem.h"

#define SLOTS	2048			/* of the index, a power of two, half empty */

/* one process ships one slot: kept here so that any module can count */
struct metrics metrics;

const int64_t metrics_bounds[METRICS_BUCKETS] = {
	500, 1000, 2000, 5000,
	10000, 20000, 50000, 100000, 200000, 500000,
	1000000, 2000000, 5000000, 10000000, 30000000, 60000000, 300000000,
};

/* hash of a table's names to its number, plus one */
static uint16_t table_index[SLOTS];

static void observe(struct metrics_histogram *histogram, int64_t us);
static uint32_t hash(uint32_t seed, const char *data, size_t len);
static bool equals(const char *text, const char *data, size_t len);

uint64_t *
metrics_table(const char *schema, size_t schema_len, const char *name,
			  size_t name_len)
{
	uint32_t	at = hash(hash(0, schema, schema_len), name, name_len);
	struct metrics_table *table;

	for (;; at++)
	{
		at &= SLOTS - 1;
		if (table_index[at] == 0)
			break;
		table = &metrics.tables[table_index[at] - 1];
		if (equals(table->schema, schema, schema_len) &&
			equals(table->name, name, name_len))
			return &table->records;
	}
	if (metrics.table_count == METRICS_TABLES_MAX)
		return &metrics.tables[METRICS_TABLES_MAX].records;
	table = &metrics.tables[metrics.table_count];
	table->schema = mem_strndup(schema, schema_len);
	table->name = mem_strndup(name, name_len);
	table_index[at] = (uint16_t) ++metrics.table_count;
	return &table->records;
}

void
metrics_kafka_error(const char *name)
{
	size_t		i = 0;

	while (i < METRICS_KINDS_MAX && metrics.kafka_errors[i].name != NULL &&
		   strcmp(metrics.kafka_errors[i].name, name) != 0)
		i++;
	if (i < METRICS_KINDS_MAX)
		metrics.kafka_errors[i].name = name;
	metrics.kafka_errors[i].count++;
}

void
metrics_frame_done(int64_t received, int64_t committed)
{
	int64_t		now = metrics_now();

	metrics.acknowledged_at = now;
	observe(&metrics.receive_latency, now - received);
	if (committed > 0)
	{
		metrics.commit_time = committed;
		observe(&metrics.commit_latency, now - committed);
	}
}

int64_t
metrics_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Clocks may differ between machines, and be set back. */
static void
observe(struct metrics_histogram *histogram, int64_t us)
{
	size_t		bucket = 0;

	if (us < 0)
		us = 0;
	while (bucket < METRICS_BUCKETS && us > metrics_bounds[bucket])
		bucket++;
	histogram->buckets[bucket]++;
	histogram->sum += (uint64_t) us;
}

/* FNV-1a */
static uint32_t
hash(uint32_t seed, const char *data, size_t len)
{
	uint32_t	value = seed ^ 2166136261u;

	for (size_t i = 0; i < len; i++)
		value = (value ^ (unsigned char) data[i]) * 16777619u;
	return value;
}

static bool
equals(const char *text, const char *data, size_t len)
{
	return strlen(text) == len && memcmp(text, data, len) == 0;
}
