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

#include "put.h"
#include "record.h"
#include "scalar.h"

/* for numbers, names of fields and punctuation beside what asks for its own */
#define ROOM	128

#define append_literal(out, text) \
	appendBinaryStringInfo((out), (text), sizeof(text) - 1)

/* YYYY-MM-DDTHH:MM:SS.ffffffZ */
static int
put_commit_ts(char *text, int size, TimestampTz time)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int64		day;
	int64		micros = wal2kafka_time_split(time, &day);
	char	   *to = wal2kafka_date_put(text, day);

	if (likely(to))
	{
		*to++ = 'T';
		to = wal2kafka_clock_put(to, micros / USECS_PER_SEC);
		*to++ = '.';
		to = wal2kafka_micros_put(to, (int) (micros % USECS_PER_SEC));
		*to++ = 'Z';
		return to - text;
	}
	/* an origin may claim any */
	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "commit time out of range");
	return snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
					tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}

void
wal2kafka_txn_texts(Wal2KafkaTxn *txn)
{
	txn->lsn_len = pg_ulltoa_n(txn->commit_lsn, txn->lsn_text);
	txn->commit_ts_len = put_commit_ts(txn->commit_ts, sizeof(txn->commit_ts),
									   txn->commit_time);
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

static inline bool
holds_all(const Wal2KafkaRecord *record)
{
	return record->unchanged == NULL && record->omitted == NULL &&
		(record->op != OP_DELETE || record->old != IDENTITY_KEY);
}

/*
 * An array parallel to col_names; a row that is not known is all null.  There
 * is room for a few bytes at the place that it returns.
 */
static char *
put_row(StringInfo out, char *to, Wal2KafkaEncoder *encoder,
		const Wal2KafkaRecord *record, const Wal2KafkaRow *row,
		Wal2KafkaIdentity known)
{
	Wal2KafkaRelation *relation = record->relation;
	bool		all = holds_all(record);
	char		separator = '[';

	for (int i = 0; i < relation->ncolumns; i++)
	{
		Wal2KafkaColumn *column = &relation->columns[i];
		int			attribute = column->attno - 1;

		if (unlikely(!all) && !holds(record, i))
			continue;
		to = put_room(out, to, ENCODER_ROOM + 1);
		*to++ = separator;
		separator = ',';
		if ((known == IDENTITY_FULL ||
			 (known == IDENTITY_KEY && column->in_key)) &&
			!row->nulls[attribute])
			to = wal2kafka_encoder_put(out, to, encoder, column,
									   row->values[attribute]);
		else
			to = put_literal(to, "null");
	}
	to = put_room(out, to, ROOM);
	if (separator == '[')
		*to++ = '[';
	*to++ = ']';
	return to;
}

static char *
put_op(StringInfo out, char *to, Wal2KafkaEncoder *encoder,
	   const Wal2KafkaRecord *record)
{
	switch (record->op)
	{
		case OP_INSERT:
			to = put_literal(to, ",\"op\":{\"Insert\":");
			to = put_row(out, to, encoder, record, record->new_row,
						 IDENTITY_FULL);
			break;
		case OP_UPDATE:
			to = put_literal(to, ",\"op\":{\"Update\":[");
			to = put_row(out, to, encoder, record, record->old_row,
						 record->old);
			*to++ = ',';
			to = put_row(out, to, encoder, record, record->new_row,
						 IDENTITY_FULL);
			*to++ = ']';
			break;
		case OP_DELETE:
			to = put_literal(to, ",\"op\":{\"Delete\":");
			to = put_row(out, to, encoder, record, record->old_row,
						 record->old);
			break;
		case OP_TRUNCATE:
			to = put_literal(to, ",\"op\":{\"Truncate\":null");
			break;
	}
	*to++ = '}';
	return to;
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

/* NULL: its columns are not all there. */
static const Wal2KafkaShape *
find_shape(const Wal2KafkaRecord *record)
{
	if (record->op == OP_DELETE && record->old == IDENTITY_KEY)
		return &record->relation->key_only;
	if (record->op != OP_TRUNCATE && holds_all(record))
		return &record->relation->full;
	return NULL;
}

/* Everything before what the record's operation brings. */
static char *
put_head(StringInfo out, Wal2KafkaEncoder *encoder, const Wal2KafkaTxn *txn,
		 const Wal2KafkaRecord *record, const Wal2KafkaShape *shape)
{
	char	   *to;

	if (unlikely(shape == NULL))
		append_partial_head(out, encoder, record);
	to = put_room(out, out->data + out->len,
				  (shape ? shape->head_len : 0) + ROOM);
	if (likely(shape))
		to = put_bytes(to, shape->head, shape->head_len);
	to = put_bytes(to, txn->lsn_text, txn->lsn_len);
	to = put_literal(to, ",\"seq_id\":");
	return to + pg_ulltoa_n(txn->ordinal, to);
}

/* The fields behind it that every record has. */
static char *
put_fields(StringInfo out, char *to, const Wal2KafkaTxn *txn,
		   const Wal2KafkaRelation *relation)
{
	to = put_room(out, to, relation->stamp_len + ROOM);
	to = put_bytes(to, relation->stamp, relation->stamp_len);
	to = put_bytes(to, txn->commit_ts, txn->commit_ts_len);
	*to++ = '"';
	return txn->snapshot ? put_literal(to, SNAPSHOT_FIELD) : to;
}

/* Whether append_rare_fields() has anything to do. */
static inline bool
has_rare_fields(const Wal2KafkaOptions *options,
				const Wal2KafkaRecord *record)
{
	return record->op == OP_TRUNCATE || record->unchanged ||
		record->omitted || record->key_change ||
		(record->op != OP_INSERT && record->old != IDENTITY_FULL) ||
		options->include_xid || options->include_origin;
}

void
wal2kafka_record_value(StringInfo out, Wal2KafkaEncoder *encoder,
					   const Wal2KafkaTxn *txn, const Wal2KafkaRecord *record)
{
	const Wal2KafkaRelation *relation = record->relation;
	const Wal2KafkaShape *shape = find_shape(record);
	char	   *to;

	to = put_head(out, encoder, txn, record, shape);
	to = put_op(out, to, encoder, record);
	if (encoder->options->fields == FIELDS_ALL)
	{
		to = put_fields(out, to, txn, relation);
		if (likely(shape))
		{
			to = put_room(out, to, shape->key_len + ROOM);
			to = put_bytes(to, shape->key, shape->key_len);
		}
		if (!shape || has_rare_fields(encoder->options, record))
		{
			put_end(out, to);
			if (!shape)
				append_partial_key(out, record);
			append_rare_fields(out, encoder, txn, record);
			to = put_room(out, out->data + out->len, ROOM);
		}
	}
	*to++ = '}';
	put_end(out, to);
}
