/*
 * publication.h
 *		The publications that the config names: looked up, made, compared.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include <stdbool.h>

#include "config.h"
#include "names.h"
#include "server.h"

/* The configured names; empty when every table is captured. */
extern void publication_names(const struct config *cfg, struct names *names);

/* False when the query failed, which is logged. */
extern bool publication_exists(struct server *server, const char *name,
							   bool *exists);

/* CREATE PUBLICATION ...; "tables" NULL leaves them to the reader. */
extern char *publication_create_sql(struct server *server, const char *name,
									const char *tables);

/* Creates it for the config's "publication_tables"; logs either way. */
extern enum exit_status publication_create(struct server *server,
										   const struct config *cfg,
										   const char *name);

/*
 * Says in *difference how one that exists differs from what the config asks
 * for, and in *remedy what to run; NULL if it does not.  False when a query
 * failed, which is logged.
 */
extern bool publication_compare(struct server *server,
								const struct config *cfg, const char *name,
								char **difference, char **remedy);

extern enum exit_status publication_drop(struct server *server,
										 const char *name);

#endif							/* PUBLICATION_H */
