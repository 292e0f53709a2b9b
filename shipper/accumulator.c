/*
 * accumulator.c
 *		Records that wait in the producer for their partition, in order.
 */
#include "accumulator.h"

#include <stdlib.h>

#include "mem.h"

#define BLOCK	512				/* records that are allocated together */

/* of a record in a message set of version 2, its varints at their longest */
#define RECORD_OVERHEAD		36

static struct waiting *spare(struct accumulator *accumulator);
static bool is_full(const struct accumulator *accumulator,
					const struct line *line);

void
accumulator_init(struct accumulator *accumulator, int64_t linger,
				 size_t batch_bytes, size_t batch_count)
{
	*accumulator = (struct accumulator) {
		.linger = linger,
		.batch_bytes = batch_bytes,
		.batch_count = batch_count,
	};
}

void
accumulator_free(struct accumulator *accumulator)
{
	for (size_t i = 0; i < accumulator->block_count; i++)
		free(accumulator->blocks[i]);
	free(accumulator->blocks);
	*accumulator = (struct accumulator) {0};
}

void
accumulator_add(struct accumulator *accumulator, struct line *line,
				struct ledger_entry *entry, const struct frame_record *body,
				int64_t now)
{
	struct waiting *waiting = spare(accumulator);

	waiting->next = NULL;
	waiting->entry = entry;
	waiting->body = *body;
	if (line->first == NULL)
	{
		line->first = waiting;
		line->since = now;
	}
	else
		line->last->next = waiting;
	line->last = waiting;
	line->count++;
	accumulator->count++;
	line->bytes += accumulator_size(body);
	if (line->listed && line->due != DUE_IF_FULL && is_full(accumulator, line))
	{
		accumulator_hold(accumulator, line);
		accumulator_admit(accumulator, line);
	}
}

void
accumulator_drop(struct accumulator *accumulator, struct line *line)
{
	struct waiting *waiting = line->first;

	line->first = waiting->next;
	line->count--;
	accumulator->count--;
	line->bytes -= accumulator_size(&waiting->body);
	waiting->next = accumulator->spare;
	accumulator->spare = waiting;
	if (line->first == NULL)
		accumulator_hold(accumulator, line);
}

void
accumulator_admit(struct accumulator *accumulator, struct line *line)
{
	struct line *before = accumulator->last;

	if (line->listed || line->first == NULL)
		return;
	line->due = is_full(accumulator, line) ? DUE_IF_FULL :
		line->since + accumulator->linger;
	while (before != NULL && before->due > line->due)
		before = before->before;

	line->before = before;
	line->behind = before != NULL ? before->behind : accumulator->first;
	if (line->behind != NULL)
		line->behind->before = line;
	else
		accumulator->last = line;
	if (before != NULL)
		before->behind = line;
	else
		accumulator->first = line;
	line->listed = true;
}

void
accumulator_hold(struct accumulator *accumulator, struct line *line)
{
	if (!line->listed)
		return;
	if (line->before != NULL)
		line->before->behind = line->behind;
	else
		accumulator->first = line->behind;
	if (line->behind != NULL)
		line->behind->before = line->before;
	else
		accumulator->last = line->before;
	line->listed = false;
}

struct line *
accumulator_due(const struct accumulator *accumulator, int64_t due)
{
	struct line *line = accumulator->first;

	return line != NULL && line->due <= due ? line : NULL;
}

size_t
accumulator_size(const struct frame_record *body)
{
	return RECORD_OVERHEAD + body->key.len + body->value.len +
		body->headers.len;
}

static struct waiting *
spare(struct accumulator *accumulator)
{
	struct waiting *waiting = accumulator->spare;
	struct waiting *block;

	if (waiting == NULL)
	{
		block = mem_alloc(BLOCK * sizeof(*block));
		accumulator->blocks =
			mem_realloc(accumulator->blocks, (accumulator->block_count + 1) *
						sizeof(*accumulator->blocks));
		accumulator->blocks[accumulator->block_count++] = block;
		for (size_t i = 0; i < BLOCK; i++)
			block[i].next = i + 1 < BLOCK ? &block[i + 1] : NULL;
		waiting = block;
	}
	accumulator->spare = waiting->next;
	return waiting;
}

static bool
is_full(const struct accumulator *accumulator, const struct line *line)
{
	return line->count >= accumulator->batch_count ||
		line->bytes >= accumulator->batch_bytes;
}
