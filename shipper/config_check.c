/*
 * config_check.c
 *		What must be set, and what values must look like together.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../plugin/message.h"
#include "address.h"
#include "config.h"
#include "http.h"
#include "mem.h"
#include "names.h"
#include "store.h"

static char *
missing(const char *section, const char *key, const char *variable)
{
	return mem_format("key \"%s\" of section [%s] is missing; set it there "
					  "or in WAL2KAFKA_%s", key, section, variable);
}

static char *
check_slot_name(const char *slot)
{
	if (strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
		strlen(slot) && strlen(slot) <= NAMES_MAX_LENGTH)
		return NULL;
	return mem_format("\"slot\" cannot be \"%s\"; it must be at most %d of "
					  "a-z, 0-9 and _", slot, NAMES_MAX_LENGTH);
}

static char *
check_list(const char *key, const char *value)
{
	struct names names;

	if (*value == '\0')
		return NULL;
	if (!names_parse(&names, value, ','))
		return mem_format("\"%s\" cannot be \"%s\"; it must be names "
						  "separated by commas, in double quotes where SQL "
						  "needs them", key, value);
	names_free(&names);
	return NULL;
}

static char *
check_route(const struct config_route *route)
{
	struct names names;
	bool		is_table = names_parse(&names, route->table, '.') &&
		names.count <= 2;
	char	   *error;

	names_free(&names);
	if (!is_table)
		return mem_format("[route %s]: not a table; write [route TABLE] or "
						  "[route SCHEMA.TABLE], in double quotes where SQL "
						  "needs them", route->table);
	if (route->topic == NULL && route->key == NULL)
		return mem_format("[route %s] sets neither \"topic\" nor \"key\"",
						  route->table);
	if (route->topic != NULL && !topic_name_is_legal(route->topic))
		return mem_format("[route %s]: \"topic\" cannot be \"%s\"; Kafka "
						  "takes at most %d of A-Z, a-z, 0-9, \".\", \"_\" "
						  "and \"-\"", route->table, route->topic,
						  TOPIC_NAME_MAX);
	if (route->key == NULL)
		return NULL;
	error = check_list("key", *route->key ? route->key : ",");
	if (error != NULL)
	{
		char	   *full = mem_format("[route %s]: %s", route->table, error);

		free(error);
		return full;
	}
	return NULL;
}

static char *
check_postgres(const struct config *cfg)
{
	char	   *error;

	if (*cfg->conninfo == '\0')
		return missing("postgres", "conninfo", "POSTGRES_CONNINFO");
	if (*cfg->slot == '\0')
		return missing("postgres", "slot", "POSTGRES_SLOT");
	if ((error = check_slot_name(cfg->slot)) != NULL ||
		(error = check_list("publication", cfg->publication)) != NULL)
		return error;
	if (*cfg->publication_tables != '\0' && *cfg->publication == '\0')
		return mem_strdup("\"publication_tables\" is set and "
						  "\"publication\" is not; name the publication to "
						  "create");
	if (*cfg->topic_prefix != '\0' && !topic_name_is_legal(cfg->topic_prefix))
		return mem_format("\"topic_prefix\" cannot be \"%s\"; Kafka takes at "
						  "most %d of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"",
						  cfg->topic_prefix, TOPIC_NAME_MAX);
	return NULL;
}

/*
 * Shorter: a broker that pauses ends it; none at all: readers wait for days.
 */
static char *
check_guarantee(const struct config *cfg)
{
	const char *timeout = config_property(cfg, "transaction.timeout.ms");
	long		ms = timeout != NULL ? strtol(timeout, NULL, 10) : 60000;

	if (cfg->processing_guarantee != EXACTLY_ONCE)
		return NULL;
	if (cfg->sink != SINK_KAFKA)
		return mem_strdup("\"processing_guarantee\" cannot be "
						  "\"exactly_once\" with another \"sink\" than "
						  "kafka");
	if (strcmp(cfg->state, "none") == 0)
		return mem_strdup("\"processing_guarantee\" cannot be "
						  "\"exactly_once\" with \"state\" = none: the "
						  "position lies there");
	if (ms < 10000 || ms > 900000)
		return mem_format("[kafka] transaction.timeout.ms cannot be \"%s\"; "
						  "it must be a number from 10000 to 900000",
						  timeout);
	return NULL;
}

static char *
check_message_topics(const struct config *cfg)
{
	const char *topics = config_plugin_option(cfg, "message_topics", NULL);
	const char *rest = topics != NULL && *topics != '\0' ? topics : NULL;
	char		glob[TOPIC_NAME_MAX + 1];

	while (message_next_topic(&rest, glob))
		if (*glob == '\0')
			return mem_format("\"message_topics\" cannot be \"%s\"; it must "
							  "be topics with commas between them, in which "
							  "\"*\" and \"?\" may stand for others", topics);
	return NULL;
}

/* The records of tables and messages have no business where the state is. */
static char *
check_reserved(const struct config *cfg)
{
	char	   *reserved = store_topic_name(cfg);
	const char *rest = config_plugin_option(cfg, "message_topics", NULL);
	char		glob[TOPIC_NAME_MAX + 1];
	char	   *error = NULL;

	if (reserved == NULL)
		return NULL;
	for (size_t i = 0; error == NULL && i < cfg->route_count; i++)
		if (cfg->routes[i].topic != NULL &&
			strcmp(cfg->routes[i].topic, reserved) == 0)
			error = mem_format("[route %s]: \"topic\" cannot be \"%s\": the "
							   "state record is kept there",
							   cfg->routes[i].table, reserved);
	while (error == NULL && message_next_topic(&rest, glob))
		if (strcmp(glob, reserved) == 0)
			error = mem_format("\"message_topics\" cannot list \"%s\": the "
							   "state record is kept there", reserved);
	free(reserved);
	return error;
}

static char *
check_http(const struct config *cfg)
{
	struct address address;

	if (!http_is_wanted(cfg))
		return NULL;
	if (!address_parse(cfg->http, &address))
		return mem_format("\"http\" cannot be \"%s\"; it must be none, a PORT "
						  "of this machine alone, or ADDRESS:PORT with a "
						  "numeric address, as in 0.0.0.0:9187 or [::]:9187",
						  cfg->http);
	if (!http_is_built())
		return mem_strdup("\"http\" is set, and this program was built "
						  "without libmicrohttpd; install its headers "
						  "(libmicrohttpd-dev) and build wal2kafka again, or "
						  "take the key out");
	return NULL;
}

/* What a socket's address takes; the commands run in other folders. */
static char *
check_control(const struct config *cfg)
{
	const char *path = cfg->control;

	if (*path == '\0' || strcmp(path, "none") == 0 ||
		(*path == '/' &&
		 strlen(path) < sizeof(((struct sockaddr_un *) NULL)->sun_path)))
		return NULL;
	return mem_format("\"control\" cannot be \"%s\"; it must be none, or an "
					  "absolute path of at most %zu bytes", path,
					  sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1);
}

char *
config_check(const struct config *cfg)
{
	char	   *error = check_postgres(cfg);

	if (error != NULL || (error = check_http(cfg)) != NULL ||
		(error = check_control(cfg)) != NULL)
		return error;
	if (cfg->sink == SINK_KAFKA &&
		config_property(cfg, "bootstrap.servers") == NULL &&
		config_property(cfg, "metadata.broker.list") == NULL)
		return missing("kafka", "bootstrap.servers",
					   "KAFKA_BOOTSTRAP_SERVERS");
	/* acknowledges whatever it gets, and keeps it in our own memory */
	if (config_property(cfg, "test.mock.num.brokers") != NULL)
		return mem_strdup("[kafka] test.mock.num.brokers is not allowed");
	if (*cfg->state != '\0' && !topic_name_is_legal(cfg->state))
		return mem_format("\"state\" cannot be \"%s\"; it must be a topic's "
						  "name, at most %d of A-Z, a-z, 0-9, \".\", \"_\" "
						  "and \"-\", or none", cfg->state, TOPIC_NAME_MAX);
	if (cfg->topic_partitions == 0 || cfg->topic_replication_factor == 0)
		return mem_format("\"%s\" cannot be \"0\"; it must be -1 or at "
						  "least 1", cfg->topic_partitions == 0 ?
						  "topic_partitions" : "topic_replication_factor");
	for (size_t i = 0; i < cfg->route_count; i++)
		if ((error = check_route(&cfg->routes[i])) != NULL)
			return error;
	if ((error = check_guarantee(cfg)) != NULL)
		return error;
	if ((error = check_message_topics(cfg)) != NULL)
		return error;
	return check_reserved(cfg);
}

