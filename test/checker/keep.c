/*
 * keep.c
 *		A history in a file, so that the next round reads only what is new.
 *
 * For the same program on the same machine: structs as they lie.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "history1";

static bool put(FILE *file, const void *data, size_t size);
static bool get(FILE *file, void *data, size_t size);
static bool put_name(FILE *file, const char *name);
static char *get_name(FILE *file);
static bool put_place(FILE *file, const struct place *place);
static bool get_place(FILE *file, struct place *place);

bool
history_save(const struct history *history, const char *name)
{
	FILE	   *file = fopen(name, "w");
	bool		ok = file != NULL && put(file, magic, sizeof(magic)) &&
		put(file, &history->table_count, sizeof(history->table_count)) &&
		put(file, &history->place_count, sizeof(history->place_count));

	for (uint32_t i = 0; ok && i < history->table_count; i++)
		ok = put_name(file, history->tables[i]);
	for (uint32_t i = 0; ok && i < history->place_count; i++)
		ok = put_place(file, &history->places[i]);
	if (file != NULL && fclose(file) != 0)
		ok = false;
	if (!ok)
		perror(name);
	return ok;
}

/* One that is not there yet is an empty history. */
bool
history_load(struct history *history, const char *name)
{
	FILE	   *file = fopen(name, "r");
	char		head[sizeof(magic)];
	bool		ok;

	if (file == NULL)
		return true;
	ok = get(file, head, sizeof(head)) &&
		memcmp(head, magic, sizeof(magic)) == 0 &&
		get(file, &history->table_count, sizeof(history->table_count)) &&
		get(file, &history->place_count, sizeof(history->place_count));
	if (ok)
	{
		history->tables = calloc(history->table_count + 1, sizeof(char *));
		history->places = calloc(history->place_count + 1,
								 sizeof(struct place));
	}
	for (uint32_t i = 0; ok && i < history->table_count; i++)
		ok = (history->tables[i] = get_name(file)) != NULL;
	for (uint32_t i = 0; ok && i < history->place_count; i++)
		ok = get_place(file, &history->places[i]);
	fclose(file);
	if (!ok)
		fprintf(stderr, "%s: no history\n", name);
	return ok;
}

static bool
put(FILE *file, const void *data, size_t size)
{
	return fwrite(data, 1, size, file) == size;
}

static bool
get(FILE *file, void *data, size_t size)
{
	return fread(data, 1, size, file) == size;
}

static bool
put_name(FILE *file, const char *name)
{
	size_t		len = strlen(name);

	return put(file, &len, sizeof(len)) && put(file, name, len);
}

static char *
get_name(FILE *file)
{
	size_t		len;
	char	   *name;

	if (!get(file, &len, sizeof(len)) || len > 4096)
		return NULL;
	name = calloc(len + 1, 1);
	return get(file, name, len) ? name : NULL;
}

static bool
put_place(FILE *file, const struct place *place)
{
	return put_name(file, place->topic) &&
		put(file, place, sizeof(*place)) &&
		put(file, place->records, place->count * sizeof(struct record));
}

static bool
get_place(FILE *file, struct place *place)
{
	char	   *topic = get_name(file);

	if (topic == NULL || !get(file, place, sizeof(*place)))
		return false;
	place->topic = topic;
	place->room = place->count + 1;
	place->records = calloc(place->room, sizeof(struct record));
	return get(file, place->records, place->count * sizeof(struct record));
}
