/*
 * contract.c
 *		Reads the five fields of a record, as strictly as a typed library
 *		does: whatever is not exactly the contract is refused.  Other fields
 *		at the top are not looked at.
 */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_columns(struct change *change, const json_t *names);
static bool parse_op(struct change *change, const json_t *op);
static const char **parse_row(const struct change *change, const json_t *row);
static bool parse_number(const json_t *number, uint64_t *value);

bool
change_parse(struct change *change, const char *value, size_t len,
			 char *why, size_t why_size)
{
	json_error_t error;
	json_t	   *root;
	const char *bad = NULL;

	memset(change, 0, sizeof(*change));
	if (value == NULL)
	{
		snprintf(why, why_size, "the value is null");
		return false;
	}
	root = json_loadb(value, len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
	{
		snprintf(why, why_size, "%s at byte %d", error.text, error.position);
		return false;
	}

	change->root = root;
	change->table_name = json_string_value(json_object_get(root,
														   "table_name"));
	if (change->table_name == NULL)
		bad = "table_name";
	else if (!parse_columns(change, json_object_get(root, "col_names")))
		bad = "col_names";
	else if (!parse_number(json_object_get(root, "lsn"), &change->lsn))
		bad = "lsn";
	else if (!parse_number(json_object_get(root, "seq_id"), &change->seq_id))
		bad = "seq_id";
	else if (!parse_op(change, json_object_get(root, "op")))
		bad = "op";
	if (bad)
	{
		snprintf(why, why_size, "field \"%s\" is missing or of a wrong type",
				 bad);
		change_free(change);
	}
	return bad == NULL;
}

void
change_free(struct change *change)
{
	json_decref(change->root);
	free(change->columns);
	free(change->old_row);
	free(change->new_row);
	memset(change, 0, sizeof(*change));
}

static bool
parse_columns(struct change *change, const json_t *names)
{
	if (!json_is_array(names))
		return false;
	change->column_count = json_array_size(names);
	change->columns = calloc(change->column_count + 1, sizeof(char *));
	for (size_t i = 0; i < change->column_count; i++)
	{
		change->columns[i] = json_string_value(json_array_get(names, i));
		if (change->columns[i] == NULL)
			return false;
	}
	return true;
}

static bool
parse_op(struct change *change, const json_t *op)
{
	void	   *member = json_object_iter((json_t *) op);
	const char *name;
	const json_t *body;

	if (!json_is_object(op) || json_object_size(op) != 1)
		return false;
	name = json_object_iter_key(member);
	body = json_object_iter_value(member);

	if (strcmp(name, "Insert") == 0)
	{
		change->op = OP_INSERT;
		change->new_row = parse_row(change, body);
		return change->new_row != NULL;
	}
	if (strcmp(name, "Delete") == 0)
	{
		change->op = OP_DELETE;
		change->old_row = parse_row(change, body);
		return change->old_row != NULL;
	}
	if (strcmp(name, "Update") != 0 || !json_is_array(body) ||
		json_array_size(body) != 2)
		return false;
	change->op = OP_UPDATE;
	change->old_row = parse_row(change, json_array_get(body, 0));
	change->new_row = parse_row(change, json_array_get(body, 1));
	return change->old_row != NULL && change->new_row != NULL;
}

/* Parallel to col_names, or it could not be told which value is whose. */
static const char **
parse_row(const struct change *change, const json_t *row)
{
	const char **values;

	if (!json_is_array(row) || json_array_size(row) != change->column_count)
		return NULL;
	values = calloc(change->column_count + 1, sizeof(char *));
	for (size_t i = 0; i < change->column_count; i++)
	{
		const json_t *value = json_array_get(row, i);

		values[i] = json_string_value(value);
		if (values[i] == NULL && !json_is_null(value))
		{
			free(values);
			return NULL;
		}
	}
	return values;
}

/* The library holds 63 bits, enough for 8 exabytes of WAL. */
static bool
parse_number(const json_t *number, uint64_t *value)
{
	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return false;
	*value = (uint64_t) json_integer_value(number);
	return true;
}
