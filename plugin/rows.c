/*
 * rows.c
 *		The rows that a table has now, as the caller may read them.
 *
 * The query runs in a portal that is found again by its name: it outlives a
 * call of an SQL function, and whatever else the caller does in between.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "compat.h"
#include "rows.h"
#include "rows_origin.h"

#define ROWS_AT_ONCE	1000

/* Keeps the rows that the query returns */
typedef struct Receiver
{
	DestReceiver pub;
	Wal2KafkaRows *rows;
} Receiver;

struct Wal2KafkaRows
{
	char	   *portal;			/* its name */
	char	   *schema;
	char	   *table;
	const char *where;			/* or NULL */
	bool		partitioned;	/* the first column tells the partition */
	int			ncolumns;		/* of the query */
	Oid		   *types;
	TupleDesc	desc;			/* NULL: nothing was fetched yet */
	List	   *origins;		/* of Wal2KafkaRowsOrigin */
	Wal2KafkaRowsOrigin *origin;	/* of the last row */
	Wal2KafkaRow scratch;		/* where columns are not the table's */

	Receiver	receiver;
	MemoryContext fetched;
	HeapTuple	tuples[ROWS_AT_ONCE];
	int			count;
	int			next;
};

static void warn_of_policies(Relation relation);
static char *list_columns(Wal2KafkaRows *rows, Relation relation);
static void open_portal(Wal2KafkaRows *rows, const char *columns,
						const char *limit);
static void start_receiving(DestReceiver *self, int operation,
							TupleDesc desc);
static bool receive(TupleTableSlot *slot, DestReceiver *self);
static void stop_receiving(DestReceiver *self);

Wal2KafkaRows *
wal2kafka_rows_open(Oid relid, const char *where, const char *limit,
					const Wal2KafkaOptions *options, Wal2KafkaCharset charset)
{
	Wal2KafkaRows *rows = palloc0(sizeof(Wal2KafkaRows));
	Relation	relation = relation_open(relid, AccessShareLock);

	wal2kafka_rows_check_table(relation);
	rows->schema = get_namespace_name(RelationGetNamespace(relation));
	rows->table = pstrdup(RelationGetRelationName(relation));
	rows->where = where;
	rows->partitioned =
		relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	rows->fetched = AllocSetContextCreate(CurrentMemoryContext,
										  "wal2kafka rows",
										  ALLOCSET_DEFAULT_SIZES);
	rows->receiver.pub.rStartup = start_receiving;
	rows->receiver.pub.receiveSlot = receive;
	rows->receiver.pub.rShutdown = stop_receiving;
	rows->receiver.pub.rDestroy = stop_receiving;
	rows->receiver.pub.mydest = DestNone;
	rows->receiver.rows = rows;

	rows->origins = wal2kafka_rows_origins(relation, options, charset);
	if (rows->origins != NIL)
		rows->origin = linitial(rows->origins);
	open_portal(rows, list_columns(rows, relation), limit);
	warn_of_policies(relation);
	relation_close(relation, NoLock);
	return rows;
}

/* With row_security = off the server refused the query. */
static void
warn_of_policies(Relation relation)
{
	if (check_enable_rls(RelationGetRelid(relation), InvalidOid,
						 false) != RLS_ENABLED)
		return;
	ereport(WARNING,
			(errmsg("policies of table \"%s\" filter the rows for role \"%s\"",
					RelationGetRelationName(relation),
					GetUserNameFromId(GetUserId(), false)),
			 errhint("Use a role with BYPASSRLS, or set row_security = off to have an error instead.")));
}

/* ---- the query ---- */

/*
 * All columns that are stored.  The condition is text and could bend the query
 * into another: what it returns is held against these types.
 */
static char *
list_columns(Wal2KafkaRows *rows, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);
	StringInfoData columns;
	int			i;

	initStringInfo(&columns);
	rows->types = palloc(sizeof(Oid) * (desc->natts + 1));
	rows->scratch.values = palloc(sizeof(Datum) * (desc->natts + 1));
	rows->scratch.nulls = palloc(sizeof(bool) * (desc->natts + 1));
	if (rows->partitioned)
	{
		appendStringInfoString(&columns, "tableoid");
		rows->types[rows->ncolumns++] = OIDOID;
	}
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!wal2kafka_rows_is_stored(att))
			continue;
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
						 quote_identifier(NameStr(att->attname)));
		rows->types[rows->ncolumns++] = att->atttypid;
	}
	return columns.data;
}

static void
error_place(void *arg)
{
	const Wal2KafkaRows *rows = arg;

	errcontext("snapshot of table \"%s.%s\" where %s", rows->schema,
			   rows->table, rows->where);
}

/* A comment in the condition ends with its line. */
static char *
make_query(const Wal2KafkaRows *rows, const char *columns, const char *limit)
{
	StringInfoData query;

	initStringInfo(&query);
	/* children by inheritance are tables of their own */
	appendStringInfo(&query, "SELECT %s FROM %s%s", columns,
					 rows->partitioned ? "" : "ONLY ",
					 quote_qualified_identifier(rows->schema, rows->table));
	if (rows->where)
		appendStringInfo(&query, " WHERE (%s\n)", rows->where);
	if (limit)
		appendStringInfo(&query, " LIMIT %s", limit);
	return query.data;
}

static void
open_portal(Wal2KafkaRows *rows, const char *columns, const char *limit)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *query = make_query(rows, columns, limit);
	ErrorContextCallback place = {error_context_stack, error_place, rows};
	Portal		portal;

	if (rows->where)
		error_context_stack = &place;
	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL,
									   true, CURSOR_OPT_NO_SCROLL);
	rows->portal = MemoryContextStrdup(context, portal->name);
	SPI_finish();
	error_context_stack = place.previous;
}

/* ---- fetching ---- */

bool
wal2kafka_rows_fetch(Wal2KafkaRows *rows)
{
	ErrorContextCallback place = {error_context_stack, error_place, rows};
	Portal		portal = GetPortalByName(rows->portal);

	if (!PortalIsValid(portal))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_STATE),
				 errmsg("the cursor of the snapshot was closed")));
	MemoryContextReset(rows->fetched);
	rows->count = rows->next = 0;

	if (rows->where)
		error_context_stack = &place;
	PortalRunFetch(portal, FETCH_FORWARD, ROWS_AT_ONCE,
				   &rows->receiver.pub);
	error_context_stack = place.previous;
	return rows->count > 0;
}

static void
start_receiving(DestReceiver *self, int operation, TupleDesc desc)
{
	Wal2KafkaRows *rows = ((Receiver *) self)->rows;
	bool		same = desc->natts == rows->ncolumns;
	int			i;

	for (i = 0; same && i < rows->ncolumns; i++)
		same = TupleDescAttr(desc, i)->atttypid == rows->types[i];
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query of the snapshot returns other columns than the table has")));
	if (rows->desc == NULL)
	{
		MemoryContext caller =
			MemoryContextSwitchTo(GetMemoryChunkContext(rows));

		rows->desc = CreateTupleDescCopy(desc);
		MemoryContextSwitchTo(caller);
	}
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Wal2KafkaRows *rows = ((Receiver *) self)->rows;
	MemoryContext caller = MemoryContextSwitchTo(rows->fetched);

	rows->tuples[rows->count++] = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(caller);
	return true;
}

static void
stop_receiving(DestReceiver *self)
{
}

/* ---- one row ---- */

static Wal2KafkaRowsOrigin *
find_origin(Wal2KafkaRows *rows, Oid relid)
{
	ListCell   *cell;

	if (rows->origin && rows->origin->relid == relid)
		return rows->origin;
	foreach(cell, rows->origins)
	{
		Wal2KafkaRowsOrigin *origin = lfirst(cell);

		if (origin->relid == relid)
			return origin;
	}
	elog(ERROR, "table %u is no partition of \"%s\"", relid, rows->table);
}

static void
read_row(Wal2KafkaRows *rows, HeapTuple tuple)
{
	const Wal2KafkaRow *scratch = &rows->scratch;
	int			first = rows->partitioned ? 1 : 0;
	Wal2KafkaRowsOrigin *origin;
	int			i;

	heap_deform_tuple(tuple, rows->desc, scratch->values, scratch->nulls);
	if (rows->partitioned)
		rows->origin = find_origin(rows, DatumGetObjectId(scratch->values[0]));
	origin = rows->origin;
	for (i = first; i < rows->ncolumns; i++)
	{
		int			column = origin->attnums[i - first] - 1;

		origin->row.values[column] = scratch->values[i];
		origin->row.nulls[column] = scratch->nulls[i];
	}
}

bool
wal2kafka_rows_next(Wal2KafkaRows *rows, Wal2KafkaRelation **relation,
					const Wal2KafkaRow **row)
{
	HeapTuple	tuple;

	if (rows->next == rows->count)
		return false;
	tuple = rows->tuples[rows->next++];
	if (likely(!rows->partitioned && rows->origin->attnums == NULL))
		heap_deform_tuple(tuple, rows->desc, rows->origin->row.values,
						  rows->origin->row.nulls);
	else
		read_row(rows, tuple);
	*relation = rows->origin->entry;
	*row = &rows->origin->row;
	return true;
}

void
wal2kafka_rows_close(Wal2KafkaRows *rows)
{
	Portal		portal = GetPortalByName(rows->portal);

	if (PortalIsValid(portal))
		SPI_cursor_close(portal);
	MemoryContextDelete(rows->fetched);
}
