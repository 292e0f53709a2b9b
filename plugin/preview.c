/*
 * preview.c
 *		What the rows that a table has now would look like as records.
 *
 * An ordinary query fetches them, so the caller's rights and row security
 * apply; the plugin's encoder writes them as inserts at position 0.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "json.h"
#include "options.h"
#include "record.h"
#include "session.h"

#define ROWS_AT_ONCE	1000

/* A table that rows came from: the one asked for, or a partition of it */
typedef struct Origin
{
	Oid			relid;
	Wal2KafkaRelation *entry;
	AttrNumber *attnums;		/* of the query's columns, in this table */
	Wal2KafkaRow row;			/* room for one */
} Origin;

typedef struct Preview
{
	Wal2KafkaOptions options;
	Wal2KafkaEncoder encoder;
	Wal2KafkaTxn txn;
	List	   *origins;		/* of Origin */
	Tuplestorestate *rows;
	TupleDesc	desc;
} Preview;

PG_FUNCTION_INFO_V1(wal2kafka_preview);

static void preview_init(Preview *preview, ReturnSetInfo *result);
static void check_table(Relation relation);
static Portal open_rows(Relation relation, int32 max);
static bool put_rows(Preview *preview);
static Origin *find_origin(Preview *preview, Oid relid, TupleDesc query);
static Origin *make_origin(Preview *preview, Oid relid, TupleDesc query);
static void read_row(Origin *origin, HeapTuple tuple, TupleDesc query);
static void check_size(const Preview *preview, const StringInfoData *part);
static void put_row(Preview *preview, Origin *origin);
static Datum text_from_utf8(StringInfo utf8);

/* preview(relation regclass, max_rows int) */
Datum
wal2kafka_preview(PG_FUNCTION_ARGS)
{
	Relation	relation = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Preview		preview = {0};
	Portal		rows;

	InitMaterializedSRF(fcinfo, 0);
	check_table(relation);
	preview_init(&preview, (ReturnSetInfo *) fcinfo->resultinfo);

	SPI_connect();
	rows = open_rows(relation, PG_GETARG_INT32(1));
	do
		SPI_cursor_fetch(rows, true, ROWS_AT_ONCE);
	while (put_rows(&preview));
	SPI_cursor_close(rows);
	SPI_finish();
	relation_close(relation, NoLock);
	return (Datum) 0;
}

static void
preview_init(Preview *preview, ReturnSetInfo *result)
{
	wal2kafka_options_parse(NIL, &preview->options);
	preview->encoder.options = &preview->options;
	preview->encoder.charset = wal2kafka_charset(false);
	preview->txn.commit_time = GetCurrentTransactionStartTimestamp();
	wal2kafka_txn_texts(&preview->txn);
	preview->rows = result->setResult;
	preview->desc = result->setDesc;
}

static void
check_table(Relation relation)
{
	char		relkind = relation->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table",
						RelationGetRelationName(relation)),
				 errdetail("Only tables and partitioned tables are captured.")));
}

/*
 * The table a row lies in, then its columns.  Through a cursor: there may be
 * more rows than memory.
 */
static Portal
open_rows(Relation relation, int32 max)
{
	char	   *schema = get_namespace_name(RelationGetNamespace(relation));
	char	   *table = RelationGetRelationName(relation);
	bool		partitioned =
		relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(max)};
	char	   *query;

	/* children by inheritance are tables of their own */
	query = psprintf("SELECT tableoid, * FROM %s%s LIMIT $1",
					 partitioned ? "" : "ONLY ",
					 quote_qualified_identifier(schema, table));
	return SPI_cursor_open_with_args(NULL, query, lengthof(types), types,
									 values, NULL, true, 0);
}

/* Appends and frees the rows in SPI_tuptable; false: there were none. */
static bool
put_rows(Preview *preview)
{
	SPITupleTable *table = SPI_tuptable;
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "wal2kafka preview",
											   ALLOCSET_DEFAULT_SIZES);
	uint64		count = table->numvals;
	uint64		i;
	int			level;

	/* not while the query runs: it is the caller's, with its policies */
	level = wal2kafka_session_pin_scoped();
	for (i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		relid = SPI_getbinval(table->vals[i], table->tupdesc, 1,
										  &isnull);
		Origin	   *origin = find_origin(preview, DatumGetObjectId(relid),
										 table->tupdesc);
		MemoryContext old = MemoryContextSwitchTo(work);

		CHECK_FOR_INTERRUPTS();
		read_row(origin, table->vals[i], table->tupdesc);
		put_row(preview, origin);
		preview->txn.ordinal++;
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	wal2kafka_session_restore(level);

	MemoryContextDelete(work);
	SPI_freetuptable(table);
	return count > 0;
}

static Origin *
find_origin(Preview *preview, Oid relid, TupleDesc query)
{
	ListCell   *cell;

	foreach(cell, preview->origins)
		if (((Origin *) lfirst(cell))->relid == relid)
			return lfirst(cell);
	return make_origin(preview, relid, query);
}

static Origin *
make_origin(Preview *preview, Oid relid, TupleDesc query)
{
	Origin	   *origin = palloc(sizeof(Origin));
	Relation	relation = table_open(relid, AccessShareLock);
	int			natts = RelationGetNumberOfAttributes(relation);
	int			i;

	origin->relid = relid;
	origin->entry = wal2kafka_relation_build(relation, &preview->options,
											 preview->encoder.charset);
	if (!origin->entry->actions.insert)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is never captured",
						RelationGetRelationName(relation)),
				 errdetail("System tables, temporary tables and unlogged tables are not.")));
	origin->row.values = palloc0(sizeof(Datum) * natts);
	origin->row.nulls = palloc(sizeof(bool) * natts);
	memset(origin->row.nulls, true, sizeof(bool) * natts);

	/* by name: a partition may have its columns in another order */
	origin->attnums = palloc(sizeof(AttrNumber) * query->natts);
	for (i = 1; i < query->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(query, i);

		origin->attnums[i] = get_attnum(relid, NameStr(att->attname));
	}
	table_close(relation, NoLock);
	preview->origins = lappend(preview->origins, origin);
	return origin;
}

static void
read_row(Origin *origin, HeapTuple tuple, TupleDesc query)
{
	int			i;

	for (i = 1; i < query->natts; i++)
	{
		int			column = origin->attnums[i] - 1;

		origin->row.values[column] =
			SPI_getbinval(tuple, query, i + 1, &origin->row.nulls[column]);
	}
}

static void
check_size(const Preview *preview, const StringInfoData *part)
{
	if (!wal2kafka_encoder_is_whole(&preview->encoder, part))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("record is larger than %zu bytes",
						preview->options.record_limit)));
}

static void
put_row(Preview *preview, Origin *origin)
{
	Wal2KafkaRecord record = {
		.op = OP_INSERT,
		.relation = origin->entry,
		.new_row = &origin->row,
	};
	Datum		values[3] = {0};
	bool		nulls[3] = {false};
	StringInfoData key;
	StringInfoData value;

	initStringInfo(&key);
	initStringInfo(&value);
	wal2kafka_encoder_begin(&preview->encoder, &key);
	nulls[1] = !wal2kafka_record_key(&key, &preview->encoder, origin->entry,
									 &origin->row);
	check_size(preview, &key);
	wal2kafka_encoder_begin(&preview->encoder, &value);
	wal2kafka_record_value(&value, &preview->encoder, &preview->txn, &record);
	check_size(preview, &value);

	values[0] = CStringGetTextDatum(origin->entry->topic);
	if (!nulls[1])
		values[1] = text_from_utf8(&key);
	values[2] = text_from_utf8(&value);
	tuplestore_putvalues(preview->rows, preview->desc, values, nulls);
}

/* Records are UTF-8 whatever the database is. */
static Datum
text_from_utf8(StringInfo utf8)
{
	return CStringGetTextDatum(pg_any_to_server(utf8->data, utf8->len,
												PG_UTF8));
}
