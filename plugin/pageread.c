/*
 * pageread.c
 *		In front of the reader's page_read: what is held is sent before the
 *		server waits.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "replication/slot.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "pageread.h"

#define PROGRESS_MS			1000

static Wal2KafkaBatch *
reader_batch(XLogReaderState *reader)
{
	LogicalDecodingContext *ctx = reader->private_data;

	/* the batch is the first member of the plugin's state */
	return (Wal2KafkaBatch *) ctx->output_plugin_private;
}

/* Outside the callbacks the server does not expect writes: say otherwise. */
static void
send_from_reader(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx)
{
	bool		accept_writes = ctx->accept_writes;
	XLogRecPtr	write_location = ctx->write_location;

	ctx->accept_writes = true;
	ctx->write_location = batch->safe;
	wal2kafka_batch_send(batch, ctx, false);
	ctx->accept_writes = accept_writes;
	ctx->write_location = write_location;
}

/* Whether reading up to there would wait; asks the server if it must. */
static bool
would_wait(Wal2KafkaBatch *batch, XLogRecPtr need)
{
	if (need <= batch->flushed)
		return false;

	batch->flushed = RecoveryInProgress() ? GetXLogReplayRecPtr(NULL) :
		GetFlushRecPtr(NULL);
	return need > batch->flushed || SLOT_WAITS_FOR_STANDBY();
}

/*
 * In front of the walsender's own page_read (WalSndWaitForWal is in it).  All
 * records that end at or before EndRecPtr have been decoded, so it is safe
 * once everything held is sent.  No catalog access here: there is no
 * transaction.
 */
static int
page_read_or_flush(XLogReaderState *reader, XLogRecPtr page, int wanted,
				   XLogRecPtr record, char *buffer)
{
	LogicalDecodingContext *ctx = reader->private_data;
	Wal2KafkaBatch *batch = reader_batch(reader);
	bool		progress = reader->EndRecPtr > batch->sent_safe;
	bool		send;

	send = would_wait(batch, page + wanted) || wal2kafka_batch_is_old(batch);
	if (!send && progress && !wal2kafka_batch_holds(batch))
		send = TimestampDifferenceExceeds(batch->last_sent,
										  GetCurrentTimestamp(), PROGRESS_MS);

	if (send && (progress || wal2kafka_batch_holds(batch)))
	{
		batch->safe = Max(batch->safe, reader->EndRecPtr);
		send_from_reader(batch, ctx);
	}
	return batch->page_read(reader, page, wanted, record, buffer);
}

void
wal2kafka_pageread_begin(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx)
{
	if (batch->alone)
		return;
	batch->page_read = ctx->reader->routine.page_read;
	ctx->reader->routine.page_read = page_read_or_flush;
}
