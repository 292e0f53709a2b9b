/*
 * message.c
 *		A logical decoding message as the Kafka record that it is.
 *
 * Key, headers and value go out as they were written.  The record's place
 * cannot be in the value then: it follows in two headers of ours.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "change.h"
#include "message.h"
#include "partition.h"
#include "stub.h"

#define POSITION_SIZE	96		/* both headers of ours, at most */

static bool
is_published(const Wal2KafkaState *state, const char *topic)
{
	const char *reserved = state->options.state_topic;
	ListCell   *lc;

	if (reserved && strcmp(reserved, topic) == 0)
		return false;
	foreach(lc, state->options.message_globs)
	{
		if (message_topic_matches(lfirst(lc), topic))
			return true;
	}
	return false;
}

/* Writes a header with a number as decimal text, returns the place behind. */
static char *
put_header(char *to, const char *name, uint64 number)
{
	size_t		name_len = strlen(name);
	char	   *value;
	int			len;

	wire_put16(to, name_len);
	memcpy(to + 2, name, name_len);
	to += 2 + name_len;
	value = to + 4;
	len = pg_ulltoa_n(number, value);
	wire_put32(to, len);
	return value + len;
}

static size_t
record_size(const struct message *message)
{
	return message->key.len + message->headers.len + message->value.len;
}

/* What ours, which go into every one, leave of a record. */
static size_t
size_limit(const Wal2KafkaState *state)
{
	size_t		limit = state->options.record_limit;

	return limit - Min(limit, POSITION_SIZE);
}

/*
 * Nothing of a message can be left out: it is sent whole, or not at all.  What
 * lies before it need not wait for a person.
 */
static void
refuse_large(Wal2KafkaState *state, const Wal2KafkaTxn *txn,
			 const struct message *message)
{
	char	   *name = wal2kafka_stub_name(txn);

	if (state->frames)
		wal2kafka_batch_flush(&state->batch, state->ctx);
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("message of %zu bytes for topic \"%s\" is larger than %zu bytes",
					record_size(message), message->topic, size_limit(state)),
			 errdetail("It is record %s (commit LSN, seq_id).", name),
			 errhint("Raise max.message.bytes of the topic and message.max.bytes in [kafka].  To lose it: stub = %s in [wal2kafka].",
					 name)));
}

static void
drop(Wal2KafkaState *state, Wal2KafkaTxn *txn, const struct message *message)
{
	if (state->frames)
		wal2kafka_batch_notice(&state->batch, state->ctx, WIRE_NOTICE_DROPPED,
							   NULL, txn->commit_lsn);
	ereport(LOG,
			(errmsg("message %s for topic \"%s\" is dropped, as option \"stub\" asks",
					wal2kafka_stub_name(txn), message->topic)));
	txn->dropped++;
}

static void
put_record(Wal2KafkaState *state, const Wal2KafkaTxn *txn,
		   const struct message *message)
{
	bool		null_key = (message->flags & MESSAGE_NULL_KEY) != 0;
	uint8		flags = WIRE_RECORD_HEADERS;
	char		position[POSITION_SIZE];
	char	   *end;
	uint32		hash;
	StringInfo	out;

	end = put_header(position, MESSAGE_OWN_HEADERS "lsn", txn->commit_lsn);
	end = put_header(end, MESSAGE_OWN_HEADERS "seq_id", txn->ordinal);

	/* without a key all of a topic's messages keep their order */
	if (null_key)
		hash = wal2kafka_partition_hash(state->options.partitioner,
										message->topic,
										strlen(message->topic));
	else
		hash = wal2kafka_partition_hash(state->options.partitioner,
										message->key.data, message->key.len);
	if (null_key)
		flags |= WIRE_RECORD_NULL_KEY;
	if ((message->flags & MESSAGE_NULL_VALUE) != 0)
		flags |= WIRE_RECORD_NULL_VALUE;

	out = wal2kafka_batch_message(&state->batch, message->topic, txn,
								  message->headers.len + (end - position));
	appendBinaryStringInfo(out, message->key.data, message->key.len);
	appendBinaryStringInfo(out, message->headers.data, message->headers.len);
	appendBinaryStringInfo(out, position, end - position);
	appendBinaryStringInfo(out, message->value.data, message->value.len);
	wal2kafka_batch_record_end(&state->batch, state->ctx, message->key.len,
							   hash, flags);
}

/* Text lines hold changes only; numbers there are those that frames give. */
static void
send_message(Wal2KafkaState *state, Wal2KafkaTxn *txn,
			 const struct message *message)
{
	if (record_size(message) > size_limit(state))
	{
		if (!wal2kafka_stub_named(&state->options, txn))
			refuse_large(state, txn, message);
		drop(state, txn, message);
		return;
	}
	if (state->frames)
		put_record(state, txn, message);
	txn->ordinal++;
	txn->dropped = 0;
}

/*
 * The place of an immediate message is where its own record begins: no
 * commit begins there, and everything decoded later begins behind it.  Its
 * message_lsn is where it ends, which a commit's beginning may be equal to.
 *
 * The server hands out a transaction's changes all at once, so such a message
 * comes between transactions.  A walsender has none open then: nothing here
 * may look at the catalog.  When it was written is not known.
 */
static void
send_immediate(Wal2KafkaState *state, const struct message *message)
{
	XLogReaderState *reader = state->ctx->reader;
	Wal2KafkaTxn txn = {
		.commit_lsn = reader->ReadRecPtr,
		.end_lsn = reader->EndRecPtr,
		.commit_time = SetEpochTimestamp(),
	};

	if (state->frames)
		wal2kafka_batch_begin(&state->batch, state->ctx, 1);
	send_message(state, &txn, message);
	if (state->frames)
		wal2kafka_batch_commit(&state->batch, state->ctx, txn.end_lsn);
}

void
wal2kafka_message_send(Wal2KafkaState *state, XLogRecPtr lsn,
					   bool transactional, const char *content, Size size)
{
	struct message message;

	if (!message_parse(&message, content, size))
	{
		if (state->frames)
			wal2kafka_batch_notice(&state->batch, state->ctx,
								   WIRE_NOTICE_NO_MESSAGE, NULL, lsn);
		return;
	}
	if (!is_published(state, message.topic))
		return;

	if (transactional)
		send_message(state, &state->txn, &message);
	else
		send_immediate(state, &message);
}
