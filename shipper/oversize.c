/*
 * oversize.c
 *		Records that are larger than Kafka takes.
 *
 * What a topic takes was asked for when it was looked up.  The broker compares
 * the batch as it was sent: of a compressed one nobody knows the size before,
 * so it is tried, and the broker's answer names the record too.
 */
#include "oversize.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "producer.h"

static bool is_compressed(const struct config *config);
static bool find_position(const struct ledger_entry *entry,
						  const rd_kafka_message_t *message,
						  struct position *position);
static bool is_it(const struct frame_record *record,
				  const rd_kafka_message_t *message);

size_t
oversize_limit(const struct producer *producer, const struct topic *topic)
{
	size_t		limit = topic->max_record;

	if (limit == 0 || is_compressed(producer->config))
		return producer->max_record;
	limit -= limit > PRODUCER_OVERHEAD ? PRODUCER_OVERHEAD : 0;
	return limit < producer->max_record ? limit : producer->max_record;
}

void
oversize_halt(struct producer *producer, const struct sink_record *record,
			  size_t limit)
{
	size_t		size = record->body.key.len + record->body.value.len +
		record->body.headers.len;

	log_error("a record of table %s at LSN " LSN_FORMAT ", seq_id %" PRIu64
			  " has %zu bytes, and topic \"%s\" takes %zu; nothing of it is "
			  "sent", record->table, LSN_ARGS(record->position.commit),
			  record->position.ordinal, size, record->topic->name, limit);
	log_hint("Raise max.message.bytes of the topic and message.max.bytes "
			 "in [kafka]; or let this one record through without what is too "
			 "large: max_record = %zu and stub = " LSN_FORMAT "/%" PRIu64
			 " in [wal2kafka].", limit, LSN_ARGS(record->position.commit),
			 record->position.ordinal);
	producer->halted = true;
}

void
oversize_refused(const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	size_t		size = message->len + message->key_len;
	struct position at;

	if (!find_position(message->_private, message, &at))
		return;
	log_error("the record at LSN " LSN_FORMAT ", seq_id %" PRIu64 " has %zu "
			  "bytes, and topic \"%s\" does not take it",
			  LSN_ARGS(at.commit), at.ordinal, size, topic);
	log_hint("To let this one record through without what is too large: "
			 "max_record, less than what the topic takes, and stub = "
			 LSN_FORMAT "/%" PRIu64 " in [wal2kafka].", LSN_ARGS(at.commit),
			 at.ordinal);
}

static bool
is_compressed(const struct config *config)
{
	const char *type = config_property(config, "compression.type");

	if (type == NULL)
		type = config_property(config, "compression.codec");
	return type != NULL && strcasecmp(type, "none") != 0;
}

/* Which of its frame's records it is. */
static bool
find_position(const struct ledger_entry *entry,
			  const rd_kafka_message_t *message, struct position *position)
{
	struct frame frame;
	struct frame_entry found;
	struct frame_error error;

	if (entry == NULL || entry->frame == NULL ||
		!frame_parse(&frame, entry->frame, entry->frame_size, &error))
		return false;
	*position = (struct position) {LSN_INVALID, 0};
	while (frame_next(&frame, &found))
	{
		if (found.kind == WIRE_TXN)
			*position = (struct position) {
				found.txn.commit, found.txn.ordinal
			};
		else if (found.kind == WIRE_RECORD)
		{
			if (is_it(&found.record, message))
				return true;
			position->ordinal++;
		}
	}
	return false;
}

/*
 * The value is still where it was, while the key was copied.  Of tombstones of
 * one key any before this one would have been refused.
 */
static bool
is_it(const struct frame_record *record, const rd_kafka_message_t *message)
{
	if (message->payload != NULL)
		return record->value.data == message->payload &&
			record->value.len == message->len;
	return (record->flags & WIRE_RECORD_NULL_VALUE) != 0 &&
		record->key.len == message->key_len && message->key_len > 0 &&
		memcmp(record->key.data, message->key, message->key_len) == 0;
}
