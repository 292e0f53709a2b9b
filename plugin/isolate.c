/*
 * isolate.c
 *		Output functions that may fail, called so that decoding can go on.
 *
 * PG_TRY alone would leave behind what the function held: an open catalog
 * scan ends the server.  A subtransaction takes it all back.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"

#include "isolate.h"

bool
wal2kafka_type_is_native(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			function;
	bool		is_varlena;

	getTypeOutputInfo(base, &function, &is_varlena);
	if (function >= FirstNormalObjectId)
		return false;
	switch (function)
	{
		case F_ARRAY_OUT:
			return wal2kafka_type_is_native(get_element_type(base));
		case F_RANGE_OUT:
			return wal2kafka_type_is_native(get_range_subtype(base));
		case F_MULTIRANGE_OUT:
			return wal2kafka_type_is_native(get_multirange_range(base));
		case F_RECORD_OUT:
			return false;		/* its columns may be of any type */
		default:
			return true;
	}
}

static bool
concerns_the_value(int sqlstate)
{
	/* the description of a row's columns needs a lock on its type */
	if (sqlstate == ERRCODE_LOCK_NOT_AVAILABLE)
		return false;
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return false;
		default:
			return true;
	}
}

char *
wal2kafka_output_isolated(const FmgrInfo *function, Datum value,
						  int *sqlstate)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	FmgrInfo	fresh;
	char	   *volatile text = NULL;

	/* what a function keeps for its next call, an error may leave half made */
	fmgr_info(function->fn_oid, &fresh);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		text = OutputFunctionCall(&fresh, value);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!concerns_the_value(error->sqlerrcode))
			ReThrowError(error);
		*sqlstate = error->sqlerrcode;
		FreeErrorData(error);
		text = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return text;
}
