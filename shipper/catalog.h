/*
 * catalog.h
 *		What the plugin announced on one connection: topics and tables by id.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

struct topic;

struct catalog_table
{
	char	   *name;			/* owned; "schema.name", for messages */
	struct topic *topic;		/* borrowed from the sink */
	uint64_t   *records;		/* borrowed: their counter */
	uint64_t	no_identity;	/* notices seen */
};

struct catalog
{
	struct topic **topics;		/* owned array of the sink's; NULL: none */
	size_t		topic_count;
	struct catalog_table **tables;	/* owned; NULL: none */
	size_t		table_count;
};

extern void catalog_init(struct catalog *catalog);
extern void catalog_free(struct catalog *catalog);

/* False: an id out of range, or one that was never announced. */
extern bool catalog_add_topic(struct catalog *catalog, uint32_t id,
							  struct topic *topic);
extern bool catalog_add_table(struct catalog *catalog,
							  const struct frame_table *table);

/* NULL when it was not announced. */
static inline struct catalog_table *
catalog_table(const struct catalog *catalog, uint32_t id)
{
	return id < catalog->table_count ? catalog->tables[id] : NULL;
}

#endif							/* CATALOG_H */
