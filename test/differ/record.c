/*
 * record.c
 *		Records out of frames.
 *
 * The five fields are read by the strict consumer's own parser.  Beyond it:
 * every other field has its documented type and none is unknown, lsn and
 * seq_id are those of the frame and without a gap.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include "../../shipper/frame.h"
#include "die.h"
#include "doctor.h"

#define MAX_ANNOUNCED	(1u << 20)

struct records
{
	struct source *source;
	struct doctor *doctor;
	uint64_t	end;
	struct frame frame;
	struct frame_txn txn;
	char	  **topics;			/* by number, likewise */
	uint32_t   *table_topics;
	bool		in_frame;
	bool		finished;
	uint64_t	last_lsn;
	uint64_t	next_seq;
	char		fault[200];
};

static bool next_frame(struct records *ours);
static bool next_entry(struct records *ours, struct frame_entry *entry);
static void announce_topic(struct records *ours,
						   const struct frame_topic *topic);
static void announce_table(struct records *ours,
						   const struct frame_table *table);
static bool read_record(struct records *ours, struct record *record);
static bool read_change(struct records *ours, struct record *record);
static bool read_truncate(struct records *ours, struct record *record,
						  json_t *root);
static bool read_fields(struct records *ours, struct record *record);
static bool read_field(struct record *record, const char *name,
					   const json_t *field);
static bool is_array_of(const json_t *array, bool (*is) (const json_t *));
static bool is_string(const json_t *value);
static bool is_integer(const json_t *value);
static bool read_place(struct records *ours, const struct record *record);

struct records *
records_open(struct source *source, uint64_t end, struct doctor *doctor)
{
	struct records *ours = allocate(1, sizeof(*ours));

	ours->source = source;
	ours->end = end;
	ours->doctor = doctor;
	ours->topics = allocate(MAX_ANNOUNCED, sizeof(char *));
	ours->table_topics = allocate(MAX_ANNOUNCED, sizeof(uint32_t));
	return ours;
}

void
records_close(struct records *ours)
{
	for (uint32_t i = 0; i < MAX_ANNOUNCED; i++)
		free(ours->topics[i]);
	free(ours->topics);
	free(ours->table_topics);
	source_close(ours->source);
	free(ours);
}

struct record *
records_next(struct records *ours, const char **fault)
{
	struct frame_entry entry;
	struct record *record;

	*fault = NULL;
	for (;;)
	{
		if (!next_entry(ours, &entry))
			return NULL;
		if (entry.kind != WIRE_RECORD)
			continue;

		record = allocate(1, sizeof(*record));
		record->topic =
			strdup(ours->topics[ours->table_topics[entry.record.table]]);
		if (!(entry.record.flags & WIRE_RECORD_NULL_KEY))
			record->kafka_key = strndup(entry.record.key.data,
										entry.record.key.len);
		record->kafka_key_len = entry.record.key.len;
		record->value_len = entry.record.value.len;
		record->value = allocate(record->value_len + 1, 1);
		memcpy(record->value, entry.record.value.data, record->value_len);

		if (ours->doctor && !doctor_treat(ours->doctor, record))
		{
			record_free(record);
			ours->txn.ordinal++;
			continue;
		}
		if (!read_record(ours, record))
			*fault = ours->fault;
		ours->txn.ordinal++;
		return record;
	}
}

void
record_free(struct record *record)
{
	if (record == NULL)
		return;
	change_free(&record->change);
	free(record->topic);
	free(record->kafka_key);
	free(record->value);
	free(record);
}

/* ---- frames ---- */

static bool
next_frame(struct records *ours)
{
	struct frame_error error;
	const char *data;
	size_t		len;

	if (ours->finished || !source_next(ours->source, &data, &len))
		return false;
	if (!frame_parse(&ours->frame, data, len, &error))
		die("a frame is broken: %s, at byte %zu", error.text, error.offset);
	/* nothing that is wanted can follow */
	ours->finished = ours->end != 0 && ours->frame.safe >= ours->end;
	ours->in_frame = true;
	return true;
}

static bool
next_entry(struct records *ours, struct frame_entry *entry)
{
	while (!ours->in_frame || !frame_next(&ours->frame, entry))
	{
		if (!next_frame(ours))
			return false;
	}
	if (entry->kind == WIRE_TOPIC)
		announce_topic(ours, &entry->topic);
	else if (entry->kind == WIRE_TABLE)
		announce_table(ours, &entry->table);
	else if (entry->kind == WIRE_TXN)
		ours->txn = entry->txn;
	else if (entry->kind == WIRE_RECORD &&
			 (entry->record.table >= MAX_ANNOUNCED ||
			  ours->topics[ours->table_topics[entry->record.table]] == NULL))
		die("a record is of table %u, which was not announced",
			entry->record.table);
	return true;
}

static void
announce_topic(struct records *ours, const struct frame_topic *topic)
{
	if (topic->id >= MAX_ANNOUNCED)
		die("a topic has number %u", topic->id);
	free(ours->topics[topic->id]);
	ours->topics[topic->id] = strndup(topic->name.data, topic->name.len);
}

static void
announce_table(struct records *ours, const struct frame_table *table)
{
	if (table->id >= MAX_ANNOUNCED || table->topic >= MAX_ANNOUNCED)
		die("a table has number %u, its topic %u", table->id, table->topic);
	ours->table_topics[table->id] = table->topic;
}

/* ---- records ---- */

#define fault(ours, ...) \
	(snprintf((ours)->fault, sizeof((ours)->fault), __VA_ARGS__), false)

static bool
read_record(struct records *ours, struct record *record)
{
	return read_change(ours, record) && read_fields(ours, record) &&
		read_place(ours, record);
}

static bool
read_change(struct records *ours, struct record *record)
{
	json_error_t error;
	json_t	   *root;

	root = json_loadb(record->value, record->value_len,
					  JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		return fault(ours, "no JSON: %s at byte %d", error.text,
					 error.position);
	if (json_object_get(json_object_get(root, "op"), "Truncate"))
		return read_truncate(ours, record, root);
	json_decref(root);
	return change_parse(&record->change, record->value, record->value_len,
						ours->fault, sizeof(ours->fault));
}

/* A fourth operation, which the contract does not have. */
static bool
read_truncate(struct records *ours, struct record *record, json_t *root)
{
	struct change *change = &record->change;
	const json_t *op = json_object_get(root, "op");
	const json_t *how = json_object_get(root, "truncate");
	const json_t *columns = json_object_get(root, "col_names");

	record->truncate = true;
	change->root = root;
	change->table_name = json_string_value(json_object_get(root,
														   "table_name"));
	change->lsn = (uint64_t) json_integer_value(json_object_get(root, "lsn"));
	change->seq_id = (uint64_t) json_integer_value(json_object_get(root,
																   "seq_id"));
	if (change->table_name == NULL || json_object_size(op) != 1 ||
		!json_is_null(json_object_get(op, "Truncate")) ||
		!json_is_array(columns) || json_array_size(columns) != 0 ||
		json_object_size(how) != 2 ||
		!json_is_boolean(json_object_get(how, "cascade")) ||
		!json_is_boolean(json_object_get(how, "restart_identity")))
		return fault(ours, "a truncate is malformed");
	record->cascade = json_is_true(json_object_get(how, "cascade"));
	record->restart_identity =
		json_is_true(json_object_get(how, "restart_identity"));
	return true;
}

static bool
read_fields(struct records *ours, struct record *record)
{
	const char *name;
	json_t	   *field;

	json_object_foreach(record->change.root, name, field)
	{
		if (!read_field(record, name, field))
			return fault(ours, "field \"%.63s\" is unknown or of a wrong type",
						 name);
	}
	if (record->schema == NULL || record->commit_ts == NULL)
		return fault(ours, "schema or commit_ts is missing");
	return true;
}

static bool
read_field(struct record *record, const char *name, const json_t *field)
{
	static const char *const elsewhere[] = {
		"table_name", "col_names", "lsn", "seq_id", "op",
	};

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
	{
		if (strcmp(name, elsewhere[i]) == 0)
			return true;
	}
	if (strcmp(name, "truncate") == 0)
		return record->truncate;
	if (strcmp(name, "schema") == 0)
		return (record->schema = json_string_value(field)) != NULL;
	if (strcmp(name, "commit_ts") == 0)
		return (record->commit_ts = json_string_value(field)) != NULL;
	if (strcmp(name, "xid") == 0)
	{
		record->xid = (uint32_t) json_integer_value(field);
		return json_is_integer(field);
	}
	if (strcmp(name, "origin") == 0)
		return json_is_string(field);
	if (strcmp(name, "key_change") == 0)
		return (record->key_change = json_is_true(field));
	if (strcmp(name, "key") == 0)
	{
		record->identity = field;
		return json_array_size(field) > 0 && is_array_of(field, is_integer);
	}
	if (strcmp(name, "unchanged") == 0)
	{
		record->unchanged = field;
		return json_array_size(field) > 0 && is_array_of(field, is_string);
	}
	if (strcmp(name, "identity") == 0 && json_is_string(field))
	{
		if (strcmp(json_string_value(field), "key") == 0)
			record->old = OLD_KEY;
		else if (strcmp(json_string_value(field), "none") == 0)
			record->old = OLD_NONE;
		return record->old != OLD_FULL;
	}
	return false;
}

static bool
is_array_of(const json_t *array, bool (*is) (const json_t *))
{
	for (size_t i = 0; i < json_array_size(array); i++)
	{
		if (!is(json_array_get(array, i)))
			return false;
	}
	return true;
}

static bool
is_string(const json_t *value)
{
	return json_is_string(value);
}

static bool
is_integer(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* The record's own place in the stream. */
static bool
read_place(struct records *ours, const struct record *record)
{
	const struct change *change = &record->change;

	if (change->lsn < ours->last_lsn)
		return fault(ours, "lsn goes back from " LSN_FORMAT,
					 LSN_ARGS(ours->last_lsn));
	if (change->lsn > ours->last_lsn)
		ours->next_seq = 0;
	ours->last_lsn = change->lsn;
	if (change->seq_id != ours->next_seq++)
		return fault(ours, "seq_id where %llu is due",
					 (unsigned long long) ours->next_seq - 1);
	if (change->lsn != ours->txn.commit ||
		change->seq_id != ours->txn.ordinal)
		return fault(ours, "the frame says " LSN_FORMAT " %llu",
					 LSN_ARGS(ours->txn.commit),
					 (unsigned long long) ours->txn.ordinal);
	return true;
}
