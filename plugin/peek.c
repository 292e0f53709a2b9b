/*
 * peek.c
 *		What a slot would send next, without consuming it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "replication/slot.h"
#include "storage/lwlock.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "unframe.h"

PG_FUNCTION_INFO_V1(wal2kafka_peek_changes);

static void release_slot(void);
static void peek(Name slot, int32 max, ArrayType *options,
				 ReturnSetInfo *result);
static bool slot_is_active(Name slot);
static Name copy_slot(Name slot);
static void drop_slot(Name slot);
static uint64 fetch_frames(Name slot, int32 limit, ArrayType *options);
static int64 put_frames(uint64 count, int64 max, Tuplestorestate *rows,
						TupleDesc desc);
static void run(const char *query, int count, const Oid *types,
				const Datum *values);

/* peek_changes(slot name, max_records int, VARIADIC options text[]) */
Datum
wal2kafka_peek_changes(PG_FUNCTION_ARGS)
{
	int32		max = PG_GETARG_INT32(1);

	if (max <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_records must be positive")));
	InitMaterializedSRF(fcinfo, 0);

	/*
	 * The server lets go of a slot after an ERROR only if nobody caught it.
	 * A slot that is still held must not be forgotten over another: the next
	 * ERROR would drop it as if it were temporary.
	 */
	release_slot();
	PG_TRY();
	{
		peek(PG_GETARG_NAME(0), max, PG_GETARG_ARRAYTYPE_P(2),
			 (ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_CATCH();
	{
		LWLockReleaseAll();
		release_slot();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return (Datum) 0;
}

static void
release_slot(void)
{
	if (MyReplicationSlot != NULL)
		ReplicationSlotRelease();
}

/*
 * The server's limit counts frames and is looked at between transactions.  A
 * frame nearly always has a record at least; where many had none, more frames
 * are asked for.
 */
static void
peek(Name slot, int32 max, ArrayType *options, ReturnSetInfo *result)
{
	int32		limit = max;
	Name		copy = NULL;

	SPI_connect();
	if (slot_is_active(slot))
		slot = copy = copy_slot(slot);
	for (;;)
	{
		uint64		frames = fetch_frames(slot, limit, options);
		int64		records = put_frames(frames, max, result->setResult,
										 result->setDesc);

		if (records >= max || frames < limit || limit > PG_INT32_MAX / 4)
			break;
		limit *= 4;
		tuplestore_clear(result->setResult);
	}
	if (copy != NULL)
		drop_slot(copy);
	SPI_finish();
}

static bool
slot_is_active(Name slot)
{
	Oid			types[] = {NAMEOID};
	Datum		values[] = {NameGetDatum(slot)};

	run("SELECT FROM pg_catalog.pg_replication_slots"
		" WHERE slot_name = $1 AND active", 1, types, values);
	return SPI_processed > 0;
}

/*
 * A slot has one reader at a time; a temporary copy stands where it stands.
 * One that an error left behind in this session is in the way.
 */
static Name
copy_slot(Name slot)
{
	Name		copy = palloc(sizeof(NameData));
	Oid			types[] = {NAMEOID, NAMEOID};
	Datum		values[] = {NameGetDatum(slot), NameGetDatum(copy)};

	namestrcpy(copy, psprintf("wal2kafka_peek_%d", MyProcPid));
	run("SELECT pg_catalog.pg_drop_replication_slot(slot_name)"
		" FROM pg_catalog.pg_replication_slots"
		" WHERE slot_name = $1 AND temporary", 1, &types[1], &values[1]);
	run("SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2, true)",
		2, types, values);
	return copy;
}

static void
drop_slot(Name slot)
{
	Oid			types[] = {NAMEOID};
	Datum		values[] = {NameGetDatum(slot)};

	run("SELECT pg_catalog.pg_drop_replication_slot($1)", 1, types, values);
}

/* Leaves the frames in SPI_tuptable and returns their number. */
static uint64
fetch_frames(Name slot, int32 limit, ArrayType *options)
{
	Oid			types[] = {NAMEOID, INT4OID, TEXTARRAYOID};
	Datum		values[] = {
		NameGetDatum(slot), Int32GetDatum(limit), PointerGetDatum(options)
	};

	run("SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes("
		"$1, NULL, $2, VARIADIC"
		" ARRAY['proto_version', '1'] OPERATOR(pg_catalog.||) $3)",
		lengthof(values), types, values);
	return SPI_processed;
}

static int64
put_frames(uint64 count, int64 max, Tuplestorestate *rows, TupleDesc desc)
{
	int64		records = 0;
	uint64		i;

	for (i = 0; i < count && records < max; i++)
	{
		bool		isnull;
		bytea	   *frame;

		frame = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[i],
											  SPI_tuptable->tupdesc, 1,
											  &isnull));
		records += wal2kafka_unframe_rows(VARDATA_ANY(frame),
										  VARSIZE_ANY_EXHDR(frame),
										  max - records, rows, desc);
	}
	return records;
}

static void
run(const char *query, int count, const Oid *types, const Datum *values)
{
	int			status;

	SPI_freetuptable(SPI_tuptable);
	status = SPI_execute_with_args(query, count, unconstify(Oid *, types),
								   unconstify(Datum *, values), NULL,
								   false, 0);
	if (status != SPI_OK_SELECT)
		elog(ERROR, "query of peek_changes failed: %s",
			 SPI_result_code_string(status));
}
