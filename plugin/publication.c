/*
 * publication.c
 *		Which tables are captured, and which of their changes.
 *
 * The rules are those of pgoutput.c, get_rel_sync_entry(): the union of the
 * operations of all requested publications that hold the table, published as
 * its topmost ancestor among those that publish via the partition root.  Row
 * filters (filter.c) and column lists are those of the publications that
 * publish it as that ancestor.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "publication.h"

#define EXTENSION_SCHEMA "wal2kafka"

/* NULL: it is missing, and may be. */
static Publication *
publication_get(const char *name, const Wal2KafkaOptions *options)
{
	Publication *publication = GetPublicationByName(name, true);

	if (publication == NULL &&
		options->missing_publication == MISSING_PUBLICATION_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("publication \"%s\" does not exist at this point of the write-ahead log",
						name),
				 errdetail("A publication counts from the commit of its CREATE PUBLICATION on."),
				 errhint("Create the publication before the slot. To give up what was written before it was created, set missing_publication = skip, or advance the slot to where it was created with pg_replication_slot_advance().")));
	return publication;
}

/*
 * Whether a publication holds the table.  *as is the table that its changes
 * are published as, *level how many steps up from this one.
 */
static bool
publication_holds(Publication *publication, Relation relation,
				  List *ancestors, Oid *as, int *level)
{
	Oid			relid = RelationGetRelid(relation);
	Oid			ancestor = InvalidOid;
	int			ancestor_level = 0;
	bool		holds;

	*as = relid;
	*level = 0;

	if (PUBLICATION_IS_FOR_ALL(publication, relid, ancestors))
	{
		holds = true;
		if (ancestors != NIL)
		{
			ancestor = llast_oid(ancestors);
			ancestor_level = list_length(ancestors);
		}
	}
	else
	{
		Oid			schema = RelationGetNamespace(relation);

		if (ancestors != NIL)
			ancestor = GetTopMostAncestorInPublication(publication->oid,
													   ancestors,
													   &ancestor_level);
		holds = OidIsValid(ancestor) ||
			list_member_oid(RELATION_PUBLICATIONS(relid), publication->oid) ||
			list_member_oid(GetSchemaPublications(schema), publication->oid);
	}

	if (holds && publication->pubviaroot && OidIsValid(ancestor))
	{
		*as = ancestor;
		*level = ancestor_level;
	}

	/* without the root's name a partitioned table has no changes of its own */
	if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		!publication->pubviaroot)
		return false;
	return holds;
}

static void
membership_of_publications(Relation relation, const Wal2KafkaOptions *options,
						   Wal2KafkaMembership *membership)
{
	List	   *ancestors = NIL;
	int			top = 0;
	ListCell   *lc;

	if (relation->rd_rel->relispartition)
		ancestors = get_partition_ancestors(RelationGetRelid(relation));

	foreach(lc, options->publications)
	{
		Publication *publication = publication_get(lfirst(lc), options);
		Oid			as;
		int			level;

		if (publication == NULL ||
			!publication_holds(publication, relation, ancestors, &as, &level))
			continue;

		membership->insert |= publication->pubactions.pubinsert;
		membership->update |= publication->pubactions.pubupdate;
		membership->delete |= publication->pubactions.pubdelete;
		membership->truncate |= publication->pubactions.pubtruncate;

		if (level > top)
			membership->publications = NIL;
		if (level >= top)
		{
			top = level;
			membership->publish_as = as;
			membership->publications = lappend(membership->publications,
											   publication);
		}
	}
}

void
wal2kafka_membership(Relation relation, const Wal2KafkaOptions *options,
					 Wal2KafkaMembership *membership)
{
	char	   *schema;

	memset(membership, 0, sizeof(*membership));
	membership->publish_as = RelationGetRelid(relation);
	/* FOR ALL TABLES and TABLES IN SCHEMA do not mean materialized views */
	if (!is_publishable_relation(relation))
		return;

	if (options->publications != NIL)
	{
		membership_of_publications(relation, options, membership);
		return;
	}

	schema = get_namespace_name(RelationGetNamespace(relation));
	if (schema == NULL)
		elog(ERROR, "cache lookup failed for namespace %u",
			 RelationGetNamespace(relation));
	if (strcmp(schema, EXTENSION_SCHEMA) != 0)
	{
		membership->insert = true;
		membership->update = true;
		membership->delete = true;
		membership->truncate =
			relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE;
	}
}

/* ---- columns ---- */

/* Of a table, with or without its stored generated columns. */
static Bitmapset *
all_columns(Relation relation, bool generated)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Bitmapset  *columns = NULL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped &&
			(att->attgenerated == '\0' ||
			 (att->attgenerated == ATTRIBUTE_GENERATED_STORED && generated)))
			columns = bms_add_member(columns, att->attnum);
	}
	return columns;
}

/* The publication's column list for the table; NULL if it has none. */
static Bitmapset *
column_list(Publication *publication, Oid relid)
{
	Bitmapset  *columns = NULL;
	HeapTuple	tuple;
	Datum		list;
	bool		isnull;

	if (publication->alltables)
		return NULL;
	tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(relid),
							ObjectIdGetDatum(publication->oid));
	if (!HeapTupleIsValid(tuple))
		return NULL;

	list = SysCacheGetAttr(PUBLICATIONRELMAP, tuple,
						   Anum_pg_publication_rel_prattrs, &isnull);
	if (!isnull)
		columns = pub_collist_to_bitmapset(NULL, list, NULL);
	ReleaseSysCache(tuple);
	return columns;
}

/*
 * What is decoded sees the publications of its own time: for what is in the
 * log already only the choice of publications can be mended.
 */
static void
refuse_disagreement(Relation relation, const Publication *first,
					const Publication *second, bool lists)
{
	char	   *schema = get_namespace_name(RelationGetNamespace(relation));
	char	   *table = RelationGetRelationName(relation);
	const char *names = psprintf("\"%s\" and \"%s\"", first->name,
								 second->name);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 lists ?
			 errmsg("cannot use different column lists for table \"%s.%s\" in different publications",
					schema, table) :
			 errmsg("cannot use different values of publish_generated_columns for table \"%s.%s\" in different publications",
					schema, table),
			 errdetail("Publications %s do not publish the same columns.",
					   names),
			 errhint("For what is in the log already request only one of them. For what is to come give both the same columns with ALTER PUBLICATION.")));
}

/*
 * A publication without a list stands for all columns, so that a list of all
 * of them agrees with it.  pgoutput also refuses some that publish the same:
 * 15 where the table has dropped or generated columns, 18 where it has
 * virtual ones and publications differ in publish_generated_columns.
 */
static Bitmapset *
columns_of_publications(Relation published, List *publications)
{
	Publication *first = NULL;
	Bitmapset  *columns = NULL;
	bool		first_has_list = false;
	ListCell   *lc;

	foreach(lc, publications)
	{
		Publication *publication = lfirst(lc);
		Bitmapset  *these = column_list(publication,
										RelationGetRelid(published));
		bool		has_list = these != NULL;

		if (!has_list)
			these = all_columns(published,
								PUBLICATION_HAS_GENERATED(publication));
		if (first == NULL)
		{
			first = publication;
			first_has_list = has_list;
		}
		else if (!bms_equal(columns, these))
			refuse_disagreement(published, first, publication,
								has_list || first_has_list);
		columns = these;
	}
	return columns;
}

Bitmapset *
wal2kafka_membership_columns(const Wal2KafkaMembership *membership,
							 Relation published,
							 const Wal2KafkaOptions *options)
{
	bool		rows = membership->insert || membership->update ||
		membership->delete;

	if (rows && membership->publications != NIL)
		return columns_of_publications(published, membership->publications);
	return all_columns(published, options->generated == GENERATED_STORED);
}
