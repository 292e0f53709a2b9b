/*
 * publication.c
 *		Which tables are captured, and which of their changes.
 *
 * The rules are those of pgoutput.c, get_rel_sync_entry(): the union of the
 * operations of all requested publications that hold the table, published as
 * its topmost ancestor among those that publish via the partition root.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "publication.h"

#define EXTENSION_SCHEMA "wal2kafka"

static Publication *
publication_get(const char *name)
{
	Publication *publication = GetPublicationByName(name, true);

	if (publication == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("publication \"%s\" does not exist at this point of the write-ahead log",
						name),
				 errdetail("A publication counts from the commit of its CREATE PUBLICATION on."),
				 errhint("Create the publication before the slot. To give up the changes up to then, advance the slot with pg_replication_slot_advance().")));
	return publication;
}

/* A filter that is not obeyed would leak rows: refuse instead. */
static void
refuse_filters(Oid relid, Publication *publication)
{
	HeapTuple	tuple;
	bool		no_rows;
	bool		no_columns;

	tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(relid),
							ObjectIdGetDatum(publication->oid));
	if (!HeapTupleIsValid(tuple))
		return;

	(void) SysCacheGetAttr(PUBLICATIONRELMAP, tuple,
						   Anum_pg_publication_rel_prqual, &no_rows);
	(void) SysCacheGetAttr(PUBLICATIONRELMAP, tuple,
						   Anum_pg_publication_rel_prattrs, &no_columns);
	ReleaseSysCache(tuple);

	if (!no_rows || !no_columns)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("publication \"%s\" has a %s for table \"%s\", which wal2kafka does not support yet",
						publication->name,
						no_rows ? "column list" : "row filter",
						get_rel_name(relid)),
				 errhint("Publish the whole table, or leave it out of the publication.")));
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
		if (ancestors != NIL)
			ancestor = GetTopMostAncestorInPublication(publication->oid,
													   ancestors,
													   &ancestor_level);
		holds = OidIsValid(ancestor) ||
			list_member_oid(RELATION_PUBLICATIONS(relid), publication->oid) ||
			list_member_oid(GetSchemaPublications(RelationGetNamespace(relation)),
							publication->oid);
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
refuse_disagreement(bool differs, const char *first, const char *second,
					Relation relation)
{
	if (differs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("publications \"%s\" and \"%s\" disagree on the generated columns of table \"%s\"",
						first, second, RelationGetRelationName(relation)),
				 errhint("Give both the same publish_generated_columns, or use one of them.")));
}

static void
membership_of_publications(Relation relation, List *names,
						   Wal2KafkaMembership *membership)
{
	List	   *ancestors = NIL;
	List	   *topmost = NIL;
	const char *first = NULL;
	int			top = 0;
	ListCell   *lc;

	if (relation->rd_rel->relispartition)
		ancestors = get_partition_ancestors(RelationGetRelid(relation));

	foreach(lc, names)
	{
		Publication *publication = publication_get((char *) lfirst(lc));
		Oid			as;
		int			level;

		if (!publication_holds(publication, relation, ancestors, &as, &level))
			continue;

		membership->insert |= publication->pubactions.pubinsert;
		membership->update |= publication->pubactions.pubupdate;
		membership->delete |= publication->pubactions.pubdelete;
		membership->truncate |= publication->pubactions.pubtruncate;

		if (level > top)
			topmost = NIL;
		if (level >= top)
		{
			top = level;
			membership->publish_as = as;
			topmost = lappend(topmost, publication);
		}
	}

	/* what the topmost ancestor's publications say is what counts */
	foreach(lc, topmost)
	{
		Publication *publication = lfirst(lc);
		bool		generated = PUBLICATION_HAS_GENERATED(publication);

		refuse_filters(membership->publish_as, publication);
		refuse_disagreement(first && membership->generated != generated,
							first, publication->name, relation);
		membership->generated = generated;
		first = publication->name;
	}
}

void
wal2kafka_membership(Relation relation, const Wal2KafkaOptions *options,
					 Wal2KafkaMembership *membership)
{
	char	   *schema;

	memset(membership, 0, sizeof(*membership));
	membership->publish_as = RelationGetRelid(relation);
	/* FOR ALL TABLES and FOR TABLES IN SCHEMA do not mean materialized views */
	if (!is_publishable_relation(relation))
		return;

	if (options->publications != NIL)
	{
		membership_of_publications(relation, options->publications,
								   membership);
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
		membership->generated = options->generated == GENERATED_STORED;
	}
}
