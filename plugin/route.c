/*
 * route.c
 *		Reads routes from security labels.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_seclabel.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "label.h"
#include "route.h"

/* A labelled column, until the key can be put in order */
typedef struct KeyColumn
{
	int			ordinal;
	AttrNumber	attnum;
} KeyColumn;

static bool read_labels(Oid relid, Wal2KafkaRoute *route);
static bool label_is_ours(HeapTuple tuple, TupleDesc desc, int *subid,
						  char **label);
static KeyColumn *key_column(Oid relid, int attnum, const char *label);
static int	compare_key_columns(const ListCell *a, const ListCell *b);
static List *key_names(Oid relid, List *columns);
static void bad_label(Oid relid, const char *label);

void
wal2kafka_route_read(Oid relid, bool inherit, Wal2KafkaRoute *route)
{
	List	   *relids = list_make1_oid(relid);
	ListCell   *cell;

	if (inherit && get_rel_relispartition(relid))
		relids = list_concat(relids, get_partition_ancestors(relid));

	memset(route, 0, sizeof(*route));
	foreach(cell, relids)
	{
		if (read_labels(lfirst_oid(cell), route))
		{
			route->source = lfirst_oid(cell);
			break;
		}
	}
}

/* Returns whether the relation has labels of ours. */
static bool
read_labels(Oid relid, Wal2KafkaRoute *route)
{
	Relation	seclabel = table_open(SecLabelRelationId, AccessShareLock);
	List	   *columns = NIL;
	bool		found = false;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_seclabel_objoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_seclabel_classoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	scan = systable_beginscan(seclabel, SecLabelObjectIndexId, true, NULL,
							  lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int			subid;
		char	   *label;

		if (!label_is_ours(tuple, RelationGetDescr(seclabel), &subid, &label))
			continue;
		found = true;
		if (subid != 0)
			columns = lappend(columns, key_column(relid, subid, label));
		else if (wal2kafka_label_topic(label) != NULL)
			route->topic = pstrdup(wal2kafka_label_topic(label));
		else
			bad_label(relid, label);
		pfree(label);
	}
	systable_endscan(scan);
	table_close(seclabel, AccessShareLock);

	route->key = key_names(relid, columns);
	return found;
}

/*
 * pg_seclabel has no struct of its own.  The label is detoasted here, while
 * the scan still holds its snapshot.
 */
static bool
label_is_ours(HeapTuple tuple, TupleDesc desc, int *subid, char **label)
{
	bool		isnull;
	char	   *provider;
	bool		ours;

	provider = TextDatumGetCString(heap_getattr(tuple,
												Anum_pg_seclabel_provider,
												desc, &isnull));
	ours = strcmp(provider, WAL2KAFKA_LABEL_PROVIDER) == 0;
	pfree(provider);
	if (!ours)
		return false;

	*subid = DatumGetInt32(heap_getattr(tuple, Anum_pg_seclabel_objsubid,
										desc, &isnull));
	*label = TextDatumGetCString(heap_getattr(tuple, Anum_pg_seclabel_label,
											  desc, &isnull));
	return true;
}

static KeyColumn *
key_column(Oid relid, int attnum, const char *label)
{
	KeyColumn  *column = palloc(sizeof(KeyColumn));

	column->attnum = (AttrNumber) attnum;
	column->ordinal = wal2kafka_label_key(label);
	if (column->ordinal == 0)
		bad_label(relid, label);
	return column;
}

/* Two columns that claim one place follow each other as in the table. */
static int
compare_key_columns(const ListCell *a, const ListCell *b)
{
	const KeyColumn *left = lfirst(a);
	const KeyColumn *right = lfirst(b);

	if (left->ordinal != right->ordinal)
		return left->ordinal < right->ordinal ? -1 : 1;
	return left->attnum < right->attnum ? -1 : left->attnum > right->attnum;
}

static List *
key_names(Oid relid, List *columns)
{
	List	   *names = NIL;
	ListCell   *cell;

	list_sort(columns, compare_key_columns);
	foreach(cell, columns)
	{
		KeyColumn  *column = lfirst(cell);
		char	   *name = get_attname(relid, column->attnum, true);

		/* dropped meanwhile: not while decoding */
		if (name != NULL)
			names = lappend(names, name);
	}
	list_free_deep(columns);
	return names;
}

/*
 * Only a change of pg_seclabel by hand or another version of the library can
 * leave such a label behind.
 */
static void
bad_label(Oid relid, const char *label)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not understand security label \"%s\" of table \"%s\"",
					label, get_rel_name(relid)),
			 errhint("A route in the option \"routes\" with both topic and key takes the label's place.")));
}
