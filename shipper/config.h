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
#include <stdio.h>

/* What the process leaves with. */
/* what the plugin takes for max_record */
#define CONFIG_RECORD_MAX	((size_t) 512 * 1024 * 1024 - 1)

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

enum config_guarantee
{
	AT_LEAST_ONCE,
	EXACTLY_ONCE,
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
	char	   *from;			/* "FILE:LINE", a variable, or "-X" */
};

/* [route TABLE]: wins over the table's security label. */
struct config_route
{
	char	   *table;			/* SCHEMA.TABLE or TABLE, as written: SQL
								 * quoting */
	char	   *topic;			/* NULL: not set */
	char	   *key;			/* columns by commas, SQL quoting; NULL */
};

struct config
{
	/* [postgres] */
	char	   *conninfo;
	char	   *slot;
	bool		failover;		/* standbys are to have the slot too */
	char	   *publication;	/* list by commas; "" means every table */
	char	   *publication_tables; /* what init makes it for; "" not at all */
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
	enum config_guarantee processing_guarantee;
	enum config_topics topics;
	int			topic_partitions;
	int			topic_replication_factor;
	uint64_t	max_in_flight;	/* bytes of frames not yet acknowledged */
	char	   *state;			/* topic of the state record; "": the default,
								 * "none" */
	int			shutdown_timeout;	/* s */
	int			release_after;	/* s */
	int			standby_check_interval; /* s */
	char	   *http;			/* "none", PORT or ADDRESS:PORT */
	char	   *control;		/* path of a socket; "": the default, "none" */
	int			snapshot_connections;
	int			snapshot_chunk_rows;
	int			snapshot_rate;	/* rows/s; 0: no limit */
	bool		allow_plaintext;	/* Kafka without TLS beyond this machine */
	int			log_format;		/* 0 text, 1 JSON */
	int			log_level;		/* enum log_level */

	/* keys of [wal2kafka] that go to the plugin, in its spelling */
	struct config_property *plugin;
	size_t		plugin_count;

	char	   *path;			/* of the file read; NULL without one */
};

#define CONFIG_DEFAULT_PATH "/etc/wal2kafka/wal2kafka.conf"

/*
 * Reads the file, then the environment (WAL2KAFKA_<SECTION>_<KEY>), then
 * "properties" (name=value for Kafka, ended by NULL), later ones winning.
 * "path" NULL means the default file, which may be absent.  Returns NULL, or
 * one line that says what is wrong and where, to be freed; config_free() is
 * due in either case.
 */
extern char *config_load(struct config *cfg, const char *path,
						 const char *const *properties);

/* The parts of config_load(), for tests: no file, no environment. */
extern void config_init(struct config *cfg);
extern char *config_read(struct config *cfg, const char *name,
						 const char *text, size_t len);
extern char *config_check(const struct config *cfg);

extern void config_free(struct config *cfg);

/* The value of a [kafka] property as configured, or NULL. */
extern const char *config_property(const struct config *cfg,
								   const char *name);

/* The value of a key that goes to the plugin, or "initial". */
extern const char *config_plugin_option(const struct config *cfg,
										const char *name,
										const char *initial);

/* Whether a missing publication is no mistake. */
extern bool config_may_lack_publications(const struct config *cfg);

/* Whether a [kafka] property or the conninfo's password is a secret. */
extern bool config_is_secret(const char *property);

/* The table of options, as text for --help --config and the man page. */
extern void config_help(FILE *to);

#endif							/* CONFIG_H */
