/*
 * rows.c
 *		How many rows a message of an output plugin tells of.
 */
#include "rows.h"

#include <string.h>

#include "../shipper/frame.h"

static int	rows_of_nobody(const char *message, size_t len);
static int	rows_of_pgoutput(const char *message, size_t len);
static int	rows_of_test_decoding(const char *message, size_t len);
static int	rows_of_wal2json(const char *message, size_t len);
static int	rows_of_decoderbufs(const char *message, size_t len);
static int	rows_of_text(const char *message, size_t len);
static int	rows_of_frames(const char *message, size_t len);

static const struct
{
	const char *plugin;
	rows_counter counter;
}			counters[] = {
	{"null", rows_of_nobody},
	{"pgoutput", rows_of_pgoutput},
	{"test_decoding", rows_of_test_decoding},
	{"wal2json", rows_of_wal2json},
	{"decoderbufs", rows_of_decoderbufs},
	{"text", rows_of_text},
	{"frames", rows_of_frames},
};

rows_counter
rows_counter_of(const char *plugin)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
	{
		if (strcmp(counters[i].plugin, plugin) == 0)
			return counters[i].counter;
	}
	return NULL;
}

/* A transaction goes on where it was left, or another begins behind it. */
static bool
enter_txn(struct rows_place *place, const struct frame_txn *txn)
{
	bool		same = txn->commit == place->commit;

	if (txn->commit < place->commit ||
		txn->ordinal != (same ? place->next : 0))
		return false;
	*place = (struct rows_place) {txn->commit, txn->ordinal};
	return true;
}

bool
rows_verify(struct rows_place *place, const char *message, size_t len,
			const char **reason)
{
	struct frame frame;
	struct frame_entry entry;
	struct frame_error error;

	if (!frame_parse(&frame, message, len, &error))
	{
		*reason = error.text;
		return false;
	}
	*reason = "a record is lost, repeated or out of order";
	while (frame_next(&frame, &entry))
	{
		if (entry.kind == WIRE_RECORD)
			place->next++;
		else if (entry.kind == WIRE_TXN && !enter_txn(place, &entry.txn))
			return false;
	}
	return true;
}

static bool
begins(const char *message, size_t len, const char *prefix)
{
	return len >= strlen(prefix) &&
		memcmp(message, prefix, strlen(prefix)) == 0;
}

/* It says nothing. */
static int
rows_of_nobody(const char *message, size_t len)
{
	return -1;
}

static int
rows_of_pgoutput(const char *message, size_t len)
{
	if (len == 0)
		return -1;
	return message[0] == 'I' || message[0] == 'U' || message[0] == 'D';
}

static int
rows_of_test_decoding(const char *message, size_t len)
{
	return begins(message, len, "table ");
}

static int
rows_of_wal2json(const char *message, size_t len)
{
	const char *action = "{\"action\":\"";
	const size_t at = strlen(action);

	if (len <= at || !begins(message, len, action))
		return -1;
	return message[at] == 'I' || message[at] == 'U' || message[at] == 'D';
}

/* Takes a number off a Protobuf message; false at its end. */
static bool
take_varint(const char **at, const char *end, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; *at < end && shift < 64; shift += 7)
	{
		uint8_t		byte = (uint8_t) *(*at)++;

		*value |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

/* Field 4 is what happened: 0 to 2 to a row, 3 and 4 to a transaction. */
static int
rows_of_decoderbufs(const char *message, size_t len)
{
	const char *at = message;
	const char *end = message + len;
	uint64_t	tag;
	uint64_t	value;

	while (take_varint(&at, end, &tag) && take_varint(&at, end, &value))
	{
		if (tag == (4 << 3))
			return value <= 2;
		if ((tag & 7) == 2)		/* bytes, of that length */
		{
			if (value > (uint64_t) (end - at))
				return -1;
			at += value;
		}
		else if ((tag & 7) != 0)
			return -1;
	}
	return -1;
}

static int
rows_of_text(const char *message, size_t len)
{
	return begins(message, len, "{\"table_name\":") ? 1 : -1;
}

static int
rows_of_frames(const char *message, size_t len)
{
	if (len < WIRE_HEADER_SIZE || wire_get32(message) != WIRE_MAGIC)
		return -1;
	return (int) wire_get32(message + 8);
}
