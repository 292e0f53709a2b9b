/*
 * batch.c
 *		Frames: records collected, held across transactions, and sent.
 *
 * One message per row is what makes other plugins slow: each is a system call
 * here and a wake-up there.  Records collect in a buffer that is sent when it
 * is full, when it is old, before a long transaction, and when the server is
 * about to wait for more WAL, so that holding costs no latency.
 *
 * While records are held, the position that the server itself tells clients
 * is ahead of them.  "safe" is the position that is not.
 */
#include "postgres.h"

#include "access/xlogutils.h"
#include "replication/slot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "topicname.h"

#define FRAME_SIZE			(64 * 1024) /* sent when it holds that much */
#define BUFFER_KEPT			(1024 * 1024)	/* given back when larger */
#define LONG_TRANSACTION	1000	/* changes */

typedef struct TopicEntry
{
	char		name[TOPIC_NAME_MAX + 1];	/* hash key */
	uint32		id;
	uint64		announced;		/* the frame that did, 0: none */
	uint32		table_id;		/* of its messages, 0: none yet */
	uint64		table_announced;
	int			place;			/* in that frame */
} TopicEntry;

void
wal2kafka_buffer_empty(StringInfo buffer)
{
	if (buffer->maxlen > BUFFER_KEPT)
	{
		MemoryContext caller;

		caller = MemoryContextSwitchTo(GetMemoryChunkContext(buffer->data));
		pfree(buffer->data);
		initStringInfo(buffer);
		MemoryContextSwitchTo(caller);
	}
	resetStringInfo(buffer);
}

static void
frame_start(Wal2KafkaBatch *batch)
{
	wal2kafka_buffer_empty(&batch->buffer);
	enlargeStringInfo(&batch->buffer, FRAME_SIZE);
	batch->buffer.len = FRAME_START + WIRE_HEADER_SIZE;
	batch->records = 0;
	batch->txn_announced = false;
	batch->serial++;
}

void
wal2kafka_batch_init(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
					 const Wal2KafkaOptions *options)
{
	HASHCTL		ctl = {0};
	bool		sql = ctx == NULL ||
		ctx->reader->routine.page_read == read_local_xlog_page;

	memset(batch, 0, sizeof(*batch));
	initStringInfo(&batch->buffer);
	batch->hold = options->flush == FLUSH_BATCH && !sql;
	batch->alone = sql;
	batch->fingerprint = options->fingerprint;
	batch->timeline = options->timeline;
	batch->safe = ctx ? MyReplicationSlot->data.confirmed_flush :
		InvalidXLogRecPtr;
	/* nothing was told yet: an idle slot's client has this to confirm too */
	batch->sent_safe = InvalidXLogRecPtr;

	ctl.keysize = TOPIC_NAME_MAX + 1;
	ctl.entrysize = sizeof(TopicEntry);
	ctl.hcxt = CurrentMemoryContext;
	batch->topics = hash_create("wal2kafka topics", 128, &ctl,
								HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	frame_start(batch);
}

/* Lives where the buffer does. */
static void
frame_finish(Wal2KafkaBatch *batch)
{
	const StringInfoData *buffer = &batch->buffer;
	int			len = buffer->len - FRAME_START;
	bytea	   *frame;

	Assert(batch->finished == NULL);
	frame = MemoryContextAlloc(GetMemoryChunkContext(buffer->data),
							   VARHDRSZ + len);
	SET_VARSIZE(frame, VARHDRSZ + len);
	memcpy(VARDATA(frame), buffer->data + FRAME_START, len);
	batch->finished = frame;
}

/*
 * The server sends what is in ctx->out, where it begins with a header of its
 * own.  That goes before the frame, not the frame behind it: 64 kB more to
 * copy each time would be seen.
 */
static void
frame_write(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx, bool last)
{
	StringInfoData out;

	OutputPluginPrepareWrite(ctx, last);
	out = *ctx->out;
	if (out.len > FRAME_START)
		elog(ERROR, "the server's header of a message has %d bytes", out.len);

	ctx->out->data = batch->buffer.data + FRAME_START - out.len;
	memcpy(ctx->out->data, out.data, out.len);
	ctx->out->len = batch->buffer.len - FRAME_START + out.len;
	OutputPluginWrite(ctx, last);
	*ctx->out = out;
}

void
wal2kafka_batch_send(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
					 bool cut)
{
	char	   *header = batch->buffer.data + FRAME_START;
	bool		first = batch->serial == 1;

	wire_put32(header, WIRE_MAGIC);
	header[4] = WIRE_VERSION;
	header[5] = (first ? WIRE_FRAME_FIRST : 0) |
		(cut && ctx ? WIRE_FRAME_CUT : 0);
	wire_put16(header + 6, 0);
	wire_put32(header + 8, batch->records);
	wire_put32(header + 12, batch->buffer.len - FRAME_START -
			   WIRE_HEADER_SIZE);
	wire_put64(header + 16, batch->safe);
	wire_put64(header + 24, first ? batch->fingerprint : 0);

	if (ctx)
		frame_write(batch, ctx, !cut);
	else
		frame_finish(batch);

	batch->sent_safe = batch->safe;
	batch->last_sent = GetCurrentTimestamp();
	frame_start(batch);
}

/* ---- entries ---- */

/* Starts an entry of known length and returns the place of its body. */
static char *
entry_start(Wal2KafkaBatch *batch, enum wire_kind kind, uint8 flags,
			uint32 len)
{
	StringInfo	buffer = &batch->buffer;
	char	   *entry;

	if (!wal2kafka_batch_holds(batch))
		batch->oldest = GetCurrentTimestamp();

	enlargeStringInfo(buffer, WIRE_ENTRY_SIZE + len);
	entry = buffer->data + buffer->len;
	entry[0] = kind;
	entry[1] = flags;
	wire_put16(entry + 2, 0);
	wire_put32(entry + 4, len);
	buffer->len += WIRE_ENTRY_SIZE + len;
	return entry + WIRE_ENTRY_SIZE;
}

static inline bool
is_announced(const Wal2KafkaBatch *batch, uint64 announced)
{
	return batch->alone ? announced == batch->serial : announced != 0;
}

static TopicEntry *
announce_topic(Wal2KafkaBatch *batch, const char *name)
{
	TopicEntry *topic;
	bool		found;
	char	   *body;

	topic = hash_search(batch->topics, name, HASH_ENTER, &found);
	if (!found)
	{
		topic->id = ++batch->last_topic_id;
		topic->announced = 0;
		topic->table_id = 0;
	}
	if (!is_announced(batch, topic->announced))
	{
		topic->announced = batch->serial;
		topic->place = batch->buffer.len;
		body = entry_start(batch, WIRE_TOPIC, 0,
						   WIRE_TOPIC_SIZE + strlen(name));
		wire_put32(body, topic->id);
		memcpy(body + WIRE_TOPIC_SIZE, name, strlen(name));
	}
	return topic;
}

/* Names are UTF-8 by now: a message has no catalog to convert them by. */
static void
table_entry(Wal2KafkaBatch *batch, uint32 table_id, uint32 topic_id,
			const char *schema, int schema_len,
			const char *table, int table_len)
{
	char	   *body;

	body = entry_start(batch, WIRE_TABLE, 0,
					   WIRE_TABLE_SIZE + schema_len + table_len);
	wire_put32(body, table_id);
	wire_put32(body + 4, topic_id);
	wire_put16(body + 8, schema_len);
	wire_put16(body + 10, table_len);
	memcpy(body + WIRE_TABLE_SIZE, schema, schema_len);
	memcpy(body + WIRE_TABLE_SIZE + schema_len, table, table_len);
}

static void
announce_table(Wal2KafkaBatch *batch, Wal2KafkaRelation *relation)
{
	Wal2KafkaCharset charset = wal2kafka_charset(false);
	const char *schema = relation->schema;
	const char *table = relation->table;
	int			schema_len = strlen(schema);
	int			table_len = strlen(table);
	uint32		topic_id;

	if (relation->table_id != 0 && is_announced(batch, relation->announced))
		return;

	topic_id = announce_topic(batch, relation->topic)->id;
	if (relation->table_id == 0)
		relation->table_id = ++batch->last_table_id;
	relation->announced = batch->serial;
	schema = wal2kafka_utf8(schema, &schema_len, charset);
	table = wal2kafka_utf8(table, &table_len, charset);
	table_entry(batch, relation->table_id, topic_id, schema, schema_len,
				table, table_len);
}

/* Messages of a topic count as records of the function that writes them. */
static uint32
announce_message(Wal2KafkaBatch *batch, const char *name)
{
	static const char schema[] = "wal2kafka";
	static const char function[] = "emit_message";
	TopicEntry *topic = announce_topic(batch, name);

	if (topic->table_id == 0 || !is_announced(batch, topic->table_announced))
	{
		if (topic->table_id == 0)
			topic->table_id = ++batch->last_table_id;
		topic->table_announced = batch->serial;
		table_entry(batch, topic->table_id, topic->id,
					schema, sizeof(schema) - 1,
					function, sizeof(function) - 1);
	}
	return topic->table_id;
}

static void
announce_txn(Wal2KafkaBatch *batch, const Wal2KafkaTxn *txn)
{
	const int64 epoch_difference = (int64) (POSTGRES_EPOCH_JDATE -
											UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	char	   *body;

	if (batch->txn_announced)
		return;
	batch->txn_announced = true;

	body = entry_start(batch, WIRE_TXN, 0, WIRE_TXN_SIZE);
	wire_put64(body, txn->commit_lsn);
	wire_put64(body + 8, txn->end_lsn);
	wire_put64(body + 16, (uint64) (txn->commit_time + epoch_difference));
	wire_put32(body + 24, txn->xid);
	wire_put32(body + 28, txn->foreign ? WIRE_TXN_FOREIGN : 0);
	wire_put64(body + 32, txn->ordinal);
}

static void
put_notice(Wal2KafkaBatch *batch, enum wire_notice code, uint32 table_id,
		   XLogRecPtr lsn)
{
	char	   *body = entry_start(batch, WIRE_NOTICE, 0, WIRE_NOTICE_SIZE);

	wire_put32(body, code);
	wire_put32(body + 4, table_id);
	wire_put64(body + 8, lsn);
}

StringInfo
wal2kafka_batch_record(Wal2KafkaBatch *batch, Wal2KafkaRelation *relation,
					   const Wal2KafkaTxn *txn, bool stub)
{
	char	   *body;

	batch->mark_len = batch->buffer.len;
	batch->mark_txn_announced = batch->txn_announced;
	batch->mark_announced = relation->announced;
	announce_table(batch, relation);
	announce_txn(batch, txn);
	if (stub)
		put_notice(batch, WIRE_NOTICE_STUB, relation->table_id,
				   txn->commit_lsn);

	batch->record_start = batch->buffer.len;
	body = entry_start(batch, WIRE_RECORD, 0, WIRE_RECORD_SIZE);
	wire_put32(body, relation->table_id);
	return &batch->buffer;
}

StringInfo
wal2kafka_batch_message(Wal2KafkaBatch *batch, const char *topic,
						const Wal2KafkaTxn *txn, uint32 headers_len)
{
	uint32		table_id = announce_message(batch, topic);
	char	   *body;

	announce_txn(batch, txn);

	batch->record_start = batch->buffer.len;
	body = entry_start(batch, WIRE_RECORD, 0, WIRE_RECORD_SIZE + 4);
	wire_put32(body, table_id);
	wire_put32(body + WIRE_RECORD_SIZE, headers_len);
	return &batch->buffer;
}

void
wal2kafka_batch_record_end(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
						   uint32 key_len, uint32 hash, uint8 flags)
{
	char	   *entry = batch->buffer.data + batch->record_start;
	char	   *body = entry + WIRE_ENTRY_SIZE;

	entry[1] = flags;
	wire_put32(entry + 4, batch->buffer.len - batch->record_start -
			   WIRE_ENTRY_SIZE);
	wire_put32(body + 4, hash);
	wire_put32(body + 8, key_len);
	batch->records++;

	if (batch->buffer.len >= FRAME_SIZE)
		wal2kafka_batch_send(batch, ctx, true);
}

/*
 * Ids stay given: what is not announced is announced when it is next named.
 */
void
wal2kafka_batch_record_cancel(Wal2KafkaBatch *batch,
							  Wal2KafkaRelation *relation)
{
	TopicEntry *topic = hash_search(batch->topics, relation->topic, HASH_FIND,
									NULL);

	if (topic && topic->announced == batch->serial &&
		topic->place >= batch->mark_len)
		topic->announced = 0;
	relation->announced = batch->mark_announced;
	batch->txn_announced = batch->mark_txn_announced;
	batch->buffer.len = batch->mark_len;
	if (batch->buffer.maxlen > BUFFER_KEPT)
	{
		batch->buffer.maxlen = Max(batch->mark_len + 1, 2 * FRAME_SIZE);
		batch->buffer.data = repalloc(batch->buffer.data,
									  batch->buffer.maxlen);
	}
	batch->buffer.data[batch->buffer.len] = '\0';
}

void
wal2kafka_batch_notice(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
					   enum wire_notice code, Wal2KafkaRelation *relation,
					   XLogRecPtr lsn)
{
	if (relation)
		announce_table(batch, relation);
	put_notice(batch, code, relation ? relation->table_id : 0, lsn);

	/* a transaction may have any number of them, and no record */
	if (batch->buffer.len >= FRAME_SIZE)
		wal2kafka_batch_send(batch, ctx, true);
}

/* ---- when to send ---- */

void
wal2kafka_batch_begin(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
					  uint64 changes)
{
	batch->txn_announced = false;
	/* what is held must not wait until this transaction is through */
	if (changes > LONG_TRANSACTION && wal2kafka_batch_holds(batch))
		wal2kafka_batch_send(batch, ctx, false);
}

void
wal2kafka_batch_flush(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx)
{
	if (wal2kafka_batch_holds(batch))
		wal2kafka_batch_send(batch, ctx, true);
}

void
wal2kafka_batch_check_age(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx)
{
	if (batch->hold && wal2kafka_batch_is_old(batch))
		wal2kafka_batch_send(batch, ctx, true);
}

void
wal2kafka_batch_commit(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx,
					   XLogRecPtr end_lsn)
{
	batch->safe = Max(batch->safe, end_lsn);
	if (!batch->hold && wal2kafka_batch_holds(batch))
		wal2kafka_batch_send(batch, ctx, false);
}
