/*
 * source.c
 *		The source's own log against the records, see source.h.
 */
#include "source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hash.h"

#define LINE_FIELDS	4

static void add_line(struct source *source, const char *text, size_t len);
static void match(struct source *source, struct judge *judge);
static void mark_alone(struct source *source);
static void judge_transactions(struct source *source, struct judge *judge);
static void judge_transaction(const struct line *lines, size_t count,
							  struct judge *judge);
static void judge_lsns(struct source *source, struct judge *judge);
static const char *words(const struct line *line);
static int	compare_record_facts(const void *a, const void *b);
static int	compare_facts(const void *a, const void *b);
static int	compare_xids(const void *a, const void *b);
static int	compare_lsns(const void *a, const void *b);

bool
source_load(struct source *source, const char *name)
{
	FILE	   *file = fopen(name, "r");
	struct stat info;
	const char *at;

	*source = (struct source) {0};
	if (file == NULL || fstat(fileno(file), &info) != 0)
	{
		perror(name);
		return false;
	}
	source->text = calloc((size_t) info.st_size + 1, 1);
	if (source->text == NULL)
		abort();
	at = source->text;
	source->size = fread(source->text, 1, (size_t) info.st_size, file);
	fclose(file);
	while (at < source->text + source->size)
	{
		size_t		len = strcspn(at, "\n");

		if (len > 0)
			add_line(source, at, len);
		at += len + 1;
	}
	return true;
}

void
source_free(struct source *source)
{
	free(source->text);
	free(source->lines);
}

void
source_compare(struct source *source, struct judge *judge)
{
	for (size_t i = 0; i < source->count; i++)
		source->lines[i].lsn = 0;
	qsort(judge->first, judge->count, sizeof(*judge->first),
		  compare_record_facts);
	qsort(source->lines, source->count, sizeof(*source->lines),
		  compare_facts);
	mark_alone(source);
	match(source, judge);
	judge_transactions(source, judge);
	judge_lsns(source, judge);
}

static void
add_line(struct source *source, const char *text, size_t len)
{
	struct line *line;
	size_t		at = 0;

	if ((source->count & (source->count - 1)) == 0)
	{
		source->lines = realloc(source->lines, (2 * source->count + 1) *
								sizeof(*source->lines));
		if (source->lines == NULL)
			abort();
	}
	line = &source->lines[source->count++];
	*line = (struct line) {.text = text, .fact = HASH_START};
	for (int field = 0; field < LINE_FIELDS && at <= len; field++)
	{
		const char *tab = at < len ? memchr(text + at, '\t', len - at) : NULL;
		size_t		size = tab ? (size_t) (tab - text) - at : len - at;

		if (field < LINE_FIELDS - 1)
			line->fact = hash_part(line->fact, text + at, size);
		else
			line->xid = hash_part(HASH_START, text + at, size);
		at += size + 1;
	}
}

/* Equal facts (a key deleted twice) cannot be told apart. */
static void
mark_alone(struct source *source)
{
	for (size_t i = 0; i < source->count; i++)
	{
		struct line *line = &source->lines[i];

		line->alone = (i == 0 || line[-1].fact != line->fact) &&
			(i + 1 == source->count || line[1].fact != line->fact);
	}
}

/* Two sorted multisets, compared as in a merge. */
static void
match(struct source *source, struct judge *judge)
{
	const struct record **records = judge->first;
	struct line *lines = source->lines;
	size_t		i = 0;
	size_t		j = 0;

	while (i < judge->count && records[i]->fact == 0)
		i++;
	while (i < judge->count || j < source->count)
	{
		if (j == source->count ||
			(i < judge->count && records[i]->fact < lines[j].fact))
			verdict_add(judge->verdict, FAULT_MADE_UP, "%s",
						history_address(judge->history, records[i++]));
		else if (i == judge->count || records[i]->fact > lines[j].fact)
			verdict_add(judge->verdict, FAULT_LOST, "%s", words(&lines[j++]));
		else
			lines[j++].lsn = records[i++]->lsn;
	}
}

/* Of each xid: all there, none there, and everything in one place. */
static void
judge_transactions(struct source *source, struct judge *judge)
{
	size_t		first = 0;

	qsort(source->lines, source->count, sizeof(*source->lines), compare_xids);
	for (size_t i = 1; i <= source->count; i++)
	{
		if (i < source->count &&
			source->lines[i].xid == source->lines[first].xid)
			continue;
		if (source->lines[first].xid != 0)
			judge_transaction(&source->lines[first], i - first, judge);
		first = i;
	}
}

/* Sorted by LSN: what is missing comes first. */
static void
judge_transaction(const struct line *lines, size_t count, struct judge *judge)
{
	const struct line *last = NULL;
	const struct line *missing = NULL;
	size_t		there = 0;

	for (size_t i = 0; i < count; i++)
	{
		if (!lines[i].alone)
			continue;
		if (lines[i].lsn == 0)
		{
			missing = &lines[i];
			continue;
		}
		if (last != NULL && last->lsn != lines[i].lsn)
			verdict_add(judge->verdict, FAULT_SPLIT, "%s, lsn %" PRIu64
						" and %" PRIu64, words(&lines[i]), last->lsn,
						lines[i].lsn);
		last = &lines[i];
		there++;
	}
	if (missing != NULL && last != NULL)
		verdict_add(judge->verdict, FAULT_TORN, "lsn %" PRIu64 " has %zu of "
					"%zu changes, without %s", last->lsn, there, count,
					words(missing));
}

static void
judge_lsns(struct source *source, struct judge *judge)
{
	const struct line *last = NULL;

	qsort(source->lines, source->count, sizeof(*source->lines), compare_lsns);
	for (size_t i = 0; i < source->count; i++)
	{
		const struct line *line = &source->lines[i];

		if (!line->alone || line->lsn == 0 || line->xid == 0)
			continue;
		if (last != NULL && last->lsn == line->lsn && last->xid != line->xid)
			verdict_add(judge->verdict, FAULT_MERGED, "lsn %" PRIu64 ", %s",
						line->lsn, words(line));
		last = line;
	}
}

/* "table T, W 100, xid 7", in a static buffer. */
static const char *
words(const struct line *line)
{
	static char text[1024];
	static const char *const labels[] = {"table ", ", ", " ", ", xid "};
	size_t		used = 0;
	const char *at = line->text;

	for (int field = 0; field < LINE_FIELDS; field++)
	{
		size_t		len = strcspn(at, "\t\n");

		used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%.*s",
								  labels[field], (int) (len > 200 ? 200 : len),
								  at);
		if (at[len] != '\t')
			break;
		at += len + 1;
	}
	return text;
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_record_facts(const void *a, const void *b)
{
	return compare_numbers((*(const struct record *const *) a)->fact,
						   (*(const struct record *const *) b)->fact);
}

static int
compare_facts(const void *a, const void *b)
{
	return compare_numbers(((const struct line *) a)->fact,
						   ((const struct line *) b)->fact);
}

static int
compare_xids(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;

	return x->xid != y->xid ? compare_numbers(x->xid, y->xid) :
		compare_numbers(x->lsn, y->lsn);
}

static int
compare_lsns(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;

	return x->lsn != y->lsn ? compare_numbers(x->lsn, y->lsn) :
		compare_numbers(x->xid, y->xid);
}
