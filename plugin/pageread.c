/*
 * pageread.c
 *		Around the reader's page_read: what is held is sent before the server
 *		waits, and nothing is read of a timeline that the client does not know.
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
 * A standby goes on in the same stream when it is promoted, or the server that
 * it follows is.  What was read before that, and this said no, was replayed on
 * the old timeline: it lies before the fork.
 */
static bool
is_timeline_over(const Wal2KafkaBatch *batch)
{
	TimeLineID	timeline;

	if (batch->timeline == 0)
		return false;
	if (RecoveryInProgress())
		GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();
	return timeline != batch->timeline;
}

/*
 * Around the walsender's own page_read (WalSndWaitForWal is in it).  All
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
	int			length;

	send = would_wait(batch, page + wanted) || wal2kafka_batch_is_old(batch);
	if (!send && progress && !wal2kafka_batch_holds(batch))
		send = TimestampDifferenceExceeds(batch->last_sent,
										  GetCurrentTimestamp(), PROGRESS_MS);

	if (send && (progress || wal2kafka_batch_holds(batch)))
	{
		batch->safe = Max(batch->safe, reader->EndRecPtr);
		send_from_reader(batch, ctx);
	}
	length = batch->page_read(reader, page, wanted, record, buffer);
	if (is_timeline_over(batch))
		ereport(ERROR,
				(errcode(ERRCODE_CANNOT_CONNECT_NOW),
				 errmsg("the server is no longer on timeline %u",
						batch->timeline),
				 errdetail("It was promoted, or the server that it follows.")));
	return length;
}

void
wal2kafka_pageread_begin(Wal2KafkaBatch *batch, LogicalDecodingContext *ctx)
{
	if (batch->alone)
		return;
	batch->page_read = ctx->reader->routine.page_read;
	ctx->reader->routine.page_read = page_read_or_flush;
}
