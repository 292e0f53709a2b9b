/*
 * wal2kafka.c
 *		Logical decoding output plugin: the callbacks, in the order of a
 *		transaction's life.
 *
 * A change becomes finished Kafka records (change.c, record.c), collected in
 * frames for the shipper (batch.c), or text lines without the option
 * proto_version.  Only committed transactions leave the plugin: the streaming
 * and two-phase callbacks are absent on purpose, but for one that does
 * nothing.
 */
#include "postgres.h"

#include "access/xlogutils.h"
#include "fmgr.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "utils/memutils.h"

#include "change.h"
#include "compat.h"
#include "label.h"
#include "message.h"
#include "pageread.h"
#include "session.h"

#define PROGRESS_CHANGES	100 /* as pgoutput.c before PostgreSQL 16 */

WAL2KAFKA_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);
extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *cb);

static void wal2kafka_startup(LogicalDecodingContext *ctx,
							  OutputPluginOptions *output, bool is_init);
static void wal2kafka_begin(LogicalDecodingContext *ctx,
							ReorderBufferTXN *txn);
static void wal2kafka_change(LogicalDecodingContext *ctx,
							 ReorderBufferTXN *txn, Relation relation,
							 ReorderBufferChange *change);
static void wal2kafka_truncate(LogicalDecodingContext *ctx,
							   ReorderBufferTXN *txn, int nrelations,
							   Relation relations[],
							   ReorderBufferChange *change);
static void wal2kafka_message(LogicalDecodingContext *ctx,
							  ReorderBufferTXN *txn, XLogRecPtr lsn,
							  bool transactional, const char *prefix,
							  Size size, const char *content);
static void wal2kafka_stream_abort(LogicalDecodingContext *ctx,
								   ReorderBufferTXN *txn,
								   XLogRecPtr abort_lsn);
static bool wal2kafka_filter_origin(LogicalDecodingContext *ctx,
									ReplOriginId origin);
static void wal2kafka_commit(LogicalDecodingContext *ctx,
							 ReorderBufferTXN *txn, XLogRecPtr commit_lsn);

/* The library is loaded into ordinary sessions too: nothing else here. */
void
_PG_init(void)
{
	wal2kafka_register_label_provider();
}

void
_PG_output_plugin_init(OutputPluginCallbacks *cb)
{
	cb->startup_cb = wal2kafka_startup;
	cb->begin_cb = wal2kafka_begin;
	cb->change_cb = wal2kafka_change;
	cb->truncate_cb = wal2kafka_truncate;
	cb->message_cb = wal2kafka_message;
	cb->filter_by_origin_cb = wal2kafka_filter_origin;
	cb->commit_cb = wal2kafka_commit;
	cb->stream_abort_cb = wal2kafka_stream_abort;
}

/*
 * A walsender has no transaction here: a catalog lookup would end the server.
 * Options are empty when a slot is created.
 */
static void
wal2kafka_startup(LogicalDecodingContext *ctx, OutputPluginOptions *output,
				  bool is_init)
{
	Wal2KafkaState *state;
	MemoryContext caller;

	output->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
	output->receive_rewrites = false;
	ctx->streaming = false;
	ctx->twophase = false;
	if (is_init)
		return;

	caller = MemoryContextSwitchTo(ctx->context);
	state = palloc0(sizeof(Wal2KafkaState));
	state->ctx = ctx;
	state->change_context = AllocSetContextCreate(ctx->context,
												  "wal2kafka change",
												  ALLOCSET_DEFAULT_SIZES);
	wal2kafka_options_parse(ctx->output_plugin_options, &state->options);
	state->frames = state->options.proto_version > 0;
	state->sql = ctx->reader->routine.page_read == read_local_xlog_page;
	state->encoder.options = &state->options;
	state->encoder.charset = wal2kafka_charset(!state->frames);
	wal2kafka_change_init(state);
	wal2kafka_relation_init(ctx->context, &state->options,
							state->encoder.charset);
	if (!state->sql)
		wal2kafka_session_pin();

	ctx->output_plugin_private = state;
	if (state->frames)
	{
		output->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
		wal2kafka_batch_init(&state->batch, ctx, &state->options);
		wal2kafka_pageread_begin(&state->batch, ctx);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * Asked about each change as it is read from the log, and also while a slot
 * is created, when there is nothing of ours yet.
 */
static bool
wal2kafka_filter_origin(LogicalDecodingContext *ctx, ReplOriginId origin)
{
	Wal2KafkaState *state = ctx->output_plugin_private;

	return state && state->options.origin == ORIGIN_NONE &&
		origin != InvalidReplOriginId;
}

static char *
origin_name(ReorderBufferTXN *txn)
{
	char	   *name = NULL;

	if (txn->origin_id != InvalidReplOriginId)
		(void) replorigin_by_oid(txn->origin_id, true, &name);
	return name;
}

static void
wal2kafka_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	Wal2KafkaState *state = ctx->output_plugin_private;

	if (state->sql)
		state->guc_level = wal2kafka_session_pin_scoped();
	wal2kafka_relation_begin();
	if (state->frames)
		wal2kafka_batch_begin(&state->batch, ctx, txn->nentries);

	state->txn.commit_lsn = txn->final_lsn;
	state->txn.end_lsn = txn->end_lsn;
	state->txn.commit_time = TXN_COMMIT_TIME(txn);
	state->txn.xid = txn->xid;
	state->txn.foreign = txn->origin_id != InvalidReplOriginId;
	state->txn.ordinal = 0;
	state->txn.dropped = 0;
	state->txn.half_named = false;
	state->txn.lsn_len = 0;
	state->txn.origin = state->options.include_origin ?
		origin_name(txn) : NULL;
}

/*
 * Servers before 16 leave it to the plugin to say that it is alive while it
 * works through changes that send nothing.
 */
static void
report_progress(Wal2KafkaState *state)
{
	if (++state->unreported < PROGRESS_CHANGES)
		return;
	state->unreported = 0;
	if (PROGRESS_IS_OURS)
		OutputPluginUpdateProgress(state->ctx, false);
	if (state->frames)
		wal2kafka_batch_check_age(&state->batch, state->ctx);
}

typedef struct ErrorPlace
{
	Wal2KafkaState *state;
	Relation	relation;
} ErrorPlace;

/* An error halts the slot at this record: say which one it is. */
static void
error_place(void *arg)
{
	ErrorPlace *place = arg;
	const Wal2KafkaTxn *txn = &place->state->txn;

	if (place->state->encoder.column)
		errcontext("column \"%s\", which stub = %X/%X/" UINT64_FORMAT " in [wal2kafka] leaves out",
				   place->state->encoder.column,
				   LSN_FORMAT_ARGS(txn->commit_lsn), txn->ordinal);
	errcontext("wal2kafka record of table \"%s\", lsn " UINT64_FORMAT " (%X/%X), seq_id " UINT64_FORMAT,
			   RelationGetRelationName(place->relation), txn->commit_lsn,
			   LSN_FORMAT_ARGS(txn->commit_lsn), txn->ordinal);
}

static void
wal2kafka_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
				 Relation relation, ReorderBufferChange *change)
{
	Wal2KafkaState *state = ctx->output_plugin_private;
	ErrorPlace	place = {state, relation};
	ErrorContextCallback context = {error_context_stack, error_place, &place};
	MemoryContext caller;

	report_progress(state);

	error_context_stack = &context;
	caller = MemoryContextSwitchTo(state->change_context);

	wal2kafka_change_send(state, relation, change);

	MemoryContextSwitchTo(caller);
	MemoryContextReset(state->change_context);
	error_context_stack = context.previous;
}

static void
wal2kafka_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
				   int nrelations, Relation relations[],
				   ReorderBufferChange *change)
{
	Wal2KafkaState *state = ctx->output_plugin_private;
	ErrorPlace	place = {state, NULL};
	ErrorContextCallback context = {error_context_stack, error_place, &place};
	MemoryContext caller;

	error_context_stack = &context;
	caller = MemoryContextSwitchTo(state->change_context);

	for (int i = 0; i < nrelations; i++)
	{
		place.relation = relations[i];
		wal2kafka_truncate_send(state, relations[i], change);
	}

	MemoryContextSwitchTo(caller);
	MemoryContextReset(state->change_context);
	error_context_stack = context.previous;
}

/*
 * Messages are nothing to us but where the operator named topics, since any
 * role may write them.  Without "transactional" there may be no txn.
 */
static void
wal2kafka_message(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
				  XLogRecPtr lsn, bool transactional, const char *prefix,
				  Size size, const char *content)
{
	Wal2KafkaState *state = ctx->output_plugin_private;
	MemoryContext caller;

	if (transactional)
		report_progress(state);
	if (state->options.message_globs == NIL ||
		strcmp(prefix, MESSAGE_PREFIX) != 0)
		return;

	caller = MemoryContextSwitchTo(state->change_context);
	wal2kafka_message_send(state, lsn, transactional, content, size);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(state->change_context);
}

/*
 * The server wants to know for its views of lag, of which it takes one value a
 * second: once a frame is often enough, and spares a look at the clock.
 */
static void
report_commit(Wal2KafkaState *state)
{
	if (state->frames && state->reported == state->batch.serial)
		return;
	state->reported = state->batch.serial;
	OutputPluginUpdateProgress(state->ctx, state->txn.ordinal == 0);
}

static void
wal2kafka_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
				 XLogRecPtr commit_lsn)
{
	Wal2KafkaState *state = ctx->output_plugin_private;

	if (state->frames)
		wal2kafka_batch_commit(&state->batch, ctx, txn->end_lsn);
	report_commit(state);
	if (state->txn.origin)
	{
		pfree(state->txn.origin);
		state->txn.origin = NULL;
	}
	if (state->sql)
		wal2kafka_session_restore(state->guc_level);
}

/*
 * Nothing is streamed (startup clears ctx->streaming), but servers from 18 on
 * take the subtransactions of a large transaction that was rolled back for
 * streamed.  Without this callback they would stop there, at every start.
 */
static void
wal2kafka_stream_abort(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
					   XLogRecPtr abort_lsn)
{
}
