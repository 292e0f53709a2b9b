/*
 * state.c
 *		The state record, to JSON and back.
 */
#include "state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "mem.h"

#define LSN_TEXT_SIZE		20
#define POSITION_TEXT_SIZE	44	/* "FFFFFFFF/FFFFFFFF/18446744073709551615" */

struct reader
{
	json_t	   *object;			/* borrowed */
	char	   *error;			/* owned; the first one, NULL: none */
};

static void write_position(json_t *object, const char *key,
						   struct position position);
static void write_now(json_t *object);
static json_t *take(struct reader *reader, const char *key, json_type type);
static void fail(struct reader *reader, const char *key);
static void read_text(struct reader *reader, const char *key, char *to,
					  size_t size, bool filled);
static int64_t read_number(struct reader *reader, const char *key,
						   int64_t min, int64_t max);
static lsn_t read_lsn(struct reader *reader, const char *key);
static struct position read_position(struct reader *reader, const char *key);
static void read_fingerprint(struct reader *reader, struct state *state);
static void read_fields(struct reader *reader, struct state *state);
static bool parse_decimal(const char *text, uint64_t *value);
static bool parse_hex(const char *text, size_t digits, uint64_t *value);

char *
state_encode(const struct state *state, json_t *snapshot)
{
	json_t	   *object = json_object();
	char		text[LSN_TEXT_SIZE];
	char	   *line;

	snprintf(text, sizeof(text), LSN_FORMAT, LSN_ARGS(state->confirmed));
	json_object_set_new(object, "format", json_integer(STATE_FORMAT));
	json_object_set_new(object, "slot", json_string(state->slot));
	json_object_set_new(object, "system_identifier",
						json_string(state->system));
	json_object_set_new(object, "timeline", json_integer(state->timeline));
	json_object_set_new(object, "confirmed", json_string(text));
	write_position(object, "delivered", state->delivered);
	write_position(object, "sent", state->sent);
	if (state->has_fingerprint)
	{
		snprintf(text, sizeof(text), "%016" PRIx64, state->fingerprint);
		json_object_set_new(object, "fingerprint", json_string(text));
	}
	json_object_set_new(object, "stopped", json_boolean(state->stopped));
	json_object_set_new(object, "clean", json_boolean(state->clean));
	json_object_set_new(object, "program", json_string(WAL2KAFKA_VERSION));
	write_now(object);
	if (snapshot != NULL)
		json_object_set_new(object, "snapshot", snapshot);

	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (line == NULL)
		abort();
	return line;
}

bool
state_parse(struct state *state, const char *data, size_t len, char **error)
{
	json_error_t cause;
	struct reader reader = {
		json_loadb(data, len, JSON_REJECT_DUPLICATES, &cause), NULL
	};

	*error = NULL;
	*state = (struct state) {.timeline = 0};
	if (!json_is_object(reader.object))
		reader.error = mem_strdup("it is no JSON object");
	else if (read_number(&reader, "format", 1, INT32_MAX) > STATE_FORMAT)
		reader.error = mem_strdup("it is of a later version of wal2kafka");
	else
		read_fields(&reader, state);
	if (reader.error == NULL)
		state->snapshot = json_incref(json_object_get(reader.object,
													  "snapshot"));
	json_decref(reader.object);
	*error = reader.error;
	return reader.error == NULL;
}

void
state_free(struct state *state)
{
	json_decref(state->snapshot);
	state->snapshot = NULL;
}

bool
state_supersedes(const struct state *later, const struct state *earlier)
{
	if (strcmp(later->system, earlier->system) != 0)
		return true;
	if (later->timeline != earlier->timeline)
		return later->timeline > earlier->timeline;
	return later->confirmed >= earlier->confirmed;
}

static void
write_position(json_t *object, const char *key, struct position position)
{
	char		text[POSITION_TEXT_SIZE];

	snprintf(text, sizeof(text), LSN_FORMAT "/%" PRIu64,
			 LSN_ARGS(position.commit), position.ordinal);
	json_object_set_new(object, key, json_string(text));
}

static void
write_now(json_t *object)
{
	time_t		now = time(NULL);
	struct tm	parts;
	char		text[STATE_WRITTEN_SIZE];

	if (gmtime_r(&now, &parts) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return;
	json_object_set_new(object, "written", json_string(text));
}

static void
read_fields(struct reader *reader, struct state *state)
{
	read_text(reader, "slot", state->slot, sizeof(state->slot), true);
	read_text(reader, "system_identifier", state->system,
			  sizeof(state->system), true);
	state->timeline = (uint32_t) read_number(reader, "timeline", 1,
											 UINT32_MAX);
	state->confirmed = read_lsn(reader, "confirmed");
	state->delivered = read_position(reader, "delivered");
	state->sent = read_position(reader, "sent");
	read_fingerprint(reader, state);
	state->stopped = json_is_true(take(reader, "stopped", JSON_TRUE));
	state->clean = json_is_true(take(reader, "clean", JSON_TRUE)) &&
		state->stopped;
	read_text(reader, "program", state->program, sizeof(state->program),
			  false);
	if (json_object_get(reader->object, "written") != NULL)
		read_text(reader, "written", state->written, sizeof(state->written),
				  false);
}

/* NULL, with the error set, if it is not there or something else. */
static json_t *
take(struct reader *reader, const char *key, json_type type)
{
	json_t	   *value = json_object_get(reader->object, key);
	bool		fits = value != NULL && (type == JSON_TRUE ?
										 json_is_boolean(value) :
										 json_typeof(value) == type);

	if (!fits)
		fail(reader, key);
	return fits ? value : NULL;
}

static void
fail(struct reader *reader, const char *key)
{
	if (reader->error == NULL)
		reader->error = mem_format("its \"%s\" is missing or wrong", key);
}

/* Printable, as it is shown to people. */
static void
read_text(struct reader *reader, const char *key, char *to, size_t size,
		  bool filled)
{
	json_t	   *value = take(reader, key, JSON_STRING);
	const char *text = value != NULL ? json_string_value(value) : "";
	size_t		len = value != NULL ? json_string_length(value) : 0;
	bool		good = len < size && (len > 0 || !filled);

	for (size_t i = 0; good && i < len; i++)
		good = text[i] > ' ' && text[i] < 0x7f;
	if (!good)
		fail(reader, key);
	else
		memcpy(to, text, len);
}

static int64_t
read_number(struct reader *reader, const char *key, int64_t min, int64_t max)
{
	json_t	   *value = take(reader, key, JSON_INTEGER);
	int64_t		number = value != NULL ? json_integer_value(value) : min;

	if (number >= min && number <= max)
		return number;
	fail(reader, key);
	return min;
}

static lsn_t
read_lsn(struct reader *reader, const char *key)
{
	json_t	   *value = take(reader, key, JSON_STRING);
	lsn_t		lsn = LSN_INVALID;

	if (value != NULL && !lsn_parse(json_string_value(value), &lsn))
		fail(reader, key);
	return lsn;
}

/* "LSN/ORDINAL" */
static struct position
read_position(struct reader *reader, const char *key)
{
	json_t	   *value = take(reader, key, JSON_STRING);
	const char *text = value != NULL ? json_string_value(value) : "";
	const char *slash = strrchr(text, '/');
	struct position position = {LSN_INVALID, 0};
	char		lsn[LSN_TEXT_SIZE] = "";

	if (slash != NULL && slash - text < (ptrdiff_t) sizeof(lsn))
		memcpy(lsn, text, (size_t) (slash - text));
	if (!lsn_parse(lsn, &position.commit) ||
		!parse_decimal(slash + 1, &position.ordinal))
		fail(reader, key);
	return position;
}

static void
read_fingerprint(struct reader *reader, struct state *state)
{
	const char *key = "fingerprint";
	json_t	   *value;

	if (json_object_get(reader->object, key) == NULL)
		return;
	value = take(reader, key, JSON_STRING);
	state->has_fingerprint = value != NULL &&
		parse_hex(json_string_value(value), 16, &state->fingerprint);
	if (!state->has_fingerprint)
		fail(reader, key);
}

static bool
parse_decimal(const char *text, uint64_t *value)
{
	if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
		return false;
	errno = 0;
	*value = strtoull(text, NULL, 10);
	return errno == 0;
}

static bool
parse_hex(const char *text, size_t digits, uint64_t *value)
{
	if (strlen(text) != digits ||
		strspn(text, "0123456789abcdef") != digits)
		return false;
	*value = strtoull(text, NULL, 16);
	return true;
}
