/*
 * send.c
 *		One record on its way: encoded, cut down where it must and may be, and
 *		handed to the batch or the client.
 */
#include "postgres.h"

#include "partition.h"
#include "send.h"
#include "stub.h"

/* {"truncate":"schema.table"}: no row's key can be equal to it */
static void
append_truncate_key(StringInfo out, Wal2KafkaState *state,
					const Wal2KafkaRelation *relation)
{
	Wal2KafkaCharset charset = state->encoder.charset;

	appendStringInfo(out, "{\"truncate\":\"%s.", relation->json_schema);
	wal2kafka_json_escape(out, relation->table, strlen(relation->table),
						  charset);
	appendStringInfoString(out, "\"}");
}

/*
 * Bytes that a record leaves free.  A table without a key finds rows by all
 * of OLD: whether a row can be sent whole must not depend on the length of
 * its record's numbers, nor on its being half of an update or of a snapshot,
 * or OLD would hold what NEW was sent without.
 */
static Size
margin(const Wal2KafkaState *state, const Wal2KafkaRecord *record)
{
	const Wal2KafkaTxn *txn = &state->txn;
	char		digits[MAXINT8LEN + 1];
	Size		size;

	if (likely(record->relation->identity != IDENTITY_FULL ||
			   record->relation->nidentity > 0))
		return 0;
	size = MAXINT8LEN - txn->lsn_len +
		MAXINT8LEN - pg_ulltoa_n(txn->ordinal, digits);
	if (!record->key_change)
		size += sizeof(KEY_CHANGE_FIELD) - 1;
	if (!txn->snapshot)
		size += sizeof(SNAPSHOT_FIELD) - 1;
	if (state->options.include_xid)
		size += MAXINT8LEN - (txn->snapshot ? -(int) (sizeof(XID_FIELD) - 1) :
							  pg_ulltoa_n(txn->xid, digits));
	return Min(size, state->options.record_limit);
}

static void
begin(Wal2KafkaState *state, const Wal2KafkaRecord *record,
	  const StringInfoData *out)
{
	wal2kafka_encoder_begin(&state->encoder, out);
	state->encoder.limit -= margin(state, record);
}

static bool
try_text(Wal2KafkaState *state, const Wal2KafkaRecord *record)
{
	StringInfo	out = state->ctx->out;
	bool		whole;

	OutputPluginPrepareWrite(state->ctx, true);
	begin(state, record, out);
	wal2kafka_record_value(out, &state->encoder, &state->txn, record);
	whole = wal2kafka_encoder_is_whole(&state->encoder, out);
	if (whole)
		OutputPluginWrite(state->ctx, true);
	wal2kafka_buffer_empty(out);
	return whole;
}

static bool
try_framed(Wal2KafkaState *state, const Wal2KafkaRecord *record,
		   const Wal2KafkaRow *key_row, bool stub)
{
	Wal2KafkaRelation *relation = record->relation;
	StringInfo	out;
	int			start;
	int			key_len;
	uint32		hash = relation->null_key_hash;
	uint8		flags = 0;

	out = wal2kafka_batch_record(&state->batch, relation, &state->txn, stub);
	start = out->len;
	begin(state, record, out);
	if (record->op == OP_TRUNCATE)
	{
		append_truncate_key(out, state, relation);
		flags |= WIRE_RECORD_EVERY_PARTITION;
	}
	else if (wal2kafka_record_key(out, &state->encoder, relation, key_row))
		hash = wal2kafka_partition_hash(state->options.partitioner,
										out->data + start, out->len - start);
	else
		flags |= WIRE_RECORD_NULL_KEY;

	key_len = out->len - start;
	wal2kafka_record_value(out, &state->encoder, &state->txn, record);
	if (!wal2kafka_encoder_is_whole(&state->encoder, out))
	{
		wal2kafka_batch_record_cancel(&state->batch, relation);
		return false;
	}
	wal2kafka_batch_record_end(&state->batch, state->ctx, key_len, hash,
							   flags);
	return true;
}

static inline bool
try_record(Wal2KafkaState *state, const Wal2KafkaRecord *record,
		   const Wal2KafkaRow *key_row, bool stub)
{
	return state->frames ? try_framed(state, record, key_row, stub) :
		try_text(state, record);
}

static inline bool
is_named(const Wal2KafkaState *state)
{
	return state->txn.half_named ||
		(state->options.stub_names != NIL &&
		 wal2kafka_stub_named(&state->options, &state->txn));
}

static inline bool
may_stub(const Wal2KafkaState *state)
{
	return state->options.on_error == ON_ERROR_STUB || is_named(state);
}

static void
choose_isolation(Wal2KafkaState *state)
{
	if (is_named(state))
		state->encoder.isolate = ISOLATE_ALL;
	else if (state->options.on_error == ON_ERROR_STUB)
		state->encoder.isolate = ISOLATE_FOREIGN;
	else
		state->encoder.isolate = ISOLATE_NONE;
}

/*
 * What cannot even be a stub was named by a person, who knows that it is lost:
 * the next record takes its number.
 */
static void
drop(Wal2KafkaState *state, Wal2KafkaRelation *relation)
{
	if (state->frames)
		wal2kafka_batch_notice(&state->batch, state->ctx, WIRE_NOTICE_DROPPED,
							   relation, state->txn.commit_lsn);
	ereport(LOG,
			(errmsg("record %s of table \"%s.%s\" is dropped, as option \"stub\" asks",
					wal2kafka_stub_name(&state->txn), relation->schema,
					relation->table)));
	state->txn.dropped++;
}

/*
 * A table without a key: what is found by all of OLD must have been sent as
 * all of NEW.  Two records of about the same size see to it; an update with
 * both rows in it would leave out what was sent before, or will be.  A name
 * stands for both: who is asked for the second might change the limit instead,
 * and the first would have the update's number already.
 */
static void
send_halves(Wal2KafkaState *state, const Wal2KafkaRecord *record)
{
	Wal2KafkaRecord removed = *record;
	Wal2KafkaRecord added = *record;
	bool		named = is_named(state);

	removed.op = OP_DELETE;
	added.op = OP_INSERT;
	removed.key_change = added.key_change = true;
	wal2kafka_send(state, &removed, record->old_row);
	state->txn.half_named = named;
	wal2kafka_send(state, &added, record->new_row);
	state->txn.half_named = false;
}

static void
count_record(Wal2KafkaTxn *txn)
{
	txn->ordinal++;
	txn->dropped = 0;
}

static void
send_stub(Wal2KafkaState *state, const Wal2KafkaRecord *record,
		  const Wal2KafkaRow *key_row)
{
	Wal2KafkaStub stub;

	if (!may_stub(state))
		wal2kafka_stub_refuse(state, record, false);
	if (record->op == OP_UPDATE && record->old == IDENTITY_FULL &&
		record->relation->nidentity == 0)
	{
		send_halves(state, record);
		return;
	}

	wal2kafka_stub_begin(&stub, record);
	while (wal2kafka_stub_cut(&stub, state))
	{
		if (try_record(state, &stub.record, key_row, true))
		{
			count_record(&state->txn);
			return;
		}
	}
	if (!is_named(state))
		wal2kafka_stub_refuse(state, record, true);
	drop(state, record->relation);
}

void
wal2kafka_send(Wal2KafkaState *state, const Wal2KafkaRecord *record,
			   const Wal2KafkaRow *key_row)
{
	if (state->txn.lsn_len == 0)
		wal2kafka_txn_texts(&state->txn);
	choose_isolation(state);

	if (likely(try_record(state, record, key_row, false)))
		count_record(&state->txn);
	else
		send_stub(state, record, key_row);
}

bool
wal2kafka_send_columns(Wal2KafkaState *state, StringInfo out,
					   Wal2KafkaRelation *relation, const int *columns,
					   int count, const Wal2KafkaRow *row)
{
	choose_isolation(state);
	wal2kafka_buffer_empty(out);
	wal2kafka_encoder_begin(&state->encoder, out);
	wal2kafka_record_columns(out, &state->encoder, relation, columns, count,
							 row);
	return wal2kafka_encoder_is_whole(&state->encoder, out);
}
