/*
 * snapshot_functions.c
 *		SQL functions that return the rows of a table as records or frames.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"

#include "compat.h"
#include "snapshot.h"
#include "unframe.h"

PG_FUNCTION_INFO_V1(wal2kafka_snapshot_frames);
PG_FUNCTION_INFO_V1(wal2kafka_snapshot);
PG_FUNCTION_INFO_V1(wal2kafka_preview);

/* ---- arguments ---- */

/* {name, value, name, value, ...} as the DefElems that the plugin gets */
static List *
options_of_array(ArrayType *array)
{
	List	   *options = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			i;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	if (count % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must come in pairs of name and value")));
	for (i = 0; i < count; i += 2)
	{
		Node	   *value = NULL;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("name of an option must not be null")));
		if (!nulls[i + 1])
			value = (Node *) makeString(TextDatumGetCString(elements[i + 1]));
		options = lappend(options,
						  makeDefElem(TextDatumGetCString(elements[i]), value,
									  -1));
	}
	return options;
}

/* The arguments that both functions have, "options" being the last. */
static void
request_read(Wal2KafkaSnapshotRequest *request, FunctionCallInfo fcinfo,
			 const char *function)
{
	int			i;

	memset(request, 0, sizeof(*request));
	for (i = 0; i < PG_NARGS(); i++)
	{
		/* all but "where" */
		if (i != 1 && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only \"where\" of %s may be null", function)));
	}
	request->relid = PG_GETARG_OID(0);
	if (!PG_ARGISNULL(1))
		request->where = text_to_cstring(PG_GETARG_TEXT_PP(1));
	request->options =
		options_of_array(PG_GETARG_ARRAYTYPE_P(PG_NARGS() - 1));
}

/* ---- frames ---- */

/* What lives from one call to the next */
typedef struct Frames
{
	Wal2KafkaSnapshot *snapshot;
	bytea	   *returned;		/* by the last call, or NULL */
} Frames;

/* The caller's query wants no more. */
static void
end_frames(Datum arg)
{
	wal2kafka_snapshot_end(((Frames *) DatumGetPointer(arg))->snapshot);
}

static Frames *
begin_frames(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Frames	   *frames = palloc0(sizeof(Frames));
	Wal2KafkaSnapshotRequest request;
	int64		seq_id;

	request_read(&request, fcinfo, "wal2kafka.snapshot_frames()");
	request.lsn = PG_GETARG_LSN(2);
	seq_id = PG_GETARG_INT64(3);
	if (seq_id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("seq_id must not be negative")));
	request.seq_id = seq_id;
	frames->snapshot = wal2kafka_snapshot_begin(&request);
	RegisterExprContextCallback(result->econtext, end_frames,
								PointerGetDatum(frames));
	return frames;
}

/*
 * snapshot_frames(relation regclass, where text, lsn pg_lsn, seq_id bigint,
 * VARIADIC options text[]): one frame a call, so that a table of any size
 * passes through.
 */
Datum
wal2kafka_snapshot_frames(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	FuncCallContext *call;
	MemoryContext caller;
	Frames	   *frames;

	if (SRF_IS_FIRSTCALL())
	{
		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		call->user_fctx = begin_frames(fcinfo);
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	frames = call->user_fctx;
	if (frames->returned)
		pfree(frames->returned);

	caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	frames->returned = wal2kafka_snapshot_frame(frames->snapshot);
	MemoryContextSwitchTo(caller);
	if (frames->returned)
		SRF_RETURN_NEXT(call, PointerGetDatum(frames->returned));

	UnregisterExprContextCallback(result->econtext, end_frames,
								  PointerGetDatum(frames));
	end_frames(PointerGetDatum(frames));
	SRF_RETURN_DONE(call);
}

/* ---- records ---- */

static void
put_records(const Wal2KafkaSnapshotRequest *request, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Wal2KafkaSnapshot *snapshot;
	bytea	   *frame;

	InitMaterializedSRF(fcinfo, 0);
	snapshot = wal2kafka_snapshot_begin(request);
	while ((frame = wal2kafka_snapshot_frame(snapshot)) != NULL)
	{
		wal2kafka_unframe_rows(VARDATA(frame), VARSIZE(frame) - VARHDRSZ,
							   PG_INT64_MAX, result->setResult,
							   result->setDesc);
		pfree(frame);
	}
	wal2kafka_snapshot_end(snapshot);
}

/* snapshot(relation regclass, where text, VARIADIC options text[]) */
Datum
wal2kafka_snapshot(PG_FUNCTION_ARGS)
{
	Wal2KafkaSnapshotRequest request;

	request_read(&request, fcinfo, "wal2kafka.snapshot()");
	put_records(&request, fcinfo);
	return (Datum) 0;
}

/* preview(relation regclass, max_rows int) */
Datum
wal2kafka_preview(PG_FUNCTION_ARGS)
{
	Wal2KafkaSnapshotRequest request = {
		.relid = PG_GETARG_OID(0),
		.limit = psprintf("%d", PG_GETARG_INT32(1)),
		.unmarked = true,
	};

	put_records(&request, fcinfo);
	return (Datum) 0;
}
