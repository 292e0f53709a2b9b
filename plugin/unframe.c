/*
 * unframe.c
 *		A frame's records as rows.
 *
 * The reader is the shipper's own, so that what is shown here is what would
 * be sent.  It is included instead of linked: its object file is compiled for
 * a program, and its short names stay out of the server's symbols.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"

/* servers before 16 load libraries with all their symbols global */
#pragma GCC visibility push(hidden)
#include "../shipper/frame.c"	/* IWYU pragma: keep */
#pragma GCC visibility pop
#include "compat.h"
#include "unframe.h"

/* What an announced number stands for: of a table, its topic's name too */
typedef struct Announced
{
	uint32		id;				/* hash key */
	struct view name;
} Announced;

PG_FUNCTION_INFO_V1(wal2kafka_unframe);

static void announce(HTAB *known, uint32_t id, struct view name);
static struct view announced(HTAB *known, uint32_t id, const char *what);
static HTAB *make_announced(const char *name);
static void put_record(const struct frame_txn *txn,
					   const struct frame_record *record, struct view topic,
					   Tuplestorestate *rows, TupleDesc desc);
static Datum text_of_view(struct view view);
static bool is_text(struct view view);
static Datum text_of_bytes(struct view view);
static void bad_frame(const char *what, size_t offset);

/* unframe(frame bytea) */
Datum
wal2kafka_unframe(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *frame = PG_GETARG_BYTEA_PP(0);

	InitMaterializedSRF(fcinfo, 0);
	wal2kafka_unframe_rows(VARDATA_ANY(frame), VARSIZE_ANY_EXHDR(frame),
						   PG_INT64_MAX, result->setResult, result->setDesc);
	return (Datum) 0;
}

int64
wal2kafka_unframe_rows(const char *data, size_t len, int64 max,
					   Tuplestorestate *rows, TupleDesc desc)
{
	HTAB	   *topics = make_announced("wal2kafka topics");
	HTAB	   *tables = make_announced("wal2kafka tables");
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "wal2kafka unframe",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	int64		count = 0;
	struct frame frame;
	struct frame_error error;
	struct frame_entry entry;
	struct frame_txn txn = {0};

	if (!frame_parse(&frame, data, len, &error))
		bad_frame(error.text, error.offset);

	while (count < max && frame_next(&frame, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		if (entry.kind == WIRE_TOPIC)
			announce(topics, entry.topic.id, entry.topic.name);
		else if (entry.kind == WIRE_TABLE)
			announce(tables, entry.table.id,
					 announced(topics, entry.table.topic, "topic"));
		else if (entry.kind == WIRE_TXN)
			txn = entry.txn;
		else if (entry.kind == WIRE_RECORD)
		{
			put_record(&txn, &entry.record,
					   announced(tables, entry.record.table, "table"),
					   rows, desc);
			txn.ordinal++;
			count++;
			MemoryContextReset(work);
		}
	}

	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	hash_destroy(tables);
	hash_destroy(topics);
	return count;
}

static HTAB *
make_announced(const char *name)
{
	HASHCTL		ctl = {
		.keysize = sizeof(uint32),
		.entrysize = sizeof(Announced),
		.hcxt = CurrentMemoryContext,
	};

	return hash_create(name, 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* What is announced again takes the new meaning. */
static void
announce(HTAB *known, uint32_t id, struct view name)
{
	Announced  *entry = hash_search(known, &id, HASH_ENTER, NULL);

	entry->name = name;
}

static struct view
announced(HTAB *known, uint32_t id, const char *what)
{
	Announced  *entry = hash_search(known, &id, HASH_FIND, NULL);

	if (entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid frame: %s %u was not announced", what, id),
				 errhint("Only frames from the SQL interface can be read alone.")));
	return entry->name;
}

static void
put_record(const struct frame_txn *txn, const struct frame_record *record,
		   struct view topic, Tuplestorestate *rows, TupleDesc desc)
{
	Datum		values[5] = {0};
	bool		nulls[5] = {false};

	if (txn->ordinal > PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid frame: ordinal too large for a bigint")));

	nulls[3] = (record->flags & WIRE_RECORD_NULL_KEY) != 0;
	nulls[4] = (record->flags & WIRE_RECORD_NULL_VALUE) != 0;
	values[0] = LSNGetDatum(txn->commit);
	values[1] = Int64GetDatum((int64) txn->ordinal);
	values[2] = text_of_view(topic);
	if (!nulls[3])
		values[3] = text_of_bytes(record->key);
	if (!nulls[4])
		values[4] = text_of_bytes(record->value);
	/* a caller may want the last columns only */
	tuplestore_putvalues(rows, desc, values + lengthof(values) - desc->natts,
						 nulls + lengthof(nulls) - desc->natts);
}

/* Frames are UTF-8 whatever the database is. */
static Datum
text_of_view(struct view view)
{
	char	   *text = pg_any_to_server(view.data, (int) view.len, PG_UTF8);

	if (text == view.data)
		return PointerGetDatum(cstring_to_text_with_len(text, (int) view.len));
	return CStringGetTextDatum(text);
}

/*
 * Whether it is text that this database can show.  A message may hold any
 * bytes, and any characters.
 */
static bool
is_text(struct view view)
{
	int			encoding = GetDatabaseEncoding();
	int			len = (int) view.len;
	int			size = (int) Min((int64) len * MAX_CONVERSION_GROWTH + 1,
								 PG_INT32_MAX);
	Oid			conversion;
	unsigned char *converted;

	if (!pg_verify_mbstr(PG_UTF8, view.data, len, true))
		return false;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return true;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return false;
	converted = MemoryContextAllocHuge(CurrentMemoryContext, size);
	return pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
										 (unsigned char *) view.data, len,
										 converted, size, true) == len;
}

/* As text, or else as a bytea is shown. */
static Datum
text_of_bytes(struct view view)
{
	StringInfoData hex;

	if (is_text(view))
		return text_of_view(view);
	initStringInfo(&hex);
	appendStringInfoString(&hex, "\\x");
	enlargeStringInfo(&hex, (int) Min(view.len, MaxAllocSize / 2 - 4) * 2);
	for (size_t i = 0; i < view.len; i++)
		appendStringInfo(&hex, "%02x", (unsigned char) view.data[i]);
	return PointerGetDatum(cstring_to_text_with_len(hex.data, hex.len));
}

static void
bad_frame(const char *what, size_t offset)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid frame: %s, at byte %zu", what, offset)));
}
