/*
 * snapshot_point.c
 *		What a database snapshot sees of the stream.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(wal2kafka_snapshot_point);

/* Top-level transactions that are in progress in it */
static Datum
running_of(Snapshot snapshot)
{
	Datum	   *xids = palloc(sizeof(Datum) * Max(snapshot->xcnt, 1));
	uint32		i;

	for (i = 0; i < snapshot->xcnt; i++)
		xids[i] = TransactionIdGetDatum(snapshot->xip[i]);
	return PointerGetDatum(construct_array(xids, snapshot->xcnt, XIDOID,
										   sizeof(TransactionId), true,
										   TYPALIGN_INT));
}

/*
 * Whether one of them is committed already, as one is that waits for a
 * synchronous standby: the stream may have sent it.
 */
static bool
has_committed(Snapshot snapshot)
{
	uint32		i;

	for (i = 0; i < snapshot->xcnt; i++)
	{
		if (TransactionIdDidCommit(snapshot->xip[i]))
			return true;
	}
	return false;
}

/* snapshot_point(): of the active snapshot */
Datum
wal2kafka_snapshot_point(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Datum		values[5];
	bool		nulls[5] = {false};
	TupleDesc	desc;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a snapshot of rows beside the stream is not possible on a standby"),
				 errhint("Connect to the primary.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	values[0] = TransactionIdGetDatum(snapshot->xmin);
	values[1] = TransactionIdGetDatum(snapshot->xmax);
	values[2] = running_of(snapshot);
	values[3] = BoolGetDatum(has_committed(snapshot));
	values[4] = LSNGetDatum(GetXLogInsertRecPtr());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
