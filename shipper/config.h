/*
 * config.h
 *		What the operator asked for: INI file, environment, command line.
 *
 * Strings belong to the struct and live until config_free(); they are never
 * NULL unless a field says so.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the process leaves with. */
enum exit_status
{
	EXIT_ASKED = 0,				/* done, or asked to stop */
	EXIT_USAGE = 1,				/* command line or config */
	EXIT_RESTART = 2,			/* a failure worth a restart */
	EXIT_PERSON = 3,			/* nothing will mend this but a person */
};

enum config_sink
{
	SINK_KAFKA,
	SINK_STDOUT,
	SINK_FILE,
};

enum config_topics
{
	TOPICS_REQUIRE,
	TOPICS_CREATE,
};

/* One line of [kafka], handed to librdkafka as it is. */
struct config_property
{
	char	   *name;
	char	   *value;
};

/* [route TABLE]: wins over the table's security label. */
struct config_route
{
	char	   *table;			/* as written: SCHEMA.TABLE or TABLE, SQL quoting */
	char	   *topic;			/* NULL: not set */
	char	   *key;			/* comma-separated columns, SQL quoting; NULL */
};

struct config
{
	/* [postgres] */
	char	   *conninfo;
	char	   *slot;
	char	   *publication;	/* comma-separated list; "" means every table */
	char	   *topic_prefix;

	/* [kafka] */
	struct config_property *kafka;
	size_t		kafka_count;

	/* [route ...] */
	struct config_route *routes;
	size_t		route_count;

	/* [wal2kafka] */
	enum config_sink sink;
	char	   *sink_dir;		/* with SINK_FILE */
	enum config_topics topics;
	int			topic_partitions;
	int			topic_replication_factor;
	uint64_t	max_in_flight;	/* bytes of frames not yet acknowledged */
	int			shutdown_timeout;	/* s */
	int			release_after;	/* s */

	/* keys of [wal2kafka] that the plugin takes; it judges their values */
	struct config_property *plugin;
	size_t		plugin_count;
};

#endif							/* CONFIG_H */
