/*
 * snapshot.c
 *		The rows that a table has as frames of records.
 *
 * Rows are fetched under the caller's settings, for they decide what the query
 * means, and encoded under the plugin's own, so that a record has the bytes
 * that the stream would give it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "filter.h"
#include "rows.h"
#include "send.h"
#include "session.h"
#include "snapshot.h"

struct Wal2KafkaSnapshot
{
	Wal2KafkaState state;
	Wal2KafkaRows *rows;
};

Wal2KafkaSnapshot *
wal2kafka_snapshot_begin(const Wal2KafkaSnapshotRequest *request)
{
	Wal2KafkaSnapshot *snapshot = palloc0(sizeof(Wal2KafkaSnapshot));
	Wal2KafkaState *state = &snapshot->state;

	wal2kafka_options_parse(request->options, &state->options);
	state->change_context = AllocSetContextCreate(CurrentMemoryContext,
												  "wal2kafka row",
												  ALLOCSET_DEFAULT_SIZES);
	state->encoder.options = &state->options;
	state->encoder.charset = wal2kafka_charset(false);
	state->frames = true;
	state->sql = true;
	wal2kafka_batch_init(&state->batch, NULL, &state->options);

	state->txn.commit_lsn = request->lsn;
	state->txn.end_lsn = request->lsn + 1;
	state->txn.commit_time = GetCurrentTransactionStartTimestamp();
	state->txn.ordinal = request->seq_id;
	state->txn.snapshot = !request->unmarked;

	snapshot->rows = wal2kafka_rows_open(request->relid, request->where,
										 request->limit, &state->options,
										 state->encoder.charset);
	return snapshot;
}

static void
send_row(Wal2KafkaState *state, Wal2KafkaRelation *relation,
		 const Wal2KafkaRow *row)
{
	Wal2KafkaRecord record = {
		.op = OP_INSERT,
		.relation = relation,
		.new_row = row,
	};

	if (unlikely(relation->filter != NULL))
	{
		wal2kafka_filter_fetch(relation->filter, row);
		if (!wal2kafka_filter_passes(relation->filter, FILTER_INSERT, row,
									 NULL))
			return;
	}
	wal2kafka_send(state, &record, row);
}

static void
error_place(void *arg)
{
	const Wal2KafkaRelation *relation = *(Wal2KafkaRelation **) arg;

	if (relation)
		errcontext("wal2kafka snapshot of table \"%s.%s\"",
				   relation->schema, relation->table);
}

/* Encodes rows that were fetched, until a frame is full. */
static void
send_rows(Wal2KafkaSnapshot *snapshot)
{
	Wal2KafkaState *state = &snapshot->state;
	Wal2KafkaRelation *relation = NULL;
	const Wal2KafkaRow *row;
	ErrorContextCallback place = {error_context_stack, error_place, &relation};
	MemoryContext caller = MemoryContextSwitchTo(state->change_context);
	int			level = wal2kafka_session_pin_scoped();

	error_context_stack = &place;
	while (state->batch.finished == NULL &&
		   wal2kafka_rows_next(snapshot->rows, &relation, &row))
	{
		CHECK_FOR_INTERRUPTS();
		send_row(state, relation, row);
		MemoryContextReset(state->change_context);
	}
	error_context_stack = place.previous;
	wal2kafka_session_restore(level);
	MemoryContextSwitchTo(caller);
}

bytea *
wal2kafka_snapshot_frame(Wal2KafkaSnapshot *snapshot)
{
	Wal2KafkaBatch *batch = &snapshot->state.batch;
	bytea	   *frame;

	/* rows may be left of those that filled the frame before */
	do
		send_rows(snapshot);
	while (batch->finished == NULL && wal2kafka_rows_fetch(snapshot->rows));
	if (batch->finished == NULL)
		wal2kafka_batch_flush(batch, NULL);
	frame = batch->finished;
	batch->finished = NULL;
	return frame;
}

void
wal2kafka_snapshot_end(Wal2KafkaSnapshot *snapshot)
{
	wal2kafka_rows_close(snapshot->rows);
}
