/*
 * batch.h
 *		Frames: records collected, held across transactions, and sent.
 */
#ifndef BATCH_H
#define BATCH_H

#include "access/xlogreader.h"
#include "replication/logical.h"
#include "utils/timestamp.h"

#include "record.h"
#include "wire.h"

/* room before a frame, for what the server puts there: 25 bytes in all majors */
#define FRAME_START		64

typedef struct Wal2KafkaBatch
{
	StringInfoData buffer;		/* the frame being filled, from FRAME_START on:
								 * header included */
	uint32		records;		/* in it */
	bool		txn_announced;	/* in it, for the current transaction */
	uint64		serial;			/* of it, from 1 */
	Size		record_start;	/* of the record being written */

	/* as it was before what was announced for that record */
	int			mark_len;
	bool		mark_txn_announced;
	uint64		mark_announced; /* of its table */

	bytea	   *finished;		/* without a decoding session: the last frame,
								 * until the caller takes it */

	bool		hold;			/* across transactions */
	bool		alone;			/* each frame announces what it names */
	uint64		fingerprint;

	XLogRecPtr	safe;			/* end of the last transaction whose records
								 * are all in this frame or earlier ones */
	XLogRecPtr	sent_safe;		/* what the last frame said */
	TimestampTz oldest;			/* when the frame got its first entry */
	TimestampTz last_sent;

	/* of pageread.c */
	TimeLineID	timeline;		/* the only one to send; 0: whichever */
	XLogRecPtr	flushed;		/* WAL known to be flushed */
	XLogPageReadCB page_read;	/* the reader's own */

	HTAB	   *topics;			/* name -> id, announced */
	uint32		last_topic_id;
	uint32		last_table_id;
} Wal2KafkaBatch;

#define BATCH_HOLD_MS	2

/* Whether the frame being filled has an entry. */
static inline bool
wal2kafka_batch_holds(const Wal2KafkaBatch *batch)
{
	return batch->buffer.len > FRAME_START + WIRE_HEADER_SIZE;
}

/* Whether what it holds has waited long enough. */
static inline bool
wal2kafka_batch_is_old(const Wal2KafkaBatch *batch)
{
	return wal2kafka_batch_holds(batch) &&
		TimestampDifferenceExceeds(batch->oldest, GetCurrentTimestamp(),
								   BATCH_HOLD_MS);
}

/*
 * Prepares for frames.  Memory is CurrentMemoryContext's, for the whole
 * session.  Where rows come from a table there is no such session: ctx is
 * NULL, here and below, and "finished" is to be taken after each record.
 */
extern void wal2kafka_batch_init(Wal2KafkaBatch *batch,
								 LogicalDecodingContext *ctx,
								 const Wal2KafkaOptions *options);

/* A transaction begins; it has about that many changes. */
extern void wal2kafka_batch_begin(Wal2KafkaBatch *batch,
								  LogicalDecodingContext *ctx,
								  uint64 changes);

/*
 * Starts a record and returns the buffer, to which the caller appends key
 * and value; then ends it, or cancels it with all that was announced for it.
 * An ERROR in between ends the session.  In front of a stub goes a notice.  A
 * message is a record for a topic, and has that many bytes of headers after
 * its key.
 */
extern StringInfo wal2kafka_batch_record(Wal2KafkaBatch *batch,
										 Wal2KafkaRelation *relation,
										 const Wal2KafkaTxn *txn, bool stub);
extern StringInfo wal2kafka_batch_message(Wal2KafkaBatch *batch,
										  const char *topic,
										  const Wal2KafkaTxn *txn,
										  uint32 headers_len);
extern void wal2kafka_batch_record_end(Wal2KafkaBatch *batch,
									   LogicalDecodingContext *ctx,
									   uint32 key_len, uint32 hash,
									   uint8 flags);

extern void wal2kafka_batch_record_cancel(Wal2KafkaBatch *batch,
										  Wal2KafkaRelation *relation);

/* relation may be NULL */
extern void wal2kafka_batch_notice(Wal2KafkaBatch *batch,
								   LogicalDecodingContext *ctx,
								   enum wire_notice code,
								   Wal2KafkaRelation *relation,
								   XLogRecPtr lsn);

/*
 * Sends the frame, also one without an entry, which tells "safe" alone; "cut"
 * says that it ends inside a transaction.
 */
extern void wal2kafka_batch_send(Wal2KafkaBatch *batch,
								 LogicalDecodingContext *ctx, bool cut);

/* Sends what is held; to be called before an ERROR, which is the end. */
extern void wal2kafka_batch_flush(Wal2KafkaBatch *batch,
								  LogicalDecodingContext *ctx);

/* Sends what has been held for too long; to be called now and then. */
extern void wal2kafka_batch_check_age(Wal2KafkaBatch *batch,
									  LogicalDecodingContext *ctx);

/* The transaction that ends at end_lsn is complete. */
extern void wal2kafka_batch_commit(Wal2KafkaBatch *batch,
								   LogicalDecodingContext *ctx,
								   XLogRecPtr end_lsn);

/* Empties a buffer that lives long; a huge one is given back first. */
extern void wal2kafka_buffer_empty(StringInfo buffer);

#endif							/* BATCH_H */
