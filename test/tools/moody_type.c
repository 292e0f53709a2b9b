/*
 * moody_type.c
 *		Output function of a test's type, LIKE int4: raises for values below
 *		zero, in the middle of a catalog scan, as a careless extension would.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(moody_out);

static int
sqlstate_of(int32 value)
{
	switch (value)
	{
		case -57:
			return ERRCODE_QUERY_CANCELED;
		case -53:
			return ERRCODE_OUT_OF_MEMORY;
		case -40:
			return ERRCODE_T_R_SERIALIZATION_FAILURE;
		case -58:
			return ERRCODE_IO_ERROR;
		default:
			return ERRCODE_DATA_EXCEPTION;
	}
}

Datum
moody_out(PG_FUNCTION_ARGS)
{
	int32		value = PG_GETARG_INT32(0);

	if (value < 0)
	{
		Relation	types = table_open(TypeRelationId, AccessShareLock);
		SysScanDesc scan = systable_beginscan(types, InvalidOid, false, NULL,
											  0, NULL);

		(void) systable_getnext(scan);
		ereport(ERROR,
				(errcode(sqlstate_of(value)),
				 errmsg("no mood for %d", value)));
	}
	PG_RETURN_CSTRING(psprintf("%d", value));
}
