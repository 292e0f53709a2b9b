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

#define FRAMES_AT_ONCE	16

PG_FUNCTION_INFO_V1(wal2kafka_peek_changes);

static void release_slot(void);
static void peek(Name slot, int32 max, ArrayType *options,
				 ReturnSetInfo *result);
static bool slot_is_active(Name slot);
static Name copy_slot(Name slot);
static void drop_slot(Name slot);
static bool peek_frames(Name slot, int32 limit, ArrayType *options,
						int32 max, ReturnSetInfo *result);
static int64 put_frames(int64 max, ReturnSetInfo *result);
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
	while (!peek_frames(slot, limit, options, max, result) &&
		   limit <= PG_INT32_MAX / 4)
	{
		limit *= 4;
		tuplestore_clear(result->setResult);
	}
	if (copy != NULL)
		drop_slot(copy);
	SPI_finish();
}

/* Whether the slot has a reader; an ERROR if it is not a slot of ours. */
static bool
slot_is_active(Name slot)
{
	Oid			types[] = {NAMEOID};
	Datum		values[] = {NameGetDatum(slot)};
	char	   *plugin;

	run("SELECT active::text, plugin FROM pg_catalog.pg_replication_slots"
		" WHERE slot_name = $1", 1, types, values);
	if (SPI_processed == 0)
		return false;			/* the server will say it */

	plugin = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (plugin == NULL || strcmp(plugin, "wal2kafka") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("replication slot \"%s\" is not one of wal2kafka",
						NameStr(*slot)),
				 plugin ? errdetail("Its output plugin is \"%s\".", plugin) :
				 errdetail("It is a physical slot.")));
	return strcmp(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							   1), "true") == 0;
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

/*
 * Appends the records of the slot's next frames.  False: the limit was reached
 * before there were enough.  Through a cursor, since a transaction may be
 * larger than memory and the server returns it whole.
 */
static bool
peek_frames(Name slot, int32 limit, ArrayType *options, int32 max,
			ReturnSetInfo *result)
{
	static const char peek[] =
	"SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes("
	"$1, NULL, $2, VARIADIC"
	" ARRAY['proto_version', '1'] OPERATOR(pg_catalog.||) $3)";
	Oid			types[] = {NAMEOID, INT4OID, TEXTARRAYOID};
	Datum		values[] = {
		NameGetDatum(slot), Int32GetDatum(limit), PointerGetDatum(options)
	};
	int64		frames = 0;
	int64		records = 0;
	Portal		portal;

	portal = SPI_cursor_open_with_args(NULL, peek, lengthof(values), types,
									   values, NULL, false, 0);
	do
	{
		SPI_freetuptable(SPI_tuptable);
		SPI_cursor_fetch(portal, true, FRAMES_AT_ONCE);
		frames += SPI_processed;
		records += put_frames(max - records, result);
	} while (SPI_processed > 0 && records < max);
	SPI_cursor_close(portal);
	return records >= max || frames < limit;
}

/* Of the frames in SPI_tuptable, at most "max" records. */
static int64
put_frames(int64 max, ReturnSetInfo *result)
{
	int64		records = 0;
	uint64		i;

	for (i = 0; i < SPI_processed && records < max; i++)
	{
		bool		isnull;
		bytea	   *frame;

		frame = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[i],
											  SPI_tuptable->tupdesc, 1,
											  &isnull));
		records += wal2kafka_unframe_rows(VARDATA_ANY(frame),
										  VARSIZE_ANY_EXHDR(frame),
										  max - records, result->setResult,
										  result->setDesc);
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
