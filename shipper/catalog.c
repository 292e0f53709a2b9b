/*
 * catalog.c
 *		What the plugin announced on one connection.
 *
 * The plugin counts its ids up from a small number, so arrays do.
 */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "metrics.h"

#define CATALOG_ID_MAX	(1u << 22)	/* more tables than that is nonsense */

static void *grow(void *array, size_t *count, uint32_t id);
static void free_table(struct catalog_table *table);

void
catalog_init(struct catalog *catalog)
{
	*catalog = (struct catalog) {.topics = NULL};
}

void
catalog_free(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->table_count; i++)
		free_table(catalog->tables[i]);
	free(catalog->tables);
	free(catalog->topics);
	catalog_init(catalog);
}

bool
catalog_add_topic(struct catalog *catalog, uint32_t id, struct topic *topic)
{
	if (id > CATALOG_ID_MAX)
		return false;
	catalog->topics = grow(catalog->topics, &catalog->topic_count, id);
	catalog->topics[id] = topic;
	return true;
}

bool
catalog_add_table(struct catalog *catalog, const struct frame_table *table)
{
	struct catalog_table *made;

	if (table->id > CATALOG_ID_MAX || table->topic >= catalog->topic_count ||
		catalog->topics[table->topic] == NULL)
		return false;

	made = mem_zalloc(sizeof(*made));
	made->topic = catalog->topics[table->topic];
	made->name = mem_format("%.*s.%.*s",
							(int) table->schema.len, table->schema.data,
							(int) table->name.len, table->name.data);
	made->records = metrics_table(table->schema.data, table->schema.len,
								  table->name.data, table->name.len);

	catalog->tables = grow(catalog->tables, &catalog->table_count, table->id);
	if (catalog->tables[table->id] != NULL)
		free_table(catalog->tables[table->id]);
	catalog->tables[table->id] = made;
	return true;
}

/* An array of pointers that has the id, new ones NULL. */
static void *
grow(void *array, size_t *count, uint32_t id)
{
	size_t		wanted = *count > 0 ? *count : 16;
	void	  **grown;

	if (id < *count)
		return array;
	while (wanted <= id)
		wanted *= 2;
	grown = mem_realloc(array, wanted * sizeof(*grown));
	memset(grown + *count, 0, (wanted - *count) * sizeof(*grown));
	*count = wanted;
	return grown;
}

static void
free_table(struct catalog_table *table)
{
	if (table != NULL)
		free(table->name);
	free(table);
}
