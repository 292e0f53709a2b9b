/*
 * record.c
 *		One change as a Kafka record: its key and its JSON value.
 *
 *	{"table_name":T,"col_names":[...],"lsn":N,"seq_id":N,"op":{...},
 *	 "schema":S,"commit_ts":TS,"key":[...], and what the change calls for}
 *
 * Everything up to "lsn" and from "schema" on that does not depend on the row
 * lies ready in the relation's entry.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "record.h"

#define append_literal(out, text) \
	appendBinaryStringInfo((out), (text), sizeof(text) - 1)

void
wal2kafka_txn_texts(Wal2KafkaTxn *txn)
{
	struct pg_tm tm;
	fsec_t		fsec;

	txn->lsn_len = pg_ulltoa_n(txn->commit_lsn, txn->lsn_text);

	if (timestamp2tm(txn->commit_time, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "commit time out of range");
	txn->commit_ts_len =
		snprintf(txn->commit_ts, sizeof(txn->commit_ts),
				 "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
				 tm.tm_year, tm.tm_mon, tm.tm_mday,
				 tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}

static void
append_uint64(StringInfo out, uint64 number)
{
	enlargeStringInfo(out, MAXINT8LEN + 1);
	out->len += pg_ulltoa_n(number, out->data + out->len);
	out->data[out->len] = '\0';
}

static inline void
append_json_value(StringInfo out, Wal2KafkaEncoder *encoder,
				  Wal2KafkaColumn *column, const Wal2KafkaRow *row)
{
	int			i = column->attno - 1;

	if (row->nulls[i])
	{
		append_literal(out, "null");
		return;
	}
	appendStringInfoCharMacro(out, '"');
	wal2kafka_encoder_append(out, encoder, column, row->values[i], true);
	appendStringInfoCharMacro(out, '"');
}

Size
wal2kafka_record_measure(StringInfo scratch, Wal2KafkaEncoder *encoder,
						 Wal2KafkaColumn *column, const Wal2KafkaRow *row)
{
	resetStringInfo(scratch);
	wal2kafka_encoder_begin(encoder, scratch);
	encoder->size = 0;
	append_json_value(scratch, encoder, column, row);
	return encoder->overflow ? Max(encoder->size, encoder->limit + 1) :
		scratch->len;
}

void
wal2kafka_record_columns(StringInfo out, Wal2KafkaEncoder *encoder,
						 Wal2KafkaRelation *relation,
						 const int *columns, int count,
						 const Wal2KafkaRow *row)
{
	Wal2KafkaColumn *first = &relation->columns[columns[0]];

	if (count == 1 && !row->nulls[first->attno - 1])
	{
		wal2kafka_encoder_append(out, encoder, first,
								 row->values[first->attno - 1], false);
		return;
	}

	for (int i = 0; i < count; i++)
	{
		appendStringInfoCharMacro(out, i == 0 ? '[' : ',');
		append_json_value(out, encoder, &relation->columns[columns[i]], row);
	}
	appendStringInfoCharMacro(out, ']');
}

bool
wal2kafka_record_key(StringInfo out, Wal2KafkaEncoder *encoder,
					 Wal2KafkaRelation *relation, const Wal2KafkaRow *row)
{
	if (relation->nkey == 0)
		return false;
	wal2kafka_record_columns(out, encoder, relation, relation->key_columns,
							 relation->nkey, row);
	return true;
}

/* Which columns the record holds. */
static inline bool
holds(const Wal2KafkaRecord *record, int column)
{
	if (record->op == OP_DELETE && record->old == IDENTITY_KEY)
		return record->relation->columns[column].in_key;
	return (record->unchanged == NULL || !record->unchanged[column]) &&
		(record->omitted == NULL || !record->omitted[column].omitted);
}

/* An array parallel to col_names; a row that is not known is all null. */
static void
append_row(StringInfo out, Wal2KafkaEncoder *encoder,
		   const Wal2KafkaRecord *record, const Wal2KafkaRow *row,
		   Wal2KafkaIdentity known)
{
	Wal2KafkaRelation *relation = record->relation;
	char		separator = '[';

	for (int i = 0; i < relation->ncolumns; i++)
	{
		Wal2KafkaColumn *column = &relation->columns[i];

		if (!holds(record, i))
			continue;
		appendStringInfoCharMacro(out, separator);
		separator = ',';
		if (known == IDENTITY_FULL ||
			(known == IDENTITY_KEY && column->in_key))
			append_json_value(out, encoder, column, row);
		else
			append_literal(out, "null");
	}
	if (separator == '[')
		appendStringInfoCharMacro(out, '[');
	appendStringInfoCharMacro(out, ']');
}

static void
append_op(StringInfo out, Wal2KafkaEncoder *encoder,
		  const Wal2KafkaRecord *record)
{
	switch (record->op)
	{
		case OP_INSERT:
			append_literal(out, ",\"op\":{\"Insert\":");
			append_row(out, encoder, record, record->new_row, IDENTITY_FULL);
			break;
		case OP_UPDATE:
			append_literal(out, ",\"op\":{\"Update\":[");
			append_row(out, encoder, record, record->old_row, record->old);
			appendStringInfoCharMacro(out, ',');
			append_row(out, encoder, record, record->new_row, IDENTITY_FULL);
			appendStringInfoCharMacro(out, ']');
			break;
		case OP_DELETE:
			append_literal(out, ",\"op\":{\"Delete\":");
			append_row(out, encoder, record, record->old_row, record->old);
			break;
		case OP_TRUNCATE:
			append_literal(out, ",\"op\":{\"Truncate\":null");
			break;
	}
	appendStringInfoCharMacro(out, '}');
}

/* {"table_name":..."lsn": for a record whose columns are not all there */
static void
append_partial_head(StringInfo out, Wal2KafkaEncoder *encoder,
					const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;
	const char *separator = "";

	append_literal(out, "{\"table_name\":");
	wal2kafka_json_string(out, relation->table, encoder->charset);
	append_literal(out, ",\"col_names\":[");
	for (int i = 0; record->op != OP_TRUNCATE && i < relation->ncolumns; i++)
	{
		if (!holds(record, i))
			continue;
		appendStringInfoString(out, separator);
		appendStringInfoString(out, relation->columns[i].json_name);
		separator = ",";
	}
	append_literal(out, "],\"lsn\":");
}

static void
append_partial_key(StringInfo out, const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;

	if (relation->nidentity == 0 || record->op == OP_TRUNCATE)
		return;
	append_literal(out, ",\"key\":[");
	for (int i = 0; i < relation->nidentity; i++)
	{
		int			position = 0;

		for (int c = 0; c < relation->identity_columns[i]; c++)
			position += holds(record, c);
		appendStringInfo(out, "%s%d", i > 0 ? "," : "", position);
	}
	appendStringInfoChar(out, ']');
}

static void
append_unchanged(StringInfo out, const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;
	const char *separator = "";

	append_literal(out, ",\"unchanged\":[");
	for (int i = 0; i < relation->ncolumns; i++)
	{
		if (!record->unchanged[i])
			continue;
		appendStringInfoString(out, separator);
		appendStringInfoString(out, relation->columns[i].json_name);
		separator = ",";
	}
	appendStringInfoChar(out, ']');
}

/* {"column":bytes of its text}, null where it could not be made */
static void
append_omitted(StringInfo out, const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;
	const char *separator = "";

	append_literal(out, ",\"omitted\":{");
	for (int i = 0; i < relation->ncolumns; i++)
	{
		if (!record->omitted[i].omitted)
			continue;
		appendStringInfo(out, "%s%s:", separator,
						 relation->columns[i].json_name);
		if (record->omitted[i].failed)
			append_literal(out, "null");
		else
			append_uint64(out, record->omitted[i].size);
		separator = ",";
	}
	appendStringInfoChar(out, '}');
}

/* The fields that only some records have. */
static void
append_rare_fields(StringInfo out, Wal2KafkaEncoder *encoder,
				   const Wal2KafkaTxn *txn, const Wal2KafkaRecord *record)
{
	const Wal2KafkaOptions *options = encoder->options;

	if (record->op == OP_UPDATE || record->op == OP_DELETE)
	{
		if (record->old == IDENTITY_KEY)
			append_literal(out, ",\"identity\":\"key\"");
		else if (record->old == IDENTITY_NONE)
			append_literal(out, ",\"identity\":\"none\"");
	}
	if (record->unchanged)
		append_unchanged(out, record);
	if (record->omitted)
		append_omitted(out, record);
	if (record->key_change)
		append_literal(out, KEY_CHANGE_FIELD);
	if (record->op == OP_TRUNCATE)
		appendStringInfo(out, ",\"truncate\":{\"cascade\":%s,"
						 "\"restart_identity\":%s}",
						 record->cascade ? "true" : "false",
						 record->restart_identity ? "true" : "false");
	if (options->include_xid && !txn->snapshot)
		appendStringInfo(out, XID_FIELD "%u", txn->xid);
	if (options->include_origin && txn->origin)
	{
		append_literal(out, ",\"origin\":");
		wal2kafka_json_string(out, txn->origin, encoder->charset);
	}
}

void
wal2kafka_record_value(StringInfo out, Wal2KafkaEncoder *encoder,
					   const Wal2KafkaTxn *txn, const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;
	const Wal2KafkaShape *shape = NULL;

	if (record->op == OP_DELETE && record->old == IDENTITY_KEY)
		shape = &relation->key_only;
	else if (record->op != OP_TRUNCATE && record->unchanged == NULL &&
			 record->omitted == NULL)
		shape = &relation->full;

	if (shape)
		appendBinaryStringInfo(out, shape->head, shape->head_len);
	else
		append_partial_head(out, encoder, record);
	appendBinaryStringInfo(out, txn->lsn_text, txn->lsn_len);
	append_literal(out, ",\"seq_id\":");
	append_uint64(out, txn->ordinal);
	append_op(out, encoder, record);

	if (encoder->options->fields == FIELDS_ALL)
	{
		append_literal(out, ",\"schema\":\"");
		appendStringInfoString(out, relation->json_schema);
		append_literal(out, "\",\"commit_ts\":\"");
		appendBinaryStringInfo(out, txn->commit_ts, txn->commit_ts_len);
		appendStringInfoCharMacro(out, '"');
		if (txn->snapshot)
			append_literal(out, SNAPSHOT_FIELD);
		if (shape)
			appendBinaryStringInfo(out, shape->key, shape->key_len);
		else
			append_partial_key(out, record);
		append_rare_fields(out, encoder, txn, record);
	}
	appendStringInfoCharMacro(out, '}');
}
