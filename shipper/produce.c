/*
 * produce.c
 *		Records into the lines of their partitions, unless Kafka would refuse
 *		them there.
 */
#include "producer_state.h"

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "oversize.h"

static void refuse_reserved(struct producer *producer,
							const struct sink_record *record);
static inline bool acceptable(struct producer *producer,
							  const struct sink_record *record, size_t limit);
static void refuse_keyless(struct producer *producer,
						   const struct sink_record *record);
static void add(struct producer *producer, const struct sink_record *record,
				int32_t partition, int64_t now);
static void add_copies(struct producer *producer,
					   const struct sink_record *record, int64_t now);

size_t
produce_records(struct producer *producer, const struct sink_record *records,
				size_t count)
{
	const struct topic *topic = NULL;
	int64_t		now = clock_ms();
	size_t		limit = 0;
	size_t		taken;

	for (taken = 0; taken < count; taken++)
	{
		const struct sink_record *record = &records[taken];

		if (record->topic != topic)
		{
			topic = record->topic;
			if (topic->reserved)
			{
				refuse_reserved(producer, record);
				break;
			}
			if (topic->state != TOPIC_READY)
			{
				topics_ask(producer->topics, record->topic);
				break;
			}
			limit = oversize_limit(producer, topic);
		}
		if (!acceptable(producer, record, limit))
			break;
		if ((record->body.flags & WIRE_RECORD_EVERY_PARTITION) != 0)
			add_copies(producer, record, now);
		else
			add(producer, record, (int32_t)
				(record->body.hash % (uint32_t) topic->count), now);
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

static void
add(struct producer *producer, const struct sink_record *record,
	int32_t partition, int64_t now)
{
	struct topic_partition *to = &record->topic->partitions[partition];

	accumulator_add(&producer->accumulator, &to->line, record->entry,
					&record->body, now);
	producer->outstanding++;
	handover_admit(producer, to);
}

/* Counted as many before the first report can come. */
static void
add_copies(struct producer *producer, const struct sink_record *record,
		   int64_t now)
{
	int32_t		count = record->topic->count;

	ledger_expect(producer->ledger, record->entry, (uint32_t) count - 1);
	metrics.produced += (uint64_t) count - 1;
	for (int32_t partition = 0; partition < count; partition++)
		add(producer, record, partition, now);
}
