/*
 * judge.c
 *		Judges the records alone, see judge.h.
 */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

static void judge_aborted(struct judge *judge);
static void collect(struct judge *judge);
static void mark_order(struct place *place, enum level level);
static void judge_ordinals(struct judge *judge);
static void judge_lsn(struct judge *judge, size_t first, size_t end);
static size_t judge_repeats(struct judge *judge, size_t first);
static void judge_repeat(struct judge *judge, const struct record *one,
						 const struct record *record, bool first_here);
static void judge_copies(struct judge *judge, size_t first, size_t end);
static void judge_keys(struct judge *judge);
static void blame(struct judge *judge, enum fault fault,
				  const struct record *record);
static int	compare_ids(const void *a, const void *b);
static int	compare_keys(const void *a, const void *b);

void
judge_records(struct judge *judge)
{
	size_t		kept = 0;

	for (uint32_t i = 0; i < judge->history->place_count; i++)
		mark_order(&judge->history->places[i], judge->level);
	collect(judge);
	if (judge->history->aborted > 0)
		judge_aborted(judge);
	judge_ordinals(judge);
	for (size_t i = 0; i < judge->count;)
	{
		const struct record *record = judge->first[i];

		judge->copied += record->snapshot;
		i = judge_repeats(judge, i);
		judge->first[kept++] = record;
	}
	judge->count = kept;
	if (!judge->growing)
		judge_keys(judge);
}

/* Of each LSN, repeats among them. */
static void
judge_ordinals(struct judge *judge)
{
	size_t		first = 0;

	for (size_t i = 1; i <= judge->count; i++)
	{
		if (i < judge->count && judge->first[i]->lsn == judge->first[first]->lsn)
			continue;
		judge_lsn(judge, first, i);
		first = i;
	}
}

/* A transaction counts from 0, a snapshot as it likes; no LSN is of both. */
static void
judge_lsn(struct judge *judge, size_t first, size_t end)
{
	const struct record *copied = NULL;
	const struct record *last = NULL;

	for (size_t i = first; i < end; i++)
	{
		const struct record *record = judge->first[i];

		if (record->snapshot)
		{
			copied = record;
			continue;
		}
		if (last == NULL ? record->seq_id > 0 :
			record->seq_id > last->seq_id + 1)
			blame(judge, FAULT_GAP, record);
		last = record;
	}
	judge->transactions += last != NULL;
	if (last != NULL && copied != NULL)
		blame(judge, FAULT_INSIDE, copied);
}

/*
 * What no read_committed reader will ever see, of what both have passed.  A
 * snapshot that was undone reads its rows again, as other records.
 */
static void
judge_aborted(struct judge *judge)
{
	const struct history *history = judge->history;

	for (size_t i = 0; i < judge->count;)
	{
		const struct record *record = judge->first[i];
		bool		seen = false;

		for (; i < judge->count &&
			 !record_is_after(judge->first[i], record); i++)
		{
			const struct record *other = judge->first[i];

			seen = seen || other->committed || other->offset >=
				history->places[other->place].decided;
		}
		if (!seen && !record->snapshot)
			blame(judge, FAULT_ABORTED, record);
	}
}

void
judge_free(struct judge *judge)
{
	free(judge->first);
}

static void
collect(struct judge *judge)
{
	const struct history *history = judge->history;
	size_t		room = 1;

	for (uint32_t i = 0; i < history->place_count; i++)
		room += history->places[i].count;
	judge->first = malloc(room * sizeof(*judge->first));
	if (judge->first == NULL)
		abort();
	for (uint32_t i = 0; i < history->place_count; i++)
		for (size_t r = 0; r < history->places[i].count; r++)
			if (record_is_at(&history->places[i].records[r], judge->level))
				judge->first[judge->count++] = &history->places[i].records[r];
	qsort(judge->first, judge->count, sizeof(*judge->first), compare_ids);
}

static void
mark_order(struct place *place, enum level level)
{
	const struct record *greatest = NULL;

	for (size_t i = 0; i < place->count; i++)
	{
		struct record *record = &place->records[i];

		record->in_order = record_is_at(record, level) &&
			(greatest == NULL || record_is_after(record, greatest));
		if (record->in_order)
			greatest = record;
	}
}

/* All occurrences of one id, starting at "first"; returns where they end. */
static size_t
judge_repeats(struct judge *judge, size_t first)
{
	const struct record *one = judge->first[first];
	size_t		i = first;

	for (; i < judge->count && !record_is_after(judge->first[i], one); i++)
	{
		const struct record *record = judge->first[i];
		bool		first_here = i == first ||
			record->place != judge->first[i - 1]->place;

		if (first_here && !record->in_order)
			blame(judge, record->snapshot ? FAULT_STALE : FAULT_REORDERED,
				  record);
		if (i > first)
			judge_repeat(judge, one, record, first_here);
	}
	if (one->everywhere && !judge->growing)
		judge_copies(judge, first, i);
	return i;
}

static void
judge_repeat(struct judge *judge, const struct record *one,
			 const struct record *record, bool first_here)
{
	if (record->bytes != one->bytes)
		blame(judge, FAULT_DIFFERENT, record);
	if (one->everywhere && first_here)
		return;
	judge->repeats++;
	if (record->place != one->place && !one->everywhere)
		blame(judge, FAULT_ELSEWHERE, record);
	if (judge->once)
		blame(judge, FAULT_TWICE, record);
}

static void
judge_copies(struct judge *judge, size_t first, size_t end)
{
	const struct history *history = judge->history;
	const struct place *places = history->places;
	const char *topic = places[judge->first[first]->place].topic;
	uint32_t	wanted = 0;
	uint32_t	there = 0;

	for (uint32_t i = 0; i < history->place_count; i++)
		wanted += strcmp(places[i].topic, topic) == 0;
	for (size_t i = first; i < end; i++)
		there += i == first ||
			judge->first[i]->place != judge->first[i - 1]->place;
	if (there != wanted)
		blame(judge, FAULT_COPY_MISSING, judge->first[first]);
}

/* Each key to its own sort, where a change of place stands out. */
static void
judge_keys(struct judge *judge)
{
	const struct record **keyed = malloc((judge->count + 1) * sizeof(*keyed));

	if (keyed == NULL)
		abort();
	memcpy(keyed, judge->first, judge->count * sizeof(*keyed));
	qsort(keyed, judge->count, sizeof(*keyed), compare_keys);
	for (size_t i = 1; i < judge->count; i++)
		if (keyed[i]->key != 0 && keyed[i]->key == keyed[i - 1]->key &&
			keyed[i]->place != keyed[i - 1]->place)
			blame(judge, FAULT_KEY_MOVED, keyed[i]);
	free(keyed);
}

static void
blame(struct judge *judge, enum fault fault, const struct record *record)
{
	verdict_add(judge->verdict, fault, "%s",
				history_address(judge->history, record));
}

static int
compare_ids(const void *a, const void *b)
{
	const struct record *x = *(const struct record *const *) a;
	const struct record *y = *(const struct record *const *) b;

	if (record_is_after(x, y) || record_is_after(y, x))
		return record_is_after(x, y) ? 1 : -1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct record *x = *(const struct record *const *) a;
	const struct record *y = *(const struct record *const *) b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return compare_ids(a, b);
}
