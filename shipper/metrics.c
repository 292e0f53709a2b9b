/*
 * metrics.c
 *		What an operator can ask.
 */
#include "metrics.h"

#include <stdlib.h>
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
static struct metrics_table *find_table(char *schema, char *name);
static uint32_t hash(uint32_t value, const char *text);
static char *to_utf8(const char *name, size_t len);
static size_t utf8_length(const char *text, size_t left);

uint64_t *
metrics_table(const char *schema, size_t schema_len, const char *name,
			  size_t name_len)
{
	char	   *schema_text = to_utf8(schema, schema_len);
	char	   *name_text = to_utf8(name, name_len);
	struct metrics_table *table = find_table(schema_text, name_text);

	if (table->schema == schema_text)
		return &table->records;
	free(schema_text);
	free(name_text);
	return &table->records;
}

void
metrics_kafka_error(const char *name)
{
	size_t		i = 0;

	while (i < METRICS_KINDS_MAX && metrics.kafka_errors[i].name != NULL &&
		   strcmp(metrics.kafka_errors[i].name, name) != 0)
		i++;
	if (i < METRICS_KINDS_MAX && metrics.kafka_errors[i].name == NULL)
		metrics.kafka_errors[i].name = mem_strdup(name);
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

/* A new one takes over the names, as long as there is room. */
static struct metrics_table *
find_table(char *schema, char *name)
{
	uint32_t	at = hash(hash(2166136261u, schema), name);
	struct metrics_table *table;

	for (;; at++)
	{
		at &= SLOTS - 1;
		if (table_index[at] == 0)
			break;
		table = &metrics.tables[table_index[at] - 1];
		if (strcmp(table->schema, schema) == 0 &&
			strcmp(table->name, name) == 0)
			return table;
	}
	table = &metrics.tables[metrics.table_count];
	if (metrics.table_count == METRICS_TABLES_MAX)
		return table;
	table->schema = schema;
	table->name = name;
	table_index[at] = (uint16_t) ++metrics.table_count;
	return table;
}

/* FNV-1a, the end of the text included */
static uint32_t
hash(uint32_t value, const char *text)
{
	do
		value = (value ^ (unsigned char) *text) * 16777619u;
	while (*text++ != '\0');
	return value;
}

/* Two names that become equal are counted as one: no label may come twice. */
static char *
to_utf8(const char *name, size_t len)
{
	char	   *text = mem_alloc(2 * len + 1);
	char	   *to = text;

	while (len > 0)
	{
		unsigned char c = (unsigned char) *name;
		size_t		size = utf8_length(name, len);

		if (size > 0)
			to = mempcpy(to, name, size);
		else if (c >= 0x80)
		{
			*to++ = (char) (0xc0 | c >> 6);
			*to++ = (char) (0x80 | (c & 0x3f));
		}
		size += size == 0;
		name += size;
		len -= size;
	}
	*to = '\0';
	return text;
}

/* Bytes of the character there; 0: it is none. */
static size_t
utf8_length(const char *text, size_t left)
{
	const unsigned char *c = (const unsigned char *) text;
	size_t		len = *c == 0 ? 0 : *c < 0x80 ? 1 : *c < 0xc2 ? 0 :
		*c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* too long, a surrogate, or beyond the last */
	if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) ||
		(*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
		return 0;
	return len;
}
