/*
 * record.c
 *		One record's value, read by the contract of the README.
 *
 * The columns must be known before the rows, and the order of fields is free:
 * the first pass remembers where the operation stands.
 */
#include "record.h"

#include <string.h>

#include "hash.h"

#define NO_COLUMN	SIZE_MAX

enum field
{
	FIELD_TABLE,
	FIELD_COLUMNS,
	FIELD_LSN,
	FIELD_SEQ_ID,
	FIELD_OP,
	FIELD_SCHEMA,
	FIELD_KEY_CHANGE,
	FIELD_SNAPSHOT,
	FIELDS
};

#define REQUIRED_FIELDS	5		/* the first ones */

static const char *const field_names[FIELDS] = {
	"table_name", "col_names", "lsn", "seq_id", "op", "schema", "key_change",
	"snapshot",
};

/* Where things are in one value. */
struct outline
{
	size_t		columns;
	size_t		version;		/* position, or NO_COLUMN */
	size_t		key;
	struct json op;
	bool		key_change;
	unsigned	seen;			/* bits of enum field */
};

static bool read_outline(struct reading *reading, struct json *json,
						 struct outline *outline);
static enum field find_field(const struct json_text *name);
static void read_field(struct reading *reading, struct json *json,
					   enum field field, struct outline *outline);
static void read_columns(struct reading *reading, struct json *json,
						 struct outline *outline);
static bool read_op(struct reading *reading, struct outline *outline);
static bool read_row(struct reading *reading, struct json *json,
					 const struct outline *outline, size_t wanted,
					 const char *act);
static void set_fact(struct reading *reading, const char *act);

bool
record_read(struct reading *reading, const char *value, size_t len)
{
	struct outline outline = {.version = NO_COLUMN, .key = NO_COLUMN};
	const unsigned required = (1u << REQUIRED_FIELDS) - 1;
	struct json json;

	reading->schema.len = 0;
	reading->fact = 0;
	reading->everywhere = false;
	reading->snapshot = false;
	if (value == NULL)
		return false;
	json_begin(&json, value, len);
	return read_outline(reading, &json, &outline) &&
		(outline.seen & required) == required && read_op(reading, &outline);
}

void
reading_free(struct reading *reading)
{
	json_text_free(&reading->table_name);
	json_text_free(&reading->schema);
	json_text_free(&reading->scratch);
}

static bool
read_outline(struct reading *reading, struct json *json,
			 struct outline *outline)
{
	bool		first = true;

	if (!json_enter(json, '{'))
		return false;
	while (json_next(json, '}', &first) && json_name(json, &reading->scratch))
	{
		enum field	field = find_field(&reading->scratch);

		if (field < FIELDS && (outline->seen & (1u << field)) != 0)
			return false;
		outline->seen |= field < FIELDS ? 1u << field : 0;
		read_field(reading, json, field, outline);
	}
	return json_is_done(json);
}

static enum field
find_field(const struct json_text *name)
{
	int			field = 0;

	while (field < FIELDS && (strlen(field_names[field]) != name->len ||
							  memcmp(field_names[field], name->data,
									 name->len) != 0))
		field++;
	return (enum field) field;
}

static void
read_field(struct reading *reading, struct json *json, enum field field,
		   struct outline *outline)
{
	switch (field)
	{
		case FIELD_TABLE:
			json_string(json, &reading->table_name);
			break;
		case FIELD_SCHEMA:
			json_string(json, &reading->schema);
			break;
		case FIELD_LSN:
			json_unsigned(json, &reading->lsn);
			break;
		case FIELD_SEQ_ID:
			json_unsigned(json, &reading->seq_id);
			break;
		case FIELD_COLUMNS:
			read_columns(reading, json, outline);
			break;
		case FIELD_OP:
			json_peek(json);
			outline->op = *json;
			json_skip(json);
			break;
		case FIELD_KEY_CHANGE:
			outline->key_change = json_peek(json) == 't';
			json_skip(json);
			break;
		case FIELD_SNAPSHOT:
			reading->snapshot = json_peek(json) == 't';
			json_skip(json);
			break;
		case FIELDS:
			json_skip(json);
			break;
	}
}

static void
read_columns(struct reading *reading, struct json *json,
			 struct outline *outline)
{
	bool		first = true;

	if (!json_enter(json, '['))
		return;
	while (json_next(json, ']', &first) &&
		   json_string(json, &reading->scratch))
	{
		if (strcmp(reading->scratch.data, reading->version_column) == 0)
			outline->version = outline->columns;
		if (strcmp(reading->scratch.data, reading->key_column) == 0)
			outline->key = outline->columns;
		outline->columns++;
	}
}

/*
 * Of a Delete the source's log knows the key, of all else the new version.
 * The Delete of a split update is no line of its own, and a row that a snapshot
 * found is none either; it is an Insert, or no record.
 */
static bool
read_op(struct reading *reading, struct outline *outline)
{
	struct json *json = &outline->op;
	struct json_text *op = &reading->scratch;
	bool		first = true;
	bool		ok;

	if (!json_enter(json, '{') || !json_next(json, '}', &first) ||
		!json_name(json, op))
		return false;
	if (reading->snapshot)
		ok = strcmp(op->data, "Insert") == 0 &&
			read_row(reading, json, outline, NO_COLUMN, NULL);
	else if (strcmp(op->data, "Insert") == 0)
		ok = read_row(reading, json, outline, outline->version, "W");
	else if (strcmp(op->data, "Delete") == 0)
		ok = read_row(reading, json, outline,
					  outline->key_change ? NO_COLUMN : outline->key, "D");
	else if (strcmp(op->data, "Update") == 0)
	{
		bool		first_row = true;

		ok = json_enter(json, '[') &&
			json_next(json, ']', &first_row) &&
			read_row(reading, json, outline, NO_COLUMN, NULL) &&
			json_next(json, ']', &first_row) &&
			read_row(reading, json, outline, outline->version, "W") &&
			!json_next(json, ']', &first_row);
	}
	else
	{
		ok = reading->everywhere = strcmp(op->data, "Truncate") == 0;
		json_skip(json);
	}
	return ok && !json_next(json, '}', &first) && !json->bad;
}

/* Strings and nulls, as many as there are columns. */
static bool
read_row(struct reading *reading, struct json *json,
		 const struct outline *outline, size_t wanted, const char *act)
{
	bool		first = true;
	size_t		at = 0;

	if (!json_enter(json, '['))
		return false;
	for (; json_next(json, ']', &first); at++)
	{
		if (json_null(json))
			continue;
		if (!json_string(json, &reading->scratch))
			return false;
		if (at == wanted)
			set_fact(reading, act);
	}
	return !json->bad && at == outline->columns;
}

static void
set_fact(struct reading *reading, const char *act)
{
	uint64_t	hash = hash_part(HASH_START, reading->table_name.data,
								 reading->table_name.len);

	hash = hash_text(hash, act);
	reading->fact = hash_part(hash, reading->scratch.data,
							  reading->scratch.len);
}
