/*
 * produce.c
 *		Records into librdkafka: gates, sizes, batches, copies.
 */
#include "producer_state.h"

#include "clock.h"
#include "log.h"
#include "oversize.h"
#include "metrics.h"
#include "producer.h"

/*
 * Brokers forget a producer that is idle, by a setting of theirs.  Whoever is
 * idle this long does not feel it that one record goes alone.
 */
#define GATE_IDLE_MS	1000

static void refuse_reserved(struct producer *producer,
							const struct sink_record *record);
static inline bool acceptable(struct producer *producer,
							  const struct sink_record *record, size_t limit);
static void refuse_keyless(struct producer *producer,
						   const struct sink_record *record);
static bool is_plain(const struct sink_record *record);
static bool gate_lets_through(struct topic_partition *partition);
static size_t send_batch(struct producer *producer,
						 const struct sink_record *records, size_t count);
static size_t fill_batch(struct producer *producer,
						 const struct sink_record *records, size_t count);
static size_t settle_batch(struct producer *producer, struct topic *topic,
						   size_t count);
static bool send_single(struct producer *producer,
						const struct sink_record *record);
static bool send_copy(struct producer *producer,
					  const struct sink_record *record, int32_t partition);
static rd_kafka_headers_t *make_headers(struct view bytes);
static void took(struct producer *producer, struct topic *topic,
				 int32_t partition);
static void refused(struct producer *producer, rd_kafka_resp_err_t err,
					const char *topic);

size_t
produce_records(struct producer *producer, const struct sink_record *records,
				size_t count)
{
	size_t		taken = 0;
	size_t		step;

	while (taken < count && producer->health == HEALTH_FINE &&
		   !producer->halted)
	{
		const struct sink_record *record = &records[taken];

		if (record->topic->reserved)
		{
			refuse_reserved(producer, record);
			break;
		}
		if (record->topic->state != TOPIC_READY)
		{
			topics_ask(producer->topics, record->topic);
			break;
		}
		if (is_plain(record))
			step = send_batch(producer, record, count - taken);
		else
			step = send_single(producer, record) ? 1 : 0;
		if (step == 0)
			break;
		taken += step;
	}
	return taken;
}

/* A start would take it for a state record, or not find that any more. */
static void
refuse_reserved(struct producer *producer, const struct sink_record *record)
{
	log_error("a record of table %s at LSN " LSN_FORMAT ", seq_id %llu is for "
			  "topic \"%s\", which takes nothing but the state record",
			  record->table, LSN_ARGS(record->position.commit),
			  (unsigned long long) record->position.ordinal,
			  record->topic->name);
	log_hint("Have the table's owner set another topic "
			 "(wal2kafka.set_route()). To let through what was written before "
			 "that: [route %s] and a topic in the config, and \"wal2kafka drop "
			 "--state\" if the start refuses changed settings; then what was "
			 "sent since the last confirmation comes again.", record->table);
	producer->halted = true;
}

/*
 * Refuses what Kafka would, before anything behind it could be sent; the limit
 * is oversize_limit().
 */
static inline bool
acceptable(struct producer *producer, const struct sink_record *record,
		   size_t limit)
{
	const struct frame_record *body = &record->body;

	if (record->topic->compacted && (body->flags & WIRE_RECORD_NULL_KEY) != 0)
		refuse_keyless(producer, record);
	else if (body->key.len + body->value.len + body->headers.len > limit)
		oversize_halt(producer, record, limit);
	else
		return true;
	return false;
}

static void
refuse_keyless(struct producer *producer, const struct sink_record *record)
{
	log_error("a record of table %s at LSN " LSN_FORMAT ", seq_id %llu has no "
			  "key, and topic \"%s\" is compacted: it takes none without",
			  record->table, LSN_ARGS(record->position.commit),
			  (unsigned long long) record->position.ordinal,
			  record->topic->name);
	log_hint("Set cleanup.policy=delete on the topic; or give the table a key "
			 "(a primary key or replica identity), and let what was written "
			 "before it through with cleanup.policy=delete.");
	producer->halted = true;
}

static bool
is_plain(const struct sink_record *record)
{
	return (record->body.flags & (WIRE_RECORD_EVERY_PARTITION |
								  WIRE_RECORD_HEADERS |
								  WIRE_RECORD_TIMESTAMP)) == 0;
}

static bool
gate_lets_through(struct topic_partition *partition)
{
	if (partition->gate == GATE_OPEN && partition->outstanding == 0 &&
		clock_ms() - partition->used > GATE_IDLE_MS)
		partition->gate = GATE_CLOSED;
	return partition->gate != GATE_OPENING;
}

/* The records from the front that make one call, returns how many went. */
static size_t
send_batch(struct producer *producer, const struct sink_record *records,
		   size_t count)
{
	struct topic *topic = records[0].topic;
	size_t		filled = fill_batch(producer, records, count);

	if (filled == 0)
		return 0;
	if (rd_kafka_produce_batch(topic->handle, 0, RD_KAFKA_MSG_F_PARTITION,
							   producer->batch, (int) filled) == (int) filled)
	{
		for (size_t i = 0; i < filled; i++)
			took(producer, topic, producer->batch[i].partition);
		return filled;
	}
	return settle_batch(producer, topic, filled);
}

/* Gates are marked at once: a second record must not join the first. */
static size_t
fill_batch(struct producer *producer, const struct sink_record *records,
		   size_t count)
{
	struct topic *topic = records[0].topic;
	size_t		limit = oversize_limit(producer, topic);
	size_t		filled;

	for (filled = 0; filled < count && filled < PRODUCER_BATCH; filled++)
	{
		const struct frame_record *body = &records[filled].body;
		struct topic_partition *partition;
		int32_t		number = (int32_t) (body->hash % (uint32_t) topic->count);

		if (records[filled].topic != topic || !is_plain(&records[filled]))
			break;
		partition = &topic->partitions[number];
		if (!gate_lets_through(partition) ||
			!acceptable(producer, &records[filled], limit))
			break;
		if (partition->gate == GATE_CLOSED)
			partition->gate = GATE_OPENING;
		producer->batch[filled] = (rd_kafka_message_t) {
			.partition = number,
			.payload = (body->flags & WIRE_RECORD_NULL_VALUE) != 0 ? NULL :
				(void *) body->value.data,
			.len = body->value.len,
			.key = (body->flags & WIRE_RECORD_NULL_KEY) != 0 ? NULL :
				(void *) body->key.data,
			.key_len = body->key.len,
			._private = records[filled].entry,
		};
	}
	return filled;
}

/*
 * Not all of a batch went.  With a full queue the rest simply did not, and its
 * gates are as before; after any other refusal records behind it may have
 * gone, so the producer is lost.
 */
static size_t
settle_batch(struct producer *producer, struct topic *topic, size_t count)
{
	size_t		sent = 0;
	bool		hole = false;

	for (size_t i = 0; i < count; i++)
	{
		rd_kafka_message_t *message = &producer->batch[i];

		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			took(producer, topic, message->partition);
			sent++;
			if (hole)
				refused(producer, RD_KAFKA_RESP_ERR__FAIL, topic->name);
			continue;
		}
		hole = true;
		if (topic->partitions[message->partition].gate == GATE_OPENING)
			topic->partitions[message->partition].gate = GATE_CLOSED;
		if (message->err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			refused(producer, message->err, topic->name);
	}
	return sent;
}

/* Whether all of a record's copies went; otherwise call again with it. */
static bool
send_single(struct producer *producer, const struct sink_record *record)
{
	struct topic *topic = record->topic;

	if (!acceptable(producer, record, oversize_limit(producer, topic)))
		return false;
	if ((record->body.flags & WIRE_RECORD_EVERY_PARTITION) == 0)
		return send_copy(producer, record, (int32_t)
						 (record->body.hash % (uint32_t) topic->count));

	/* counted as many before the first report can come */
	if (!producer->copies_counted)
	{
		ledger_expect(producer->ledger, record->entry,
					  (uint32_t) topic->count - 1);
		metrics.produced += (uint64_t) topic->count - 1;
	}
	producer->copies_counted = true;
	while (producer->copies < topic->count)
	{
		if (!send_copy(producer, record, producer->copies))
			return false;
		producer->copies++;
	}
	producer->copies = 0;
	producer->copies_counted = false;
	return true;
}

static bool
send_copy(struct producer *producer, const struct sink_record *record,
		  int32_t partition)
{
	const struct frame_record *body = &record->body;
	struct topic *topic = record->topic;
	struct topic_partition *to = &topic->partitions[partition];
	bool		no_value = (body->flags & WIRE_RECORD_NULL_VALUE) != 0;
	bool		no_key = (body->flags & WIRE_RECORD_NULL_KEY) != 0;
	bool		dated = (body->flags & WIRE_RECORD_TIMESTAMP) != 0;
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t err;

	if (!gate_lets_through(to))
		return false;
	headers = make_headers(body->headers);
	err = rd_kafka_producev(producer->kafka,
							RD_KAFKA_V_RKT(topic->handle),
							RD_KAFKA_V_PARTITION(partition),
							RD_KAFKA_V_MSGFLAGS(0),
							RD_KAFKA_V_VALUE(no_value ? NULL :
											 (void *) body->value.data,
											 body->value.len),
							RD_KAFKA_V_KEY(no_key ? NULL : body->key.data,
										   body->key.len),
							RD_KAFKA_V_TIMESTAMP(dated ? body->timestamp : 0),
							RD_KAFKA_V_HEADERS(headers),
							RD_KAFKA_V_OPAQUE(record->entry),
							RD_KAFKA_V_END);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (to->gate == GATE_CLOSED)
			to->gate = GATE_OPENING;
		took(producer, topic, partition);
		return true;
	}
	/* librdkafka takes the headers only with the record */
	rd_kafka_headers_destroy(headers);
	if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		refused(producer, err, topic->name);
	return false;
}

static rd_kafka_headers_t *
make_headers(struct view bytes)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	struct view name;
	struct view value;

	while (frame_next_header(&bytes, &name, &value))
		rd_kafka_header_add(headers, name.data, (ssize_t) name.len,
							value.data, (ssize_t) value.len);
	return headers;
}

static void
took(struct producer *producer, struct topic *topic, int32_t partition)
{
	if (topic->partitions[partition].outstanding++ == 0)
		topic->partitions[partition].used = clock_ms();
	producer->outstanding++;
}

static void
refused(struct producer *producer, rd_kafka_resp_err_t err, const char *topic)
{
	if (producer->health != HEALTH_FINE)
		return;
	log_error("could not produce to topic \"%s\": %s", topic,
			  rd_kafka_err2str(err));
	metrics_kafka_error(rd_kafka_err2name(err));
	metrics.restarts[RESTART_REFUSED]++;
	producer->health = HEALTH_BROKEN;
}
