/*
 * pageread.h
 *		Around the reader's page_read: what is held is sent before the server
 *		waits, and nothing is read of a timeline that the client does not know.
 */
#ifndef PAGEREAD_H
#define PAGEREAD_H

#include "batch.h"

/*
 * In a walsender, puts itself around the reader's page_read, which is the
 * only place that knows when the server is about to wait.  ERROR 57P03 ends
 * the stream when the server is not, or no longer, on the timeline that the
 * client named.  The batch must be the first member of the plugin's state, and
 * lives as long as the reader.
 */
extern void wal2kafka_pageread_begin(Wal2KafkaBatch *batch,
									 LogicalDecodingContext *ctx);

#endif							/* PAGEREAD_H */
