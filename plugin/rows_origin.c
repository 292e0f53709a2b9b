/*
 * rows_origin.c
 *		A table that rows come from: the one asked for, or a partition of it.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "utils/lsyscache.h"

#include "rows_origin.h"

void
wal2kafka_rows_check_table(Relation relation)
{
	char		relkind = relation->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table",
						RelationGetRelationName(relation)),
				 errdetail("Only tables and partitioned tables are captured.")));
}

static void
check_published(const Wal2KafkaRelation *entry, Relation relation,
				const Wal2KafkaOptions *options)
{
	char	   *schema = get_namespace_name(RelationGetNamespace(relation));
	char	   *table = RelationGetRelationName(relation);

	if (entry->actions.insert)
		return;
	if (options->publications == NIL || !is_publishable_relation(relation))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is never captured", table),
				 errdetail("System tables, temporary tables and unlogged tables are not.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("inserts into table \"%s.%s\" are not published by %s",
					schema, table, options->publication_names),
			 errdetail("What the stream would not send is not in a snapshot.")));
}

/* By name: a partition may have its columns in another order. */
static AttrNumber *
map_columns(Relation relation, Relation asked)
{
	TupleDesc	desc = RelationGetDescr(asked);
	AttrNumber *attnums = palloc(sizeof(AttrNumber) * (desc->natts + 1));
	int			count = 0;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (wal2kafka_rows_is_stored(att))
			attnums[count++] = get_attnum(RelationGetRelid(relation),
										  NameStr(att->attname));
	}
	return count == desc->natts && relation == asked ? NULL : attnums;
}

static Wal2KafkaRowsOrigin *
make_origin(Relation relation, Relation asked,
			const Wal2KafkaOptions *options, Wal2KafkaCharset charset)
{
	Wal2KafkaRowsOrigin *origin = palloc(sizeof(Wal2KafkaRowsOrigin));
	int			natts = RelationGetNumberOfAttributes(relation);

	wal2kafka_rows_check_table(relation);
	origin->relid = RelationGetRelid(relation);
	origin->entry = wal2kafka_relation_build(relation, options, charset);
	check_published(origin->entry, relation, options);
	origin->attnums = map_columns(relation, asked);
	origin->row.values = palloc0(sizeof(Datum) * natts);
	origin->row.nulls = palloc(sizeof(bool) * natts);
	memset(origin->row.nulls, true, sizeof(bool) * natts);
	return origin;
}

List *
wal2kafka_rows_origins(Relation asked, const Wal2KafkaOptions *options,
					   Wal2KafkaCharset charset)
{
	List	   *origins = NIL;
	ListCell   *cell;

	if (asked->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return list_make1(make_origin(asked, asked, options, charset));
	foreach(cell, find_all_inheritors(RelationGetRelid(asked),
									  AccessShareLock, NULL))
	{
		Relation	leaf = relation_open(lfirst_oid(cell), NoLock);

		if (leaf->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
			origins = lappend(origins, make_origin(leaf, asked, options,
												   charset));
		relation_close(leaf, NoLock);
	}
	return origins;
}
