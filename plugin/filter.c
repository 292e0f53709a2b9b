/*
 * filter.c
 *		The row filter of one table: the WHERE of its publications.
 *
 * The rules are those of pgoutput.c, pgoutput_row_filter_init(): per
 * operation, a row passes if one of the publications that publish the
 * operation lets it pass, and a publication without a filter for the table
 * lets all pass.  Expressions see rows as the published table has them.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "filter.h"

/* A column that some expression looks at. */
typedef struct FilterColumn
{
	int			from;			/* index into rows of the table itself */
	int			to;				/* index into "slot" */
	bool		is_varlena;
} FilterColumn;

struct Wal2KafkaFilter
{
	ExprState  *expressions[FILTER_OPS];	/* NULL: every row passes */
	ExprContext *econtext;
	TupleTableSlot *slot;		/* a row of the published table, other columns
								 * than those of "columns" null */
	int			ncolumns;
	FilterColumn *columns;
	char	   *publications;	/* for messages */
};

/* ---- building ---- */

/* The publication's filter for the table as a node tree; NULL: it has none. */
static char *
filter_read(const Publication *publication, Relation published)
{
	Oid			schema = RelationGetNamespace(published);
	char	   *nodes = NULL;
	HeapTuple	tuple;
	Datum		value;
	bool		isnull;

	if (publication->alltables ||
		SearchSysCacheExists2(PUBLICATIONNAMESPACEMAP,
							  ObjectIdGetDatum(schema),
							  ObjectIdGetDatum(publication->oid)))
		return NULL;

	tuple = SearchSysCache2(PUBLICATIONRELMAP,
							ObjectIdGetDatum(RelationGetRelid(published)),
							ObjectIdGetDatum(publication->oid));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	value = SysCacheGetAttr(PUBLICATIONRELMAP, tuple,
							Anum_pg_publication_rel_prqual, &isnull);
	if (!isnull)
		nodes = TextDatumGetCString(value);
	ReleaseSysCache(tuple);
	return nodes;
}

static bool
publishes(const Publication *publication, Wal2KafkaFilterOp op)
{
	switch (op)
	{
		case FILTER_INSERT:
			return publication->pubactions.pubinsert;
		case FILTER_UPDATE:
			return publication->pubactions.pubupdate;
		case FILTER_DELETE:
			return publication->pubactions.pubdelete;
	}
	return false;
}

/* What a row of this operation must pass; NULL: nothing. */
static Expr *
filter_expression(const List *publications, Relation published,
				  Wal2KafkaFilterOp op)
{
	List	   *alternatives = NIL;
	ListCell   *lc;

	foreach(lc, publications)
	{
		const Publication *publication = lfirst(lc);
		char	   *nodes;

		if (!publishes(publication, op))
			continue;
		nodes = filter_read(publication, published);
		if (nodes == NULL)
			return NULL;
		alternatives = lappend(alternatives,
							   EXPAND_VIRTUAL_COLUMNS(stringToNode(nodes),
													  published));
	}

	if (list_length(alternatives) > 1)
		return make_orclause(alternatives);
	return alternatives != NIL ? linitial(alternatives) : NULL;
}

/* Prepares for the columns that are used, found in the table by name. */
static void
columns_prepare(Wal2KafkaFilter *filter, Relation relation,
				Relation published, const Bitmapset *used)
{
	TupleDesc	desc = RelationGetDescr(published);
	int			member = -1;

	filter->columns = palloc(sizeof(FilterColumn) *
							 (bms_num_members(used) + 1));
	while ((member = bms_next_member(used, member)) >= 0)
	{
		AttrNumber	attno = member + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
		FilterColumn *column = &filter->columns[filter->ncolumns++];

		column->to = attno - 1;
		column->is_varlena = att->attlen == -1;
		if (published != relation)
			attno = get_attnum(RelationGetRelid(relation),
							   NameStr(att->attname));
		if (attno == InvalidAttrNumber)
			elog(ERROR, "partition \"%s\" has no column \"%s\"",
				 RelationGetRelationName(relation), NameStr(att->attname));
		column->from = attno - 1;
	}
}

/* A row of nulls.  The descriptor is a copy: nothing stays pinned. */
static TupleTableSlot *
slot_make(Relation published)
{
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(published));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);

	return ExecStoreAllNullTuple(slot);
}

static char *
names_join(const List *publications)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, publications)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 ((const Publication *) lfirst(lc))->name);
	return names.data;
}

Wal2KafkaFilter *
wal2kafka_filter_build(Relation relation, Relation published,
					   const List *publications)
{
	Wal2KafkaFilter *filter;
	Expr	   *expressions[FILTER_OPS];
	Bitmapset  *used = NULL;
	EState	   *estate;
	bool		any = false;

	for (int op = 0; op < FILTER_OPS; op++)
	{
		expressions[op] = filter_expression(publications, published, op);
		pull_varattnos((Node *) expressions[op], 1, &used);
		any |= expressions[op] != NULL;
	}
	if (!any)
		return NULL;

	filter = palloc0(sizeof(Wal2KafkaFilter));
	estate = CreateExecutorState();
	for (int op = 0; op < FILTER_OPS; op++)
	{
		if (expressions[op])
			filter->expressions[op] = ExecPrepareExpr(expressions[op], estate);
	}
	filter->slot = slot_make(published);
	filter->econtext = GetPerTupleExprContext(estate);
	filter->econtext->ecxt_scantuple = filter->slot;
	filter->publications = names_join(publications);
	columns_prepare(filter, relation, published, used);
	return filter;
}

/* ---- testing ---- */

static bool
is_on_disk(const Wal2KafkaRow *row, int i)
{
	return !row->nulls[i] &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(row->values[i]));
}

void
wal2kafka_filter_fetch(const Wal2KafkaFilter *filter, const Wal2KafkaRow *row)
{
	for (int c = 0; c < filter->ncolumns; c++)
	{
		int			i = filter->columns[c].from;

		if (filter->columns[c].is_varlena && is_on_disk(row, i))
			row->values[i] =
				PointerGetDatum(PG_DETOAST_DATUM_PACKED(row->values[i]));
	}
}

/*
 * Takes the row's columns into the slot.  A value that neither row holds
 * counts as null: the server refuses updates that log too little for the
 * filter, but one may be running while the filter is made.
 */
static void
slot_fill(Wal2KafkaFilter *filter, const Wal2KafkaRow *row,
		  const Wal2KafkaRow *old)
{
	for (int c = 0; c < filter->ncolumns; c++)
	{
		const FilterColumn *column = &filter->columns[c];
		const Wal2KafkaRow *from = row;
		int			i = column->from;
		bool		unknown = false;

		if (column->is_varlena && is_on_disk(row, i))
		{
			unknown = old == NULL || old->nulls[i] || is_on_disk(old, i);
			from = old;
		}
		filter->slot->tts_isnull[column->to] = unknown || from->nulls[i];
		if (!unknown)
			filter->slot->tts_values[column->to] = from->values[i];
	}
}

static void
error_place(void *arg)
{
	errcontext("row filter of publication %s",
			   ((const Wal2KafkaFilter *) arg)->publications);
}

bool
wal2kafka_filter_passes(Wal2KafkaFilter *filter, Wal2KafkaFilterOp op,
						const Wal2KafkaRow *row, const Wal2KafkaRow *old)
{
	ExprState  *expression = filter->expressions[op];
	ErrorContextCallback context;
	Datum		value;
	bool		isnull;

	if (expression == NULL)
		return true;

	context.callback = error_place;
	context.arg = filter;
	context.previous = error_context_stack;
	error_context_stack = &context;

	slot_fill(filter, row, old);
	ResetExprContext(filter->econtext);
	value = ExecEvalExprSwitchContext(expression, filter->econtext, &isnull);

	error_context_stack = context.previous;
	return !isnull && DatumGetBool(value);
}
