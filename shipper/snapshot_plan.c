/*
 * snapshot_plan.c
 *		What a snapshot has to copy, and how far each table is.
 */
#include "snapshot_plan.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"

#define RECORD_BYTES	(512 * 1024)	/* about; Kafka takes twice that */
#define ENTRY_BYTES		100		/* beside the names, keys and errors */
#define DONE_TOLD		500		/* of more tables those that are done are not */
#define ERROR_BYTES		200

struct snapshot_chunk
{
	struct snapshot_chunk *next;	/* newer */
	char	   *table;			/* owned; the table's name */
	struct position last;
	json_t	   *after;			/* owned; NULL: at the end */
	uint64_t	rows;
};

static void forget_chunk(struct snapshot_plan *plan);
static uint64_t table_estimate(const struct snapshot_table *table);
static void free_table(struct snapshot_table *table);
static void set_json(json_t **to, json_t *value);
static bool is_open(const struct snapshot_table *table);
static struct snapshot_table *append(struct snapshot_plan *plan,
									 const char *name);
static void restart(struct snapshot_table *table);
static void disown_chunks(struct snapshot_plan *plan, const char *name);
static void load_table(struct snapshot_plan *plan, const json_t *entry);
static bool is_texts(const json_t *array);
static size_t entry_bytes(const struct snapshot_table *table);
static char *shortened(const char *error);
static json_t *table_record(const struct snapshot_table *table,
							const struct snapshot_chunk *newest,
							uint64_t rows);

static const char *const state_names[SNAPSHOT_STATES] = {
	"waiting", "copying", "done", "failed", "cancelled",
};

const char *
snapshot_state_name(enum snapshot_table_state state)
{
	return state_names[state];
}

uint64_t
snapshot_plan_rows(const struct snapshot_plan *plan)
{
	uint64_t	rows = 0;

	for (size_t i = 0; i < plan->count; i++)
		rows += plan->tables[i].rows;
	return rows;
}

uint64_t
snapshot_plan_estimate(const struct snapshot_plan *plan)
{
	uint64_t	rows = 0;

	for (size_t i = 0; i < plan->count; i++)
		rows += table_estimate(&plan->tables[i]);
	return rows;
}

/* Rows that it has, as far as is known: at least those it had. */
static uint64_t
table_estimate(const struct snapshot_table *table)
{
	if (!is_open(table) || table->estimate < (int64_t) table->rows)
		return table->rows;
	return (uint64_t) table->estimate;
}

void
snapshot_plan_free(struct snapshot_plan *plan)
{
	while (plan->oldest != NULL)
		forget_chunk(plan);
	for (size_t i = 0; i < plan->count; i++)
		free_table(&plan->tables[i]);
	free(plan->tables);
	json_decref(plan->index);
	*plan = (struct snapshot_plan) {
		.version = plan->version + 1,
		.acked_rows = plan->acked_rows,
	};
}

void
snapshot_plan_load(struct snapshot_plan *plan, const json_t *record)
{
	json_int_t	left_out;
	size_t		i;
	json_t	   *entry;

	snapshot_plan_free(plan);
	plan->paused = json_is_true(json_object_get(record, "paused"));
	json_array_foreach(json_object_get(record, "tables"), i, entry)
		load_table(plan, entry);
	left_out = json_integer_value(json_object_get(record, "left_out"));
	if (left_out > 0)
		log_warning("snapshot: the state record had no room for %lld tables: "
					"they are not copied; ask for them again",
					(long long) left_out);
}

/* Anybody may have written it: what makes no sense is left out. */
static void
load_table(struct snapshot_plan *plan, const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	const char *state = json_string_value(json_object_get(entry, "state"));
	const char *what = json_string_value(json_object_get(entry, "table"));
	const char *error = json_string_value(json_object_get(entry, "error"));
	json_t	   *after = json_object_get(entry, "after");
	struct snapshot_table *table;

	if (name == NULL || state == NULL ||
		snapshot_plan_find(plan, name) != NULL)
		return;
	table = append(plan, name);
	for (int i = 0; i < SNAPSHOT_STATES; i++)
		if (strcmp(state, state_names[i]) == 0)
			table->state = (enum snapshot_table_state) i;
	table->error = error != NULL ? mem_strdup(error) : NULL;
	table->rows = (uint64_t)
		json_integer_value(json_object_get(entry, "rows"));
	if (is_texts(after) && is_texts(json_object_get(entry, "key")) &&
		json_array_size(after) ==
		json_array_size(json_object_get(entry, "key")))
	{
		table->after = json_incref(after);
		table->sent_after = json_incref(after);
		table->key = json_incref(json_object_get(entry, "key"));
		table->what = mem_strdup(what != NULL ? what : "");
	}
}

static bool
is_texts(const json_t *array)
{
	if (!json_is_array(array) || json_array_size(array) == 0)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_is_string(json_array_get(array, i)))
			return false;
	return true;
}

json_t *
snapshot_plan_record(const struct snapshot_plan *plan,
					 struct position delivered)
{
	json_t	   *record;
	json_t	   *tables;
	size_t		bytes = 0;
	size_t		told = 0;

	if (plan->count == 0)
		return NULL;
	tables = json_array();
	for (size_t i = 0; i < plan->count && bytes < RECORD_BYTES; i++)
	{
		const struct snapshot_table *table = &plan->tables[i];
		const struct snapshot_chunk *newest = NULL;
		uint64_t	rows = 0;

		told++;
		if (table->state == SNAPSHOT_DONE && plan->count > DONE_TOLD)
			continue;
		bytes += entry_bytes(table);
		for (const struct snapshot_chunk *c = plan->oldest;
			 c != NULL && !position_is_after(c->last, delivered); c = c->next)
			if (strcmp(c->table, table->name) == 0)
			{
				newest = c;
				rows += c->rows;
			}
		json_array_append_new(tables, table_record(table, newest, rows));
	}
	record = json_object();
	if (plan->paused)
		json_object_set_new(record, "paused", json_true());
	json_object_set_new(record, "tables", tables);
	if (told < plan->count)
		json_object_set_new(record, "left_out",
							json_integer((json_int_t) (plan->count - told)));
	return record;
}

static size_t
entry_bytes(const struct snapshot_table *table)
{
	size_t		bytes = ENTRY_BYTES + strlen(table->name) +
		(table->error != NULL ? strlen(table->error) : 0);

	for (size_t i = 0; i < json_array_size(table->sent_after); i++)
		bytes += json_string_length(json_array_get(table->sent_after, i));
	return bytes;
}

/* "newest": of its chunks that will be delivered, with that many rows. */
static json_t *
table_record(const struct snapshot_table *table,
			 const struct snapshot_chunk *newest, uint64_t rows)
{
	enum snapshot_table_state state = table->state;
	json_t	   *after = newest != NULL ? newest->after : table->after;
	json_t	   *entry = json_object();

	if (newest != NULL && newest->after == NULL && is_open(table))
		state = SNAPSHOT_DONE;
	json_object_set_new(entry, "name", json_string(table->name));
	json_object_set_new(entry, "state", json_string(state_names[state]));
	json_object_set_new(entry, "rows",
						json_integer((json_int_t) (table->rows + rows)));
	if (table->error != NULL)
		json_object_set_new(entry, "error", json_string(table->error));
	if (after != NULL && (state == SNAPSHOT_COPYING ||
						  state == SNAPSHOT_WAITING))
	{
		json_object_set(entry, "key", table->key);
		json_object_set_new(entry, "table", json_string(table->what));
		json_object_set(entry, "after", after);
	}
	return entry;
}

bool
snapshot_plan_add(struct snapshot_plan *plan, const char *name)
{
	struct snapshot_table *table = snapshot_plan_find(plan, name);

	if (table == NULL)
		table = append(plan, name);
	else if (is_open(table))
		return false;
	snapshot_plan_rewind(plan, table);
	return true;
}

void
snapshot_plan_rewind_all(struct snapshot_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->tables[i].state == SNAPSHOT_COPYING)
			snapshot_plan_rewind(plan, &plan->tables[i]);
}

void
snapshot_plan_rewind(struct snapshot_plan *plan, struct snapshot_table *table)
{
	disown_chunks(plan, table->name);
	restart(table);
	table->state = SNAPSHOT_WAITING;
	plan->version++;
}

void
snapshot_plan_tidy(struct snapshot_plan *plan)
{
	bool		paused = plan->paused;

	if (plan->oldest != NULL || snapshot_plan_is_open(plan))
		return;
	snapshot_plan_free(plan);
	plan->paused = paused;
}

struct snapshot_table *
snapshot_plan_find(const struct snapshot_plan *plan, const char *name)
{
	const json_t *place = json_object_get(plan->index, name);

	return place != NULL ? &plan->tables[json_integer_value(place)] : NULL;
}

struct snapshot_table *
snapshot_plan_next(const struct snapshot_plan *plan, bool initial)
{
	struct snapshot_table *next = NULL;

	for (size_t i = 0; i < plan->count; i++)
	{
		struct snapshot_table *table = &plan->tables[i];

		if (table->sent_all || (initial && table->later))
			continue;
		if (table->state == SNAPSHOT_COPYING)
			return table;
		if (table->state == SNAPSHOT_WAITING && next == NULL)
			next = table;
	}
	return next;
}

bool
snapshot_plan_is_open(const struct snapshot_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (is_open(&plan->tables[i]))
			return true;
	return false;
}

void
snapshot_plan_end(struct snapshot_plan *plan, struct snapshot_table *table,
				  enum snapshot_table_state state, const char *error)
{
	table->state = state;
	free(table->error);
	table->error = error != NULL ? shortened(error) : NULL;
	plan->version++;
}

/* At the end of a character. */
static char *
shortened(const char *error)
{
	size_t		len = strnlen(error, ERROR_BYTES + 1);

	if (len > ERROR_BYTES)
		for (len = ERROR_BYTES; len > 0 && (error[len] & 0xC0) == 0x80;)
			len--;
	return mem_strndup(error, len);
}

void
snapshot_plan_remove(struct snapshot_plan *plan, struct snapshot_table *table)
{
	size_t		i = (size_t) (table - plan->tables);

	json_object_del(plan->index, table->name);
	free_table(table);
	memmove(table, table + 1, (plan->count - i - 1) * sizeof(*table));
	plan->count--;
	for (; i < plan->count; i++)
		json_object_set_new(plan->index, plan->tables[i].name,
							json_integer((json_int_t) i));
	plan->version++;
}

void
snapshot_plan_pause(struct snapshot_plan *plan, bool paused)
{
	plan->paused = paused;
	plan->version++;
}

void
snapshot_plan_sent(struct snapshot_plan *plan, struct snapshot_table *table,
				   struct position last, json_t *after, uint64_t rows)
{
	struct snapshot_chunk *chunk = mem_zalloc(sizeof(*chunk));

	chunk->table = mem_strdup(table->name);
	chunk->last = last;
	chunk->after = after;
	chunk->rows = rows;
	if (plan->newest != NULL)
		plan->newest->next = chunk;
	else
		plan->oldest = chunk;
	plan->newest = chunk;

	set_json(&table->sent_after, json_incref(after));
	table->sent_all = after == NULL;
	if (table->state == SNAPSHOT_WAITING)
		table->state = SNAPSHOT_COPYING;
}

void
snapshot_plan_acked(struct snapshot_plan *plan, struct position acked)
{
	struct snapshot_chunk *chunk;

	while ((chunk = plan->oldest) != NULL &&
		   !position_is_after(chunk->last, acked))
	{
		struct snapshot_table *table = snapshot_plan_find(plan, chunk->table);

		if (table != NULL && is_open(table))
		{
			set_json(&table->after, json_incref(chunk->after));
			table->rows += chunk->rows;
			plan->acked_rows += chunk->rows;
			if (chunk->after == NULL)
				table->state = SNAPSHOT_DONE;
			plan->version++;
		}
		forget_chunk(plan);
	}
}

void
snapshot_plan_unsent(struct snapshot_plan *plan)
{
	while (plan->oldest != NULL)
		forget_chunk(plan);
	for (size_t i = 0; i < plan->count; i++)
	{
		struct snapshot_table *table = &plan->tables[i];

		set_json(&table->sent_after, json_incref(table->after));
		table->sent_all = false;
	}
}

static void
forget_chunk(struct snapshot_plan *plan)
{
	struct snapshot_chunk *chunk = plan->oldest;

	plan->oldest = chunk->next;
	if (plan->oldest == NULL)
		plan->newest = NULL;
	json_decref(chunk->after);
	free(chunk->table);
	free(chunk);
}

static void
free_table(struct snapshot_table *table)
{
	free(table->name);
	free(table->error);
	free(table->what);
	json_decref(table->key);
	json_decref(table->operators);
	json_decref(table->after);
	json_decref(table->sent_after);
}

static void
set_json(json_t **to, json_t *value)
{
	json_decref(*to);
	*to = value;
}

static bool
is_open(const struct snapshot_table *table)
{
	return table->state == SNAPSHOT_WAITING ||
		table->state == SNAPSHOT_COPYING;
}

static struct snapshot_table *
append(struct snapshot_plan *plan, const char *name)
{
	struct snapshot_table *table;

	plan->tables = mem_realloc(plan->tables,
							   (plan->count + 1) * sizeof(*table));
	table = &plan->tables[plan->count++];
	*table = (struct snapshot_table) {
		.name = mem_strdup(name), .estimate = -1,
	};
	if (plan->index == NULL)
		plan->index = json_object();
	json_object_set_new(plan->index, name,
						json_integer((json_int_t) plan->count - 1));
	return table;
}

static void
restart(struct snapshot_table *table)
{
	free(table->error);
	table->error = NULL;
	set_json(&table->after, NULL);
	set_json(&table->sent_after, NULL);
	table->rows = 0;
	table->sent_all = table->known = false;
}

/* Its chunks that are on their way still say nothing of how it goes on. */
static void
disown_chunks(struct snapshot_plan *plan, const char *name)
{
	for (struct snapshot_chunk *c = plan->oldest; c != NULL; c = c->next)
		if (strcmp(c->table, name) == 0)
			*c->table = '\0';
}
