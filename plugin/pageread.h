/*
 * pageread.h
 *		In front of the reader's page_read: what is held is sent before the
 *		server waits.
 */
#ifndef PAGEREAD_H
#define PAGEREAD_H

#include "batch.h"

/*
 * In a walsender, puts itself in front of the reader's page_read, which is the
 * only place that knows when the server is about to wait.  The batch must be
 * the first member of the plugin's state, and lives as long as the reader.
 */
extern void wal2kafka_pageread_begin(Wal2KafkaBatch *batch,
									 LogicalDecodingContext *ctx);

#endif							/* PAGEREAD_H */
