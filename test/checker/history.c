/*
 * history.c
 *		All records of the topics, see history.h.
 *
 * A record is read twice: by a reader of everything, who keeps it, and by one
 * of committed records, who must find the same bytes at the same offset.
 */
#include "history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "murmur2.h"

static struct place *find_place(const struct history *history,
								const char *topic, int32_t partition);
static uint32_t partitions_of(const struct history *history,
							  const char *topic);
static uint32_t find_table(struct history *history);
static bool read_message(struct history *history,
						 const rd_kafka_message_t *message,
						 struct record *record);
static uint64_t hash_message(const rd_kafka_message_t *message);
static uint64_t hash_key(const struct history *history,
						 const rd_kafka_message_t *message, uint32_t table);
static bool is_misplaced(const struct history *history,
						 const rd_kafka_message_t *message, uint32_t table);
static void *more(void *memory, size_t count, size_t size);

void
history_open(struct history *history, const char *topic, int32_t partition,
			 enum level level, int64_t high)
{
	struct place *place = find_place(history, topic, partition);
	int64_t		start = history_start(history, topic, partition, level);

	if (place == NULL)
	{
		history->places = more(history->places, history->place_count + 1,
							   sizeof(*place));
		place = &history->places[history->place_count++];
		*place = (struct place) {
			.topic = strdup(topic),
			.partition = partition,
		};
	}
	if (level == READ_COMMITTED)
		place->decided = high;
	if (high < start)
		verdict_add(history->verdict, FAULT_VANISHED,
					"%s [%d] ends at offset %" PRId64 ", was read up to %"
					PRId64, topic, partition, high, start);
}

int64_t
history_start(const struct history *history, const char *topic,
			  int32_t partition, enum level level)
{
	const struct place *place = find_place(history, topic, partition);
	int64_t		next = place == NULL ? 0 :
		level == READ_COMMITTED ? place->next_committed : place->next;

	return next > 0 ? next : RD_KAFKA_OFFSET_BEGINNING;
}

void
history_take(struct history *history, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	struct place *place = find_place(history, topic, message->partition);
	struct record record = {.place = (uint32_t) (place - history->places)};

	place->next = message->offset + 1;
	if (!read_message(history, message, &record))
	{
		verdict_add(history->verdict, FAULT_UNREADABLE,
					"%s [%d] offset %" PRId64, topic, message->partition,
					message->offset);
		return;
	}
	if (place->count == place->room)
	{
		place->room = place->room + place->room / 2 + 256;
		place->records = more(place->records, place->room, sizeof(record));
	}
	place->records[place->count++] = record;
}

void
history_confirm(struct history *history, const rd_kafka_message_t *message)
{
	struct place *place = find_place(history,
									 rd_kafka_topic_name(message->rkt),
									 message->partition);
	struct record *record;

	/* it came after the other reader was through */
	if (message->offset >= place->next)
		return;
	while (place->at < place->count &&
		   place->records[place->at].offset < message->offset)
		place->at++;
	record = place->at < place->count ? &place->records[place->at] : NULL;
	if (record == NULL || record->offset != message->offset)
		return;					/* it was unreadable, and said so */
	record->committed = true;
	if (record->bytes != hash_message(message))
		verdict_add(history->verdict, FAULT_INCONSISTENT, "%s",
					history_address(history, record));
}

/* What has no decision yet is none of the aborted. */
void
history_settle(struct history *history)
{
	history->aborted = 0;
	for (uint32_t i = 0; i < history->place_count; i++)
	{
		struct place *place = &history->places[i];

		place->decided = place->decided < place->next ? place->decided :
			place->next;
		place->next_committed = place->decided;
		for (size_t r = 0; r < place->count; r++)
			history->aborted += !place->records[r].committed &&
				place->records[r].offset < place->decided;
	}
}

void
history_free(struct history *history)
{
	for (uint32_t i = 0; i < history->place_count; i++)
	{
		free(history->places[i].topic);
		free(history->places[i].records);
	}
	for (uint32_t i = 0; i < history->table_count; i++)
		free(history->tables[i]);
	free(history->places);
	free(history->tables);
	reading_free(&history->reading);
}

const char *
history_address(const struct history *history, const struct record *record)
{
	static char text[1024];
	const struct place *place = &history->places[record->place];

	snprintf(text, sizeof(text), "%s [%d] offset %" PRId64 ", lsn %" PRIu64
			 " seq_id %" PRIu64 ", table %s", place->topic, place->partition,
			 record->offset, record->lsn, record->seq_id,
			 history->tables[record->table]);
	return text;
}

static struct place *
find_place(const struct history *history, const char *topic,
		   int32_t partition)
{
	for (uint32_t i = 0; i < history->place_count; i++)
	{
		struct place *place = &history->places[i];

		if (place->partition == partition && strcmp(place->topic, topic) == 0)
			return place;
	}
	return NULL;
}

static uint32_t
partitions_of(const struct history *history, const char *topic)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < history->place_count; i++)
		count += strcmp(history->places[i].topic, topic) == 0;
	return count;
}

/* Few, and mostly the same as before. */
static uint32_t
find_table(struct history *history)
{
	const struct json_text *schema = &history->reading.schema;
	const struct json_text *table = &history->reading.table_name;
	char		name[512];
	uint32_t	i;

	snprintf(name, sizeof(name), "%.*s%s%s", (int) schema->len,
			 schema->len > 0 ? schema->data : "", schema->len > 0 ? "." : "",
			 table->data);
	for (i = 0; i < history->table_count; i++)
		if (strcmp(history->tables[i], name) == 0)
			return i;
	history->tables = more(history->tables, i + 1, sizeof(char *));
	history->tables[i] = strdup(name);
	history->table_count++;
	return i;
}

static bool
read_message(struct history *history, const rd_kafka_message_t *message,
			 struct record *record)
{
	struct reading *reading = &history->reading;

	if (!record_read(reading, message->payload, message->len))
		return false;
	record->lsn = reading->lsn;
	record->seq_id = reading->seq_id;
	record->fact = reading->fact;
	record->everywhere = reading->everywhere;
	record->snapshot = reading->snapshot;
	record->offset = message->offset;
	record->table = find_table(history);
	record->bytes = hash_message(message);
	if (!record->everywhere)
	{
		record->key = hash_key(history, message, record->table);
		if (history->java && is_misplaced(history, message, record->table))
			verdict_add(history->verdict, FAULT_MISPLACED, "%s",
						history_address(history, record));
	}
	return true;
}

static uint64_t
hash_message(const rd_kafka_message_t *message)
{
	uint64_t	hash = hash_bytes(HASH_START, message->key ? "k" : "n", 1);
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t		size;

	hash = hash_part(hash, message->key, message->key_len);
	hash = hash_part(hash, message->payload, message->len);
	if (rd_kafka_message_headers(message, &headers) != 0)
		return hash;
	for (size_t i = 0;
		 rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
		hash = hash_part(hash_text(hash, name), value, size);
	return hash;
}

/* Without a key, all of a table go to one partition. */
static uint64_t
hash_key(const struct history *history, const rd_kafka_message_t *message,
		 uint32_t table)
{
	uint64_t	hash = hash_text(HASH_START,
								 rd_kafka_topic_name(message->rkt));

	if (message->key == NULL)
		return hash_text(hash_text(hash, "table"), history->tables[table]);
	return hash_part(hash, message->key, message->key_len);
}

static bool
is_misplaced(const struct history *history, const rd_kafka_message_t *message,
			 uint32_t table)
{
	const char *key = message->key ? message->key : history->tables[table];
	size_t		len = message->key ? message->key_len : strlen(key);
	uint32_t	count = partitions_of(history,
									  rd_kafka_topic_name(message->rkt));

	if (message->key == NULL && history->reading.schema.len == 0)
		return false;			/* the record does not say its schema */
	return (murmur2(key, len) & 0x7fffffff) % count !=
		(uint32_t) message->partition;
}

static void *
more(void *memory, size_t count, size_t size)
{
	memory = realloc(memory, count * size);
	if (memory == NULL)
		abort();
	return memory;
}
