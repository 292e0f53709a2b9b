/*
 * resolve.h
 *		Tables that the config names, found in the catalog.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "names.h"
#include "server.h"

struct resolved
{
	char	   *oid;
	char	   *schema;
	char	   *name;
	struct names key;			/* of a route; empty if it sets none */
	const char *topic;			/* borrowed from the config, may be NULL */
	bool		used;			/* by a captured table */
};

/*
 * Finds TABLE or SCHEMA.TABLE.  False with what is wrong and the remedy, both
 * to be freed, when there is none, or more than one, or the query failed.
 */
extern bool resolve_table(struct server *server, const char *written,
						  struct resolved *table, char **error,
						  char **remedy);

/* The same for a route and the columns of its key. */
extern bool resolve_route(struct server *server,
						  const struct config_route *route,
						  struct resolved *table, char **error,
						  char **remedy);
extern void resolve_free(struct resolved *table);

/* "SCHEMA"."TABLE", to be freed */
extern char *resolve_quoted(const struct resolved *table);

#endif							/* RESOLVE_H */
