/*
 * samples.c
 *		What a witness saw, against the records, see samples.h.
 */
#include "samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where something is in a partition for the first time. */
struct first
{
	const struct record **records;	/* by offset, and so by LSN; owned */
	size_t		count;
	size_t		blamed;			/* those before it are done with */
};

static struct first *find_first(const struct judge *judge);
static bool judge_line(struct judge *judge, struct first *firsts, char *line);
static void judge_end(struct judge *judge, struct first *first,
					  uint64_t confirmed, int64_t end);

bool
samples_judge(struct judge *judge, const char *name, uint64_t *count)
{
	FILE	   *file = fopen(name, "r");
	struct first *firsts;
	char	   *line = NULL;
	size_t		size = 0;
	bool		ok = file != NULL;

	*count = 0;
	if (!ok)
	{
		perror(name);
		return false;
	}
	firsts = find_first(judge);
	while (ok && getline(&line, &size, file) > 0)
	{
		/* the last one may be cut off */
		if (strchr(line, '\n') == NULL)
			break;
		ok = judge_line(judge, firsts, line);
		++*count;
	}
	if (!ok)
		fprintf(stderr, "%s: not a witness's file\n", name);
	for (uint32_t i = 0; i < judge->history->place_count; i++)
		free(firsts[i].records);
	free(firsts);
	free(line);
	fclose(file);
	return ok;
}

/* A snapshot's records are sent again by the shipper, not by the server. */
static struct first *
find_first(const struct judge *judge)
{
	const struct history *history = judge->history;
	struct first *firsts = calloc(history->place_count + 1, sizeof(*firsts));

	for (uint32_t i = 0; i < history->place_count; i++)
	{
		const struct place *place = &history->places[i];

		firsts[i].records = malloc((place->count + 1) *
								   sizeof(*firsts[i].records));
		for (size_t r = 0; r < place->count; r++)
			if (place->records[r].in_order && !place->records[r].snapshot)
				firsts[i].records[firsts[i].count++] = &place->records[r];
	}
	return firsts;
}

static bool
judge_line(struct judge *judge, struct first *firsts, char *line)
{
	const struct history *history = judge->history;
	const char *word = strsep(&line, "\t\n");
	uint64_t	confirmed = strtoull(word, NULL, 10);

	while ((word = strsep(&line, "\t\n")) != NULL && *word != '\0')
	{
		const char *partition = strsep(&line, "\t\n");
		const char *end = strsep(&line, "\t\n");

		if (partition == NULL || end == NULL)
			return false;
		for (uint32_t i = 0; i < history->place_count; i++)
			if (strcmp(history->places[i].topic, word) == 0 &&
				history->places[i].partition == atoi(partition))
				judge_end(judge, &firsts[i], confirmed, atoll(end));
	}
	return true;
}

/* Those at or behind "end" were not there. */
static void
judge_end(struct judge *judge, struct first *first, uint64_t confirmed,
		  int64_t end)
{
	size_t		low = first->blamed;
	size_t		high = first->count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (first->records[middle]->offset < end)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < first->count && first->records[low]->lsn < confirmed; low++)
	{
		verdict_add(judge->verdict, FAULT_EARLY, "%s; confirmed was %" PRIu64
					" while the partition ended at %" PRId64,
					history_address(judge->history, first->records[low]),
					confirmed, end);
		first->blamed = low + 1;
	}
}
