/*
 * snapshot_text.c
 *		How far a snapshot is, for people.
 */
#include "snapshot_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define BAR_WIDTH	30
#define BAR_NARROW	10			/* where there are less than WIDE columns */
#define WIDE		120

static void append(char **text, char *more);
static int64_t number(const json_t *object, const char *key);
static int	percent(const json_t *object);
static bool goes_on(const json_t *object);
static char *rows_text(const json_t *object);
static char *duration_text(int64_t seconds);
static char *table_text(const json_t *table);
static void put_text(FILE *to, const char *text);

char *
snapshot_text_line(const json_t *snapshot)
{
	char	   *text = mem_strdup(snapshot_text_state(snapshot));
	int64_t		rate = number(snapshot, "rate");
	int64_t		left = number(snapshot, "seconds_left");
	bool		runs = strcmp(text, "running") == 0;

	if (*text == '\0' || strcmp(text, "none") == 0)
		return text;
	append(&text, mem_strdup(": "));
	append(&text, rows_text(snapshot));
	if (runs && rate >= 0)
		append(&text, mem_format(", %" PRId64 " rows/s", rate));
	if (runs && left >= 0)
		append(&text, duration_text(left));
	return text;
}

char *
snapshot_text_bar(const json_t *snapshot, int columns)
{
	char	   *line = snapshot_text_line(snapshot);
	int			done = percent(snapshot);
	int			width = columns < WIDE ? BAR_NARROW : BAR_WIDTH;
	char		bar[BAR_WIDTH + 1];
	char	   *text;

	if (done >= 0 && width + (int) strlen(line) + 4 <= columns)
	{
		memset(bar, '.', (size_t) width);
		memset(bar, '#', (size_t) (done * width / 100));
		bar[width] = '\0';
		text = mem_format("[%s] %s", bar, line);
		free(line);
		return text;
	}
	if (columns > 0 && strlen(line) >= (size_t) columns)
		line[columns - 1] = '\0';
	return line;
}

void
snapshot_text_tables(FILE *to, const json_t *snapshot, bool all)
{
	json_t	   *tables = json_object_get(snapshot, "tables");
	json_t	   *table;
	size_t		i;

	json_array_foreach(tables, i, table)
	{
		const char *name = json_string_value(json_object_get(table, "name"));
		const char *state = snapshot_text_state(table);
		char	   *text;

		if (name == NULL || (!all && strcmp(state, "copying") != 0 &&
							 strcmp(state, "failed") != 0))
			continue;
		text = table_text(table);
		fputs("  ", to);
		put_text(to, strcmp(name, "*") == 0 ? "all that are captured" : name);
		fputs(": ", to);
		put_text(to, text);
		fputc('\n', to);
		free(text);
	}
}

const char *
snapshot_text_state(const json_t *object)
{
	const char *state = json_string_value(json_object_get(object, "state"));

	return state != NULL ? state : "";
}

/* Frees what it appends. */
static void
append(char **text, char *more)
{
	char	   *longer = mem_format("%s%s", *text, more);

	free(*text);
	free(more);
	*text = longer;
}

/* -1: not known */
static int64_t
number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double		found = json_is_number(value) ? json_number_value(value) : -1;

	return found >= 0 && found < 9e18 ? (int64_t) found : -1;
}

/* Of an estimate: only what is done is done.  -1: not known */
static int
percent(const json_t *object)
{
	int64_t		rows = number(object, "rows");
	int64_t		estimate = number(object, "estimate");
	double		part = 100.0 * (double) rows / (double) estimate;

	if (strcmp(snapshot_text_state(object), "done") == 0)
		return 100;
	if (rows < 0 || estimate <= 0)
		return -1;
	return part < 99 ? (int) part : 99;
}

static bool
goes_on(const json_t *object)
{
	const char *state = snapshot_text_state(object);

	return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 ||
		strcmp(state, "copying") == 0;
}

/* An estimate helps as long as there is no exact number. */
static char *
rows_text(const json_t *object)
{
	int64_t		rows = number(object, "rows");
	int64_t		estimate = number(object, "estimate");

	if (goes_on(object) && rows >= 0 && percent(object) >= 0)
		return mem_format("%d %%, %" PRId64 " of about %" PRId64 " rows",
						  percent(object), rows, estimate);
	return mem_format("%" PRId64 " row%s", rows < 0 ? 0 : rows,
					  rows == 1 ? "" : "s");
}

static char *
duration_text(int64_t seconds)
{
	if (seconds < 100)
		return mem_format(", %" PRId64 " s left", seconds);
	if (seconds < 6000)
		return mem_format(", %" PRId64 " min left", (seconds + 30) / 60);
	return mem_format(", %" PRId64 " h %" PRId64 " min left", seconds / 3600,
					  seconds % 3600 / 60);
}

static char *
table_text(const json_t *table)
{
	const char *error = json_string_value(json_object_get(table, "error"));
	const char *state = snapshot_text_state(table);
	int64_t		estimate = number(table, "estimate");
	char	   *text = mem_strdup(state);

	if (strcmp(state, "waiting") == 0)
	{
		if (estimate >= 0)
			append(&text, mem_format(", about %" PRId64 " rows", estimate));
		return text;
	}
	append(&text, mem_strdup(", "));
	append(&text, rows_text(table));
	if (error != NULL)
		append(&text, mem_format(": %s", error));
	return text;
}

/* Names and errors may hold anything. */
static void
put_text(FILE *to, const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			fprintf(to, "\\x%02x", *c);
		else
			fputc(*c, to);
}
