/*
 * snapshot_point.c
 *		What a database snapshot sees of the stream.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(wal2kafka_snapshot_point);

static ArrayType *
array_of_xids(const TransactionId *xids, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));
	int			i;

	for (i = 0; i < count; i++)
		elements[i] = TransactionIdGetDatum(xids[i]);
	return construct_array(elements, count, XIDOID, sizeof(TransactionId),
						   true, TYPALIGN_INT);
}

typedef struct Xids
{
	TransactionId *xids;
	int			count;
	int			size;
} Xids;

static void
add_if_committed(Xids *list, TransactionId xid)
{
	if (!TransactionIdDidCommit(xid))
		return;
	if (list->count == list->size)
	{
		list->size *= 2;
		list->xids = repalloc_huge(list->xids,
								   sizeof(TransactionId) * list->size);
	}
	list->xids[list->count++] = xid;
}

/*
 * Those that are committed in the log, and may have been sent, though the
 * snapshot does not see them.  One that waits for a synchronous standby stays
 * so, and it need not be among those that were running: what got its number
 * after the last transaction that had ended then is not listed there.
 */
static ArrayType *
unseen_of(Snapshot snapshot)
{
	TransactionId next = ReadNextTransactionId();
	TransactionId xid = snapshot->xmax;
	Xids		list = {.size = 64};
	uint32		i;

	list.xids = palloc(sizeof(TransactionId) * list.size);
	for (i = 0; i < snapshot->xcnt; i++)
		add_if_committed(&list, snapshot->xip[i]);
	while (TransactionIdPrecedes(xid, next))
	{
		CHECK_FOR_INTERRUPTS();
		add_if_committed(&list, xid);
		TransactionIdAdvance(xid);
	}
	return array_of_xids(list.xids, list.count);
}

/*
 * The log's end, once it is on disk.  A row that is seen may be of a transaction
 * that did not wait for that (synchronous_commit = off), and a crash must not
 * take back what Kafka has got.  At the border of a page the next record's
 * place lies behind the page's header, where no record has ended.
 */
static XLogRecPtr
flushed_end(void)
{
	XLogRecPtr	end = GetXLogInsertRecPtr();

	if (XLogSegmentOffset(end, wal_segment_size) == SizeOfXLogLongPHD)
		end -= SizeOfXLogLongPHD;
	else if (end % XLOG_BLCKSZ == SizeOfXLogShortPHD)
		end -= SizeOfXLogShortPHD;
	XLogFlush(end);
	return end;
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
	values[2] = PointerGetDatum(array_of_xids(snapshot->xip, snapshot->xcnt));
	values[3] = PointerGetDatum(unseen_of(snapshot));
	values[4] = LSNGetDatum(flushed_end());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
