/*
 * change.h
 *		One decoded change as the record or records that it means.
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "batch.h"

/* State of one decoding session. */
typedef struct Wal2KafkaState
{
	Wal2KafkaBatch batch;		/* must be first, see reader_batch() */
	LogicalDecodingContext *ctx;
	MemoryContext change_context;	/* reset after each change */
	Wal2KafkaOptions options;
	Wal2KafkaEncoder encoder;
	Wal2KafkaTxn txn;
	bool		frames;			/* else text lines */
	bool		sql;			/* not a walsender */
	int			guc_level;		/* of the pinned settings, if sql */
	uint32		unreported;		/* changes since progress was reported */
	uint64		reported;		/* the frame that was begun when a commit was */

	/* scratch, reused by each change */
	Wal2KafkaRow old_row;
	Wal2KafkaRow new_row;
	bool	   *unchanged;
	StringInfoData old_key;
	StringInfoData new_key;
} Wal2KafkaState;

extern void wal2kafka_change_init(Wal2KafkaState *state);

/* Sends what the change means: nothing, one record, or two. */
extern void wal2kafka_change_send(Wal2KafkaState *state, Relation relation,
								  ReorderBufferChange *change);

/* The same for one of the relations of a TRUNCATE. */
extern void wal2kafka_truncate_send(Wal2KafkaState *state, Relation relation,
									ReorderBufferChange *change);

/*
 * The same for what a message of ours holds (message.c).  Nothing else may
 * go on: an immediate one comes outside of any transaction.
 */
extern void wal2kafka_message_send(Wal2KafkaState *state, XLogRecPtr lsn,
								   bool transactional, const char *content,
								   Size size);

#endif							/* CHANGE_H */
