/*
 * stub.c
 *		Records that cannot be sent whole: too large, or with a value that has
 *		no text.
 */
#include "postgres.h"

#include <inttypes.h>

#include "utils/builtins.h"

#include "compat.h"
#include "stub.h"

typedef struct RecordName
{
	XLogRecPtr	lsn;
	uint64		ordinal;
} RecordName;

/* ---- names ---- */

static RecordName *
parse_name(const char *text)
{
	RecordName *name = palloc(sizeof(RecordName));
	uint32		high;
	uint32		low;
	int			end = 0;

	/* widths that cannot overflow */
	if (sscanf(text, "%8X/%8X/%18" SCNu64 "%n", &high, &low,
			   &name->ordinal, &end) != 3 ||
		text[end] != '\0' || strspn(text, "0123456789ABCDEFabcdef/") != end)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"stub\": \"%s\"", text),
				 errhint("Write LSN/SEQ as the message about the record does, as in 0/15D6A28/3, with commas between several.")));
	name->lsn = (uint64) high << 32 | low;
	return name;
}

List *
wal2kafka_stub_names(const char *text)
{
	List	   *names = NIL;
	char	   *rest = pstrdup(text);
	char	   *name;

	while ((name = strsep(&rest, ",")) != NULL)
	{
		while (*name == ' ')
			name++;
		names = lappend(names, parse_name(name));
	}
	return names;
}

char *
wal2kafka_stub_name(const Wal2KafkaTxn *txn)
{
	return psprintf("%X/%X/" UINT64_FORMAT, LSN_FORMAT_ARGS(txn->commit_lsn),
					txn->ordinal);
}

bool
wal2kafka_stub_named(const Wal2KafkaOptions *options, const Wal2KafkaTxn *txn)
{
	uint32		count = 0;
	ListCell   *lc;

	foreach(lc, options->stub_names)
	{
		const RecordName *name = lfirst(lc);

		count += name->lsn == txn->commit_lsn &&
			name->ordinal == txn->ordinal;
	}
	return count > txn->dropped;
}

/* ---- what may go ---- */

static bool
is_kafka_key(const Wal2KafkaRelation *relation, int column)
{
	for (int i = 0; i < relation->nkey; i++)
	{
		if (relation->key_columns[i] == column)
			return true;
	}
	return false;
}

static bool
is_there(const Wal2KafkaStub *stub, int column)
{
	const Wal2KafkaRecord *record = &stub->record;

	if (record->op == OP_DELETE && record->old == IDENTITY_KEY)
		return record->relation->columns[column].in_key;
	return !stub->omitted[column].omitted &&
		(record->unchanged == NULL || !record->unchanged[column]);
}

static bool
may_go(const Wal2KafkaStub *stub, int column)
{
	const Wal2KafkaRelation *relation = stub->record.relation;

	return is_there(stub, column) && !relation->columns[column].in_key &&
		!is_kafka_key(relation, column);
}

/* A row without columns would be every row, to some. */
static bool
is_last(const Wal2KafkaStub *stub)
{
	int			count = 0;

	for (int c = 0; c < stub->record.relation->ncolumns; c++)
		count += is_there(stub, c);
	return count <= 1;
}

static bool
omit(Wal2KafkaStub *stub, int column)
{
	if (!may_go(stub, column) || is_last(stub))
		return false;
	stub->omitted[column].omitted = true;
	stub->record.omitted = stub->omitted;
	return true;
}

static bool
omit_failed(Wal2KafkaStub *stub, const Wal2KafkaEncoder *encoder)
{
	const Wal2KafkaRelation *relation = stub->record.relation;
	ListCell   *lc;

	foreach(lc, encoder->failed)
	{
		const Wal2KafkaColumn *failed = lfirst(lc);
		int			column = failed - relation->columns;

		/* in both rows, perhaps */
		if (stub->omitted[column].failed)
			continue;
		if (!omit(stub, column))
			return false;
		stub->omitted[column].failed = true;
		ereport(LOG,
				(errmsg("the output function of column \"%s\" of table \"%s.%s\" raised an error, SQLSTATE %s",
						relation->columns[column].name, relation->schema,
						relation->table,
						unpack_sql_state(encoder->sqlstate))));
	}
	return true;
}

/* ---- sizes ---- */

static void
measure_row(Wal2KafkaStub *stub, Wal2KafkaEncoder *encoder,
			StringInfo scratch, int column, const Wal2KafkaRow *row)
{
	Wal2KafkaOmission *omission = &stub->omitted[column];

	stub->cost[column] +=
		wal2kafka_record_measure(scratch, encoder,
								 &stub->record.relation->columns[column], row);
	omission->size = Max(omission->size, encoder->size);
}

static void
measure_column(Wal2KafkaStub *stub, Wal2KafkaEncoder *encoder,
			   StringInfo scratch, int column)
{
	const Wal2KafkaRecord *record = &stub->record;
	bool		in_key = record->relation->columns[column].in_key;

	if (record->op == OP_INSERT || record->op == OP_UPDATE)
		measure_row(stub, encoder, scratch, column, record->new_row);
	if ((record->op == OP_UPDATE || record->op == OP_DELETE) &&
		(record->old == IDENTITY_FULL ||
		 (record->old == IDENTITY_KEY && in_key)))
		measure_row(stub, encoder, scratch, column, record->old_row);

	if (stub->largest < 0 || stub->cost[column] > stub->cost[stub->largest])
	{
		stub->largest = column;
		stub->largest_size = stub->omitted[column].size;
	}
}

static int
compare_cost(const void *a, const void *b, void *arg)
{
	const Wal2KafkaStub *stub = arg;
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	if (stub->cost[left] != stub->cost[right])
		return stub->cost[left] > stub->cost[right] ? -1 : 1;
	return left - right;
}

static void
measure(Wal2KafkaStub *stub, Wal2KafkaEncoder *encoder)
{
	int			ncolumns = stub->record.relation->ncolumns;
	StringInfoData scratch;

	stub->cost = palloc0(sizeof(Size) * ncolumns);
	stub->order = palloc(sizeof(int) * ncolumns);
	initStringInfo(&scratch);
	for (int c = 0; c < ncolumns; c++)
	{
		if (!is_there(stub, c))
			continue;
		measure_column(stub, encoder, &scratch, c);
		if (!may_go(stub, c))
			continue;
		stub->order[stub->norder++] = c;
		stub->rest += stub->cost[c];
	}
	pfree(scratch.data);
	qsort_arg(stub->order, stub->norder, sizeof(int), compare_cost, stub);
}

/* ---- cutting ---- */

void
wal2kafka_stub_begin(Wal2KafkaStub *stub, const Wal2KafkaRecord *record)
{
	memset(stub, 0, sizeof(*stub));
	stub->record = *record;
	stub->omitted = palloc0(sizeof(Wal2KafkaOmission) *
							record->relation->ncolumns);
	stub->largest = -1;
}

/* No consumer that finds rows by their primary key loses anything. */
static bool
cut_old(Wal2KafkaRecord *record)
{
	if (record->old != IDENTITY_FULL || record->relation->nidentity == 0 ||
		(record->op != OP_UPDATE && record->op != OP_DELETE))
		return false;
	record->old = IDENTITY_KEY;
	return true;
}

/* As many as must go by their size alone, but one at least. */
static bool
cut_largest(Wal2KafkaStub *stub, const Wal2KafkaOptions *options)
{
	do
	{
		int			column;

		if (stub->gone == stub->norder)
			return false;
		column = stub->order[stub->gone++];
		stub->rest -= stub->cost[column];
		/* one whose function failed meanwhile has gone before */
		if (!stub->omitted[column].omitted && !omit(stub, column))
			return false;
	} while (stub->rest > options->record_limit);
	return true;
}

bool
wal2kafka_stub_cut(Wal2KafkaStub *stub, Wal2KafkaState *state)
{
	Wal2KafkaEncoder *encoder = &state->encoder;

	if (encoder->failed != NIL)
		return omit_failed(stub, encoder);
	if (cut_old(&stub->record))
		return true;
	if (stub->order == NULL)
		measure(stub, encoder);
	return cut_largest(stub, &state->options);
}

/* ---- halting ---- */

static char *
key_columns(const Wal2KafkaRelation *relation)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < relation->nkey; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 relation->columns[relation->key_columns[i]].name);
	return relation->nkey > 0 ? names.data : "none";
}

/* Numbers of a snapshot's records are others the next time. */
static void
refuse_of_snapshot(const Wal2KafkaRelation *relation, int code,
				   const char *message)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s", message),
			 errdetail("It is a row of a snapshot; key columns: %s.",
					   key_columns(relation)),
			 errhint("Raise max.message.bytes of the topic and message.max.bytes in [kafka]; or let all such records through without the value: on_error = stub in [wal2kafka].")));
}

/* What lies before the record need not wait for a person. */
static void
refuse(Wal2KafkaState *state, const Wal2KafkaRelation *relation,
	   int code, const char *message, bool allowed)
{
	char	   *name = wal2kafka_stub_name(&state->txn);

	if (state->ctx == NULL)
		refuse_of_snapshot(relation, code, message);
	if (state->frames)
		wal2kafka_batch_flush(&state->batch, state->ctx);
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s", message),
			 errdetail("It is record %s (commit LSN, seq_id); key columns: %s.",
					   name, key_columns(relation)),
			 allowed ?
			 errhint("What must stay is too much for a record.  To lose it: stub = %s in [wal2kafka].",
					 name) :
			 errhint("Raise max.message.bytes of the topic and message.max.bytes in [kafka]; or let this one record through without the value: stub = %s in [wal2kafka].",
					 name)));
}

static void
refuse_failed(Wal2KafkaState *state, const Wal2KafkaRelation *relation)
{
	const Wal2KafkaEncoder *encoder = &state->encoder;
	const Wal2KafkaColumn *column = linitial(encoder->failed);

	/* not under its SQLSTATE, which might tell the client to try for ever */
	refuse(state, relation, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
		   psprintf("the output function of column \"%s\" of table \"%s.%s\" raised an error, SQLSTATE %s, and the record must have it",
					column->name, relation->schema, relation->table,
					unpack_sql_state(encoder->sqlstate)), true);
}

void
wal2kafka_stub_refuse(Wal2KafkaState *state, const Wal2KafkaRecord *record,
					  bool allowed)
{
	const Wal2KafkaRelation *relation = record->relation;
	Wal2KafkaStub stub;

	if (state->encoder.failed != NIL)
		refuse_failed(state, relation);

	wal2kafka_stub_begin(&stub, record);
	measure(&stub, &state->encoder);
	refuse(state, relation, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		   psprintf("record of table \"%s.%s\" is larger than %zu bytes: column \"%s\" has %zu",
					relation->schema, relation->table,
					state->options.record_limit,
					stub.largest < 0 ? "" : relation->columns[stub.largest].name,
					stub.largest_size), allowed);
}
