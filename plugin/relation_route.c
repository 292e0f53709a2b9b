/*
 * relation_route.c
 *		Topic and key of a table, out of what config and labels say.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "relation_route.h"
#include "route.h"
#include "topicname.h"

/* The entry's column of that name, or -1. */
static int
column_find(const Wal2KafkaRelation *entry, const char *name)
{
	for (int i = 0; i < entry->ncolumns; i++)
	{
		if (strcmp(entry->columns[i].name, name) == 0)
			return i;
	}
	return -1;
}

/*
 * What is being decoded sees the identity and the label of its own time, so
 * neither can be mended for it afterwards: only the config reaches back.
 */
static void
key_refuse(const Wal2KafkaRelation *entry, const char *column,
		   const char *reason)
{
	const char *shown = quote_qualified_identifier(entry->schema,
												   entry->table);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			 errmsg("column \"%s\" cannot be in the Kafka key of table \"%s.%s\"",
					column, entry->schema, entry->table),
			 errdetail("%s", reason),
			 errhint("For what is in the log already give the table another key in the shipper's configuration, with [route %s]. For what is to come use ALTER TABLE %s REPLICA IDENTITY FULL, or change the route.",
					 shown, shown)));
}

/* The key of a route must be in every OLD that is logged. */
static void
key_of_route(Wal2KafkaRelation *entry, List *names)
{
	ListCell   *lc;

	entry->key_columns = palloc(sizeof(int) * list_length(names));
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		int			column = column_find(entry, name);

		if (column < 0)
			key_refuse(entry, name, "The column does not exist or is not published.");
		if ((entry->actions.update || entry->actions.delete) &&
			entry->identity != IDENTITY_FULL &&
			!entry->columns[column].in_identity)
			key_refuse(entry, name, "The column is not part of the replica identity, so a delete could not find its partition.");
		entry->key_columns[entry->nkey++] = column;
	}
}

/* A config route of the table itself, else of its nearest ancestor. */
static const Wal2KafkaConfigRoute *
config_route(const Wal2KafkaRelation *entry, Relation published,
			 const List *routes)
{
	const Wal2KafkaConfigRoute *route;
	ListCell   *lc;

	route = wal2kafka_routes_find(routes, entry->schema, entry->table);
	if (route || routes == NIL || !published->rd_rel->relispartition)
		return route;

	foreach(lc, get_partition_ancestors(RelationGetRelid(published)))
	{
		Oid			ancestor = lfirst_oid(lc);
		char	   *schema = get_namespace_name(get_rel_namespace(ancestor));
		char	   *table = get_rel_name(ancestor);

		if (schema == NULL || table == NULL)
			elog(ERROR, "cache lookup failed for relation %u", ancestor);
		route = wal2kafka_routes_find(routes, schema, table);
		if (route)
			return route;
	}
	return NULL;
}

static bool
is_in_key(const Wal2KafkaRelation *entry, int column)
{
	for (int i = 0; i < entry->nkey; i++)
	{
		if (entry->key_columns[i] == column)
			return true;
	}
	return false;
}

/* What else makes a row another one when it changes. */
static void
beside_key(Wal2KafkaRelation *entry)
{
	entry->beside_columns = palloc(sizeof(int) * Max(entry->nidentity, 1));
	for (int i = 0; i < entry->nidentity; i++)
	{
		int			column = entry->identity_columns[i];

		if (!is_in_key(entry, column))
			entry->beside_columns[entry->nbeside++] = column;
	}
}

void
wal2kafka_relation_route(Wal2KafkaRelation *entry, Relation relation,
						 Relation published,
						 const Wal2KafkaOptions *options)
{
	const Wal2KafkaConfigRoute *config;
	Wal2KafkaRoute route = {0};
	char		topic[TOPIC_NAME_MAX + 1];

	/* a label that the config replaces whole need not even make sense */
	config = config_route(entry, published, options->route_list);
	if (config == NULL || config->topic == NULL || config->key == NIL)
		wal2kafka_route_read(RelationGetRelid(published),
							 published == relation, &route);

	if (config && config->topic)
		route.topic = config->topic;
	if (config && config->key != NIL)
		route.key = config->key;

	if (route.topic == NULL)
	{
		topic_name_default(topic, options->topic_prefix,
						   wal2kafka_utf8_name(entry->schema),
						   wal2kafka_utf8_name(entry->table));
		route.topic = topic;
	}
	entry->topic = pstrdup(route.topic);

	if (route.key != NIL)
	{
		key_of_route(entry, route.key);
		beside_key(entry);
	}
	else
	{
		entry->nkey = entry->nidentity;
		entry->key_columns = entry->identity_columns;
	}
}
