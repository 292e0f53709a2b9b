/*
 * route.h
 *		Where a table's records go, as far as anybody has said so.
 *
 * Two sources: security labels, versioned in WAL order, and the plugin option
 * "routes".  An option's topic or key wins over the label's; what the option
 * leaves open is the label's.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "nodes/pg_list.h"

typedef struct Wal2KafkaRoute
{
	char	   *topic;			/* used as written; NULL: the default name */
	List	   *key;			/* of char *, column names in the key's order;
								 * NIL: the replica identity's columns */
	Oid			source;			/* whose labels they are: the relation, one of
								 * its ancestors, or InvalidOid */
} Wal2KafkaRoute;

/*
 * Reads the labels of a relation under the snapshot that catalog scans use
 * now: the historic one while decoding.  A relation's route is its own labels
 * if it has any; else, if "inherit", those of the nearest ancestor that has
 * any (a relation published via its root is asked for by the root's OID, and
 * without "inherit").  Everything is allocated in CurrentMemoryContext.
 * A label that cannot be understood is an ERROR.
 */
extern void wal2kafka_route_read(Oid relid, bool inherit,
								 Wal2KafkaRoute *route);

/* A piece of the option "routes" */
typedef struct Wal2KafkaConfigRoute
{
	char	   *schema;
	char	   *table;
	char	   *topic;			/* or NULL */
	List	   *key;			/* of char *, or NIL */
} Wal2KafkaConfigRoute;

/*
 * Parses the option's value into a List of Wal2KafkaConfigRoute, allocated in
 * CurrentMemoryContext.  Looks into no catalog.  ERROR names the bad piece.
 *
 *	routes	= [route] {";" [route]}
 *	route	= schema "." table ["topic=" NAME] ["key=" column {"," column}]
 *
 * The parts of a route are separated by blanks; schema, table and columns are
 * SQL identifiers, quoted or folded to lower case.
 */
extern List *wal2kafka_routes_parse(const char *value);

/* The route of a table, or NULL. */
extern const Wal2KafkaConfigRoute *wal2kafka_routes_find(const List *routes,
														 const char *schema,
														 const char *table);

#endif							/* ROUTE_H */
