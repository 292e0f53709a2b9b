/*
 * doctor.c
 *		Treatments: each looks for the first record that can have it.
 */
#include "doctor.h"

#include <string.h>

#include "die.h"

struct treatment;

struct doctor
{
	const struct treatment *treatment;
	bool		done;
};

/* Each returns whether it could; a record that is left out loses its value. */
typedef bool (*treat_function) (struct record *record, json_t *root);

struct treatment
{
	const char *name;
	treat_function treat;
};

/* The row of values that the record is most about. */
static json_t *
row_of(json_t *root)
{
	json_t	   *op = json_object_get(root, "op");
	json_t	   *update = json_object_get(op, "Update");

	if (update)
		return json_array_get(update, 1);
	if (json_object_get(op, "Insert"))
		return json_object_get(op, "Insert");
	return json_object_get(op, "Delete");
}

static json_t *
first_text(json_t *row, size_t *place)
{
	for (*place = 0; *place < json_array_size(row); (*place)++)
	{
		json_t	   *value = json_array_get(row, *place);

		if (json_is_string(value))
			return value;
	}
	return NULL;
}

static bool
treat_value(struct record *record, json_t *root)
{
	size_t		place;
	json_t	   *value = first_text(row_of(root), &place);

	return value && json_string_set(value, "doctored") == 0;
}

static bool
treat_null(struct record *record, json_t *root)
{
	size_t		place;
	json_t	   *row = row_of(root);

	return first_text(row, &place) &&
		json_array_set_new(row, place, json_null()) == 0;
}

/* NULL and the empty text are not the same. */
static bool
treat_empty(struct record *record, json_t *root)
{
	json_t	   *row = row_of(root);

	for (size_t i = 0; i < json_array_size(row); i++)
	{
		if (json_is_null(json_array_get(row, i)))
			return json_array_set_new(row, i, json_string("")) == 0;
	}
	return false;
}

static bool
treat_number(struct record *record, json_t *root)
{
	size_t		place;
	json_t	   *row = row_of(root);

	return first_text(row, &place) &&
		json_array_set_new(row, place, json_integer(1)) == 0;
}

static bool
treat_old(struct record *record, json_t *root)
{
	json_t	   *op = json_object_get(root, "op");
	json_t	   *update = json_object_get(op, "Update");
	size_t		place;
	json_t	   *value = first_text(json_array_get(update, 0), &place);

	return value && json_string_set(value, "doctored") == 0;
}

/* Of an Insert, the last column and its value. */
static bool
treat_column(struct record *record, json_t *root)
{
	json_t	   *names = json_object_get(root, "col_names");
	json_t	   *row = json_object_get(json_object_get(root, "op"), "Insert");
	size_t		count = json_array_size(names);

	return row && count > 0 && json_array_remove(names, count - 1) == 0 &&
		json_array_remove(row, count - 1) == 0;
}

static bool
treat_names(struct record *record, json_t *root)
{
	json_t	   *names = json_object_get(root, "col_names");
	json_t	   *first;

	if (json_array_size(names) < 2)
		return false;
	first = json_incref(json_array_get(names, 0));
	json_array_remove(names, 0);
	json_array_append_new(names, first);
	return true;
}

/* What most others do: null in the place of what is not known. */
static bool
treat_unchanged(struct record *record, json_t *root)
{
	json_t	   *unchanged = json_object_get(root, "unchanged");
	json_t	   *op = json_object_get(root, "op");
	json_t	   *update = json_object_get(op, "Update");
	json_t	   *names = json_object_get(root, "col_names");

	if (unchanged == NULL || update == NULL)
		return false;
	json_array_append(names, json_array_get(unchanged, 0));
	json_array_append_new(json_array_get(update, 0), json_null());
	json_array_append_new(json_array_get(update, 1), json_null());
	json_array_remove(unchanged, 0);
	if (json_array_size(unchanged) == 0)
		json_object_del(root, "unchanged");
	return true;
}

static bool
treat_schema(struct record *record, json_t *root)
{
	return json_object_set_new(root, "schema", json_string("doctored")) == 0;
}

static bool
treat_table(struct record *record, json_t *root)
{
	return json_object_set_new(root, "table_name",
							   json_string("doctored")) == 0;
}

static bool
treat_lsn(struct record *record, json_t *root)
{
	json_t	   *lsn = json_object_get(root, "lsn");

	return json_integer_set(lsn, json_integer_value(lsn) + 1) == 0;
}

static bool
treat_seq_id(struct record *record, json_t *root)
{
	json_t	   *seq = json_object_get(root, "seq_id");

	return json_integer_set(seq, json_integer_value(seq) + 1) == 0;
}

static bool
treat_commit_ts(struct record *record, json_t *root)
{
	json_t	   *epoch = json_string("2000-01-01T00:00:00.000000Z");

	return json_object_set_new(root, "commit_ts", epoch) == 0;
}

/* An Insert turned to a Delete, as a filter would that looks at one row. */
static bool
treat_op(struct record *record, json_t *root)
{
	json_t	   *op = json_object_get(root, "op");
	json_t	   *row = json_object_get(op, "Insert");

	if (row == NULL || json_object_get(root, "key_change"))
		return false;
	json_object_set(op, "Delete", row);
	return json_object_del(op, "Insert") == 0;
}

static bool
treat_split(struct record *record, json_t *root)
{
	return json_object_del(root, "key_change") == 0;
}

static bool
treat_field(struct record *record, json_t *root)
{
	return json_object_set_new(root, "doctored", json_true()) == 0;
}

static bool
treat_identity(struct record *record, json_t *root)
{
	return json_object_del(root, "identity") == 0;
}

static bool
treat_key(struct record *record, json_t *root)
{
	if (record->kafka_key == NULL || record->kafka_key_len == 0)
		return false;
	record->kafka_key[0] ^= 1;
	return true;
}

static bool
treat_lost(struct record *record, json_t *root)
{
	record->value_len = 0;
	return true;
}

static const struct treatment treatments[] = {
	{"value", treat_value},
	{"null", treat_null},
	{"empty", treat_empty},
	{"number", treat_number},
	{"old", treat_old},
	{"column", treat_column},
	{"names", treat_names},
	{"unchanged", treat_unchanged},
	{"schema", treat_schema},
	{"table", treat_table},
	{"lsn", treat_lsn},
	{"seq_id", treat_seq_id},
	{"commit_ts", treat_commit_ts},
	{"op", treat_op},
	{"split", treat_split},
	{"field", treat_field},
	{"identity", treat_identity},
	{"key", treat_key},
	{"lost", treat_lost},
};

#define TREATMENTS (sizeof(treatments) / sizeof(*treatments))

struct doctor *
doctor_open(const char *treatment)
{
	for (size_t i = 0; i < TREATMENTS; i++)
	{
		if (strcmp(treatments[i].name, treatment) == 0)
		{
			struct doctor *doctor = allocate(1, sizeof(*doctor));

			doctor->treatment = &treatments[i];
			return doctor;
		}
	}
	return NULL;
}

const char *const *
doctor_treatments(void)
{
	static const char *names[TREATMENTS + 1];

	for (size_t i = 0; i < TREATMENTS; i++)
		names[i] = treatments[i].name;
	return names;
}

bool
doctor_treat(struct doctor *doctor, struct record *record)
{
	json_t	   *root;

	if (doctor->done)
		return true;
	root = json_loadb(record->value, record->value_len, 0, NULL);
	if (root && doctor->treatment->treat(record, root))
	{
		doctor->done = true;
		if (record->value_len == 0)
		{
			json_decref(root);
			return false;
		}
		free(record->value);
		record->value = json_dumps(root, JSON_COMPACT);
		record->value_len = strlen(record->value);
	}
	json_decref(root);
	return true;
}

bool
doctor_close(struct doctor *doctor)
{
	bool		done = doctor->done;

	free(doctor);
	return done;
}
