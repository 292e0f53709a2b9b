/*
 * functions.c
 *		SQL functions that set and show routes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/seclabel.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "json.h"
#include "label.h"
#include "route.h"
#include "topicname.h"

PG_FUNCTION_INFO_V1(wal2kafka_set_route);
PG_FUNCTION_INFO_V1(wal2kafka_reset_route);
PG_FUNCTION_INFO_V1(wal2kafka_label_route);

static Relation open_for_labels(FunctionCallInfo fcinfo, const char *function);
static List *key_from_array(Relation relation, ArrayType *array);
static AttrNumber key_attnum(Relation relation, const char *name);
static void check_identity(Relation relation, List *key);
static void check_leaf_identity(Relation relation, List *key);
static Bitmapset *identity_columns(Relation relation);
static void set_labels(Relation relation, const char *topic, List *key);
static void set_label(Relation relation, int subid, const char *label);
static ArrayType *array_from_names(List *names);
static char *label_source(Oid relid, Oid source);

/* ---- setting ---- */

/*
 * set_route(relation regclass, topic text, key text[]): replaces the whole
 * route of a table.
 */
Datum
wal2kafka_set_route(PG_FUNCTION_ARGS)
{
	Relation	relation = open_for_labels(fcinfo, "wal2kafka.set_route()");
	char	   *topic = NULL;
	List	   *key = NIL;

	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a route needs a topic, a key, or both"),
				 errhint("To remove a route, use wal2kafka.reset_route().")));
	if (!PG_ARGISNULL(1))
		topic = psprintf("topic=%s", text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (!PG_ARGISNULL(2))
		key = key_from_array(relation, PG_GETARG_ARRAYTYPE_P(2));

	set_labels(relation, topic, key);
	check_identity(relation, key);
	relation_close(relation, NoLock);
	PG_RETURN_VOID();
}

/* reset_route(relation regclass) */
Datum
wal2kafka_reset_route(PG_FUNCTION_ARGS)
{
	Relation	relation = open_for_labels(fcinfo, "wal2kafka.reset_route()");

	set_labels(relation, NULL, NIL);
	relation_close(relation, NoLock);
	PG_RETURN_VOID();
}

/*
 * What SECURITY LABEL does before it asks the provider.  The lock, the same
 * as there, is kept until the transaction ends.
 */
static Relation
open_for_labels(FunctionCallInfo fcinfo, const char *function)
{
	Relation	relation;
	ObjectAddress address;

	PreventCommandIfReadOnly(function);
	PreventCommandDuringRecovery(function);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s needs a table", function)));

	relation = relation_open(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
	ObjectAddressSet(address, RelationRelationId, RelationGetRelid(relation));
	check_object_ownership(GetUserId(), OBJECT_TABLE, address, NULL, relation);
	return relation;
}

/* Column names to a list of attribute numbers. */
static List *
key_from_array(Relation relation, ArrayType *array)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;
	int			i;
	List	   *key = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &count);
	if (count == 0 || ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key is a list of at least one column"),
				 errhint("Without a key the columns of the replica identity are used.")));

	for (i = 0; i < count; i++)
	{
		char	   *name = nulls[i] ? NULL : TextDatumGetCString(names[i]);
		AttrNumber	attnum = key_attnum(relation, name);

		if (list_member_int(key, attnum))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" is repeated in the key", name)));
		key = lappend_int(key, attnum);
	}
	return key;
}

static AttrNumber
key_attnum(Relation relation, const char *name)
{
	AttrNumber	attnum = InvalidAttrNumber;

	if (name != NULL)
		attnum = get_attnum(RelationGetRelid(relation), name);
	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						name ? name : "NULL",
						RelationGetRelationName(relation))));
	if (TupleDescAttr(RelationGetDescr(relation), attnum - 1)->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("generated column \"%s\" cannot be in a key", name),
				 errdetail("Whether generated columns are published depends on publications and settings.")));
	return attnum;
}

/*
 * A delete carries only the columns of the replica identity: with any other
 * column in the key its record could not find the partition of the row.  The
 * rows of a partitioned table are logged by its partitions, which have
 * identities of their own.
 */
static void
check_identity(Relation relation, List *key)
{
	List	   *relids;
	ListCell   *cell;

	if (key == NIL)
		return;
	if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		check_leaf_identity(relation, key);
		return;
	}

	relids = find_all_inheritors(RelationGetRelid(relation), AccessShareLock,
								 NULL);
	foreach(cell, relids)
	{
		Relation	leaf = table_open(lfirst_oid(cell), NoLock);
		List	   *leaf_key = NIL;
		ListCell   *column;

		foreach(column, key)
		{
			char	   *name = get_attname(RelationGetRelid(relation),
										   lfirst_int(column), false);

			leaf_key = lappend_int(leaf_key,
								   get_attnum(RelationGetRelid(leaf), name));
		}
		if (leaf->rd_rel->relkind == RELKIND_RELATION)
			check_leaf_identity(leaf, leaf_key);
		table_close(leaf, NoLock);
	}
}

static void
check_leaf_identity(Relation relation, List *key)
{
	Bitmapset  *identity;
	ListCell   *cell;

	if (relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		return;
	identity = identity_columns(relation);
	foreach(cell, key)
	{
		Oid			namespace = RelationGetNamespace(relation);
		char	   *schema = get_namespace_name(namespace);
		char	   *table = RelationGetRelationName(relation);

		if (bms_is_member(lfirst_int(cell), identity))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" is not in the replica identity of table \"%s\"",
						get_attname(RelationGetRelid(relation),
									lfirst_int(cell), false), table),
				 errdetail("A delete would not know its key."),
				 errhint("ALTER TABLE %s REPLICA IDENTITY FULL;",
						 quote_qualified_identifier(schema, table))));
	}
}

static Bitmapset *
identity_columns(Relation relation)
{
	Oid			indexid = RelationGetReplicaIndex(relation);
	Bitmapset  *columns = NULL;
	Relation	index;
	int			i;

	if (!OidIsValid(indexid))
		return NULL;
	index = index_open(indexid, AccessShareLock);
	for (i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		columns = bms_add_member(columns, index->rd_index->indkey.values[i]);
	index_close(index, AccessShareLock);
	return columns;
}

/* Makes the labels of a table exactly these; "topic" is the label's text. */
static void
set_labels(Relation relation, const char *topic, List *key)
{
	TupleDesc	desc = RelationGetDescr(relation);
	int			attnum;

	set_label(relation, 0, topic);
	for (attnum = 1; attnum <= desc->natts; attnum++)
	{
		int			ordinal = 0;
		int			i;

		if (TupleDescAttr(desc, attnum - 1)->attisdropped)
			continue;
		for (i = 0; i < list_length(key); i++)
			if (list_nth_int(key, i) == attnum)
				ordinal = i + 1;
		set_label(relation, attnum,
				  ordinal > 0 ? psprintf("key=%d", ordinal) : NULL);
	}

	/*
	 * Without this, changes that the same transaction makes next would be
	 * decoded under a snapshot that does not see the labels yet.
	 */
	CommandCounterIncrement();
}

static void
set_label(Relation relation, int subid, const char *label)
{
	ObjectAddress address;
	char	   *present;

	ObjectAddressSubSet(address, RelationRelationId,
						RelationGetRelid(relation), subid);
	present = GetSecurityLabel(&address, WAL2KAFKA_LABEL_PROVIDER);
	if (label == NULL ? present == NULL :
		present != NULL && strcmp(label, present) == 0)
		return;
	wal2kafka_label_check(&address, label);
	SetSecurityLabel(&address, WAL2KAFKA_LABEL_PROVIDER, label);
}

/* ---- showing ---- */

/*
 * label_route(relation regclass): topic, key, and for each where it comes
 * from.  The key is null where the labels leave it to the replica identity.
 */
Datum
wal2kafka_label_route(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char		topic[TOPIC_NAME_MAX + 1];
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *table = get_rel_name(relid);
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};
	TupleDesc	desc;
	Wal2KafkaRoute route;

	/* dropped since the caller saw it: no lock is taken, to show them all */
	if (schema == NULL || table == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	wal2kafka_route_read(relid, true, &route);
	if (route.topic == NULL)
		topic_name_default(topic, "", wal2kafka_utf8_name(schema),
						   wal2kafka_utf8_name(table));

	values[0] = CStringGetTextDatum(route.topic ? route.topic : topic);
	values[2] = CStringGetTextDatum(route.topic ?
									label_source(relid, route.source) :
									"default");
	nulls[1] = nulls[3] = route.key == NIL;
	if (route.key != NIL)
	{
		values[1] = PointerGetDatum(array_from_names(route.key));
		values[3] = CStringGetTextDatum(label_source(relid, route.source));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

static ArrayType *
array_from_names(List *names)
{
	Datum	   *elements = palloc(sizeof(Datum) * list_length(names));
	ListCell   *cell;

	foreach(cell, names)
		elements[foreach_current_index(cell)] =
			CStringGetTextDatum(lfirst(cell));
	return construct_array(elements, list_length(names),
						   TEXTOID, -1, false, TYPALIGN_INT);
}

static char *
label_source(Oid relid, Oid source)
{
	char	   *schema = get_namespace_name(get_rel_namespace(source));
	char	   *table = get_rel_name(source);

	if (source == relid)
		return pstrdup("label");
	if (schema == NULL || table == NULL)
		return psprintf("label of %u", source);
	return psprintf("label of %s", quote_qualified_identifier(schema, table));
}
