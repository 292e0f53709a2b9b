/*
 * change.c
 *		One decoded change as the record or records that it means.
 *
 * Decides; record.c encodes, send.c and batch.c send.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "change.h"
#include "compat.h"
#include "filter.h"
#include "send.h"

static void
row_init(Wal2KafkaRow *row)
{
	row->values = palloc(sizeof(Datum) * MaxHeapAttributeNumber);
	row->nulls = palloc(sizeof(bool) * MaxHeapAttributeNumber);
}

void
wal2kafka_change_init(Wal2KafkaState *state)
{
	row_init(&state->old_row);
	row_init(&state->new_row);
	state->unchanged = palloc(sizeof(bool) * MaxHeapAttributeNumber);
	initStringInfo(&state->old_key);
	initStringInfo(&state->new_key);
}

static void
notice(Wal2KafkaState *state, enum wire_notice code,
	   Wal2KafkaRelation *relation, XLogRecPtr lsn)
{
	if (state->frames)
		wal2kafka_batch_notice(&state->batch, state->ctx, code, relation,
							   lsn);
}

/* ---- deciding ---- */

static bool
is_on_disk(const Wal2KafkaColumn *column, const Wal2KafkaRow *row)
{
	int			i = column->attno - 1;

	return column->is_varlena && !row->nulls[i] &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(row->values[i]));
}

/*
 * A large value that an update did not touch is not in the new tuple, only a
 * pointer to where it was.  Takes it from the old row where that holds it;
 * else the column is left out: null would be a lie, and fetching it would
 * read what later transactions made of it.
 */
static const bool *
fill_unchanged(Wal2KafkaState *state, const Wal2KafkaRelation *relation,
			   Wal2KafkaIdentity old)
{
	bool		any = false;

	if (likely(!state->new_row.has_external))
		return NULL;
	for (int c = 0; c < relation->ncolumns; c++)
	{
		const Wal2KafkaColumn *column = &relation->columns[c];
		int			i = column->attno - 1;

		state->unchanged[c] = false;
		if (!is_on_disk(column, &state->new_row))
			continue;
		if (old == IDENTITY_FULL ||
			(old == IDENTITY_KEY && column->in_identity))
		{
			state->new_row.values[i] = state->old_row.values[i];
			state->new_row.nulls[i] = state->old_row.nulls[i];
		}
		else
		{
			state->unchanged[c] = true;
			any = true;
		}
	}
	return any ? state->unchanged : NULL;
}

/*
 * Whether the two rows have different text in these columns.  Judged by its
 * bytes once the stored values differ: an old tuple is also logged when a
 * large key column did not change, and values may be stored in more than one
 * way.
 */
static bool
columns_differ(Wal2KafkaState *state, Wal2KafkaRelation *relation,
			   const int *columns, int count)
{
	bool		same = true;
	bool		has_old;
	bool		has_new;

	for (int k = 0; k < count && same; k++)
	{
		const Wal2KafkaColumn *column = &relation->columns[columns[k]];
		int			i = column->attno - 1;

		same = state->old_row.nulls[i] == state->new_row.nulls[i] &&
			(state->old_row.nulls[i] ||
			 state->old_row.values[i] == state->new_row.values[i] ||
			 (column->is_varlena &&
			  datumIsEqual(state->old_row.values[i],
						   state->new_row.values[i], false, -1)));
	}
	if (same)
		return false;

	/* one that cannot be made differs from one that can */
	has_old = wal2kafka_send_columns(state, &state->old_key, relation,
									 columns, count, &state->old_row);
	has_new = wal2kafka_send_columns(state, &state->new_key, relation,
									 columns, count, &state->new_row);
	if (!has_old || !has_new)
		return has_old != has_new;
	return state->old_key.len != state->new_key.len ||
		memcmp(state->old_key.data, state->new_key.data,
			   state->old_key.len) != 0;
}

/*
 * Whether the update made another row of it: its Kafka key changed, or what
 * else identifies it.  Readers of a snapshot find rows by the identity, and an
 * old one must be gone from there, too.
 */
static bool
key_differs(Wal2KafkaState *state, Wal2KafkaRelation *relation)
{
	return columns_differ(state, relation, relation->key_columns,
						  relation->nkey) ||
		(unlikely(relation->nbeside > 0) &&
		 columns_differ(state, relation, relation->beside_columns,
						relation->nbeside));
}

/* "old" is what is known of the row as it was before, if it was. */
static void
send_insert(Wal2KafkaState *state, Wal2KafkaRelation *relation,
			Wal2KafkaIdentity old)
{
	Wal2KafkaRecord record = {
		.op = OP_INSERT,
		.relation = relation,
		.new_row = &state->new_row,
		.unchanged = fill_unchanged(state, relation, old),
	};

	wal2kafka_send(state, &record, &state->new_row);
}

static void
send_delete(Wal2KafkaState *state, Wal2KafkaRelation *relation,
			Wal2KafkaIdentity old, XLogRecPtr lsn)
{
	Wal2KafkaRecord record = {
		.op = OP_DELETE,
		.relation = relation,
		.old = old,
		.old_row = &state->old_row,
	};

	if (old == IDENTITY_NONE)
		notice(state, WIRE_NOTICE_NO_IDENTITY, relation, lsn);
	wal2kafka_send(state, &record, &state->old_row);
}

/*
 * Nothing may stay behind under the old key, or in the old partition.  Where
 * only the identity changed, both halves have the same key and partition.
 */
static void
send_split(Wal2KafkaState *state, Wal2KafkaRelation *relation,
		   Wal2KafkaIdentity old, const bool *unchanged)
{
	Wal2KafkaRecord removed = {
		.op = OP_DELETE,
		.relation = relation,
		.old = old,
		.old_row = &state->old_row,
		.key_change = true,
	};
	Wal2KafkaRecord added = {
		.op = OP_INSERT,
		.relation = relation,
		.new_row = &state->new_row,
		.unchanged = unchanged,
		.key_change = true,
	};

	wal2kafka_send(state, &removed, &state->old_row);
	wal2kafka_send(state, &added, &state->new_row);
}

static void
send_update(Wal2KafkaState *state, Wal2KafkaRelation *relation,
			bool has_old, XLogRecPtr lsn)
{
	Wal2KafkaIdentity old = has_old ? relation->identity : IDENTITY_NONE;
	Wal2KafkaRecord record = {
		.op = OP_UPDATE,
		.relation = relation,
		.new_row = &state->new_row,
		.old_row = &state->old_row,
	};

	record.unchanged = fill_unchanged(state, relation, old);

	/* an old tuple that was not logged has the new one's key */
	if (!has_old && relation->identity == IDENTITY_KEY)
	{
		old = IDENTITY_KEY;
		record.old_row = &state->new_row;
	}
	record.old = old;

	if (has_old && old != IDENTITY_NONE && relation->nkey > 0 &&
		state->options.key_change == KEY_CHANGE_SPLIT &&
		key_differs(state, relation))
	{
		send_split(state, relation, old, record.unchanged);
		return;
	}

	if (old == IDENTITY_NONE)
		notice(state, WIRE_NOTICE_NO_IDENTITY, relation, lsn);
	wal2kafka_send(state, &record, &state->new_row);
}

static inline bool
passes(Wal2KafkaRelation *relation, Wal2KafkaFilterOp op,
	   const Wal2KafkaRow *row)
{
	return likely(relation->filter == NULL) ||
		wal2kafka_filter_passes(relation->filter, op, row, NULL);
}

/*
 * To those who see what the row filter lets pass, a row that comes to pass
 * by an update appears, and one that no longer does goes.
 */
static void
send_filtered_update(Wal2KafkaState *state, Wal2KafkaRelation *relation,
					 bool has_old, XLogRecPtr lsn)
{
	bool		is_seen;
	bool		was_seen;

	is_seen = wal2kafka_filter_passes(relation->filter, FILTER_UPDATE,
									  &state->new_row,
									  has_old ? &state->old_row : NULL);
	was_seen = !has_old ? is_seen :
		wal2kafka_filter_passes(relation->filter, FILTER_UPDATE,
								&state->old_row, NULL);

	if (was_seen && is_seen)
		send_update(state, relation, has_old, lsn);
	else if (is_seen)
		send_insert(state, relation, relation->identity);
	else if (was_seen)
		send_delete(state, relation, relation->identity, lsn);
}

static bool
deform(HeapTuple tuple, Relation relation, Wal2KafkaRow *row)
{
	if (tuple == NULL)
		return false;
	heap_deform_tuple(tuple, RelationGetDescr(relation), row->values,
					  row->nulls);
	row->has_external = HeapTupleHasExternal(tuple);
	return true;
}

void
wal2kafka_change_send(Wal2KafkaState *state, Relation relation,
					  ReorderBufferChange *change)
{
	Wal2KafkaRelation *entry = wal2kafka_relation_lookup(relation);
	HeapTuple	old_tuple = CHANGE_TUPLE(change->data.tp.oldtuple);
	HeapTuple	new_tuple = CHANGE_TUPLE(change->data.tp.newtuple);
	bool		has_old;

	switch (change->action)
	{
		case REORDER_BUFFER_CHANGE_INSERT:
			if (entry->actions.insert &&
				deform(new_tuple, relation, &state->new_row) &&
				passes(entry, FILTER_INSERT, &state->new_row))
				send_insert(state, entry, IDENTITY_NONE);
			break;
		case REORDER_BUFFER_CHANGE_UPDATE:
			if (!entry->actions.update ||
				!deform(new_tuple, relation, &state->new_row))
				break;
			has_old = deform(old_tuple, relation, &state->old_row);
			if (likely(entry->filter == NULL))
				send_update(state, entry, has_old, change->lsn);
			else
				send_filtered_update(state, entry, has_old, change->lsn);
			break;
		case REORDER_BUFFER_CHANGE_DELETE:
			if (!entry->actions.delete)
				break;
			has_old = deform(old_tuple, relation, &state->old_row);
			/* a row of which nothing is known is reported, not filtered */
			if (!has_old)
				send_delete(state, entry, IDENTITY_NONE, change->lsn);
			else if (passes(entry, FILTER_DELETE, &state->old_row))
				send_delete(state, entry, entry->identity, change->lsn);
			break;
		default:
			elog(ERROR, "unexpected change action %d", (int) change->action);
	}
}

void
wal2kafka_truncate_send(Wal2KafkaState *state, Relation relation,
						ReorderBufferChange *change)
{
	Wal2KafkaRelation *entry = wal2kafka_relation_lookup(relation);
	Wal2KafkaRecord record = {
		.op = OP_TRUNCATE,
		.relation = entry,
		.cascade = change->data.truncate.cascade,
		.restart_identity = change->data.truncate.restart_seqs,
	};

	/*
	 * published as its root, a partition's truncate says nothing of the root
	 */
	if (!entry->actions.truncate ||
		entry->actions.publish_as != RelationGetRelid(relation))
		return;

	switch (state->options.truncate)
	{
		case TRUNCATE_EMIT:
			wal2kafka_send(state, &record, NULL);
			break;
		case TRUNCATE_SKIP:
			notice(state, WIRE_NOTICE_TRUNCATE_SKIPPED, entry, change->lsn);
			break;
		case TRUNCATE_HALT:
			if (state->frames)
				wal2kafka_batch_flush(&state->batch, state->ctx);
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s.%s\" was truncated, and truncate is \"halt\"",
							entry->schema, entry->table),
					 errhint("Go on with truncate = skip or emit, after the copies were emptied.")));
	}
}
