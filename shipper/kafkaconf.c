/*
 * kafkaconf.c
 *		The librdkafka configuration: people's properties over our defaults,
 *		and over both what delivery depends on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "producer.h"

#define DEFAULT_MESSAGE_MAX 1000000
/* of librdkafka */
#define SCRAM_VERSION		0x020601ff
#define ONCE_VERSION		0x02050000	/* older ones lose records at the end
										 * of an epoch, or give up where they
										 * need not */

/* librdkafka keeps about 200 bytes of its own for each message in flight */
#define QUEUE_MESSAGES	"100000"

/*
 * A request on its way has a copy of smaller values, and only points to larger
 * ones.  The bound on the number of records in flight is for the former; of
 * the latter there may be as many bytes as max_in_flight says, and as many
 * again at several brokers were too much.  TLS copies anyway, and would make a
 * packet of each piece.
 */
#define COPIED_BYTES	"1024"

struct setting
{
	const char *name;
	const char *value;
	const char *alias;			/* another name or value that means it */
};

/* What people may change. */
static const struct setting defaults[] = {
	{"client.id", "wal2kafka", NULL},
	{"linger.ms", "5", NULL},
	{"queue.buffering.max.messages", QUEUE_MESSAGES, NULL},
	{"socket.nagle.disable", "true", NULL},
	{"socket.keepalive.enable", "true", NULL},
	{"topic.metadata.refresh.interval.ms", "60000", NULL},
};

/* Without these a record can be lost, reordered or timed out. */
static const struct setting forced[] = {
	{"enable.idempotence", "true", NULL},
	{"acks", "all", "-1"},
	{"request.required.acks", "all", "-1"},
	{"message.timeout.ms", "0", NULL},
	{"delivery.timeout.ms", "0", NULL},
	{"enable.gapless.guarantee", "true", NULL},
	{"allow.auto.create.topics", "false", NULL},
	{"delivery.report.only.error", "false", NULL},
	{"log.queue", "true", NULL},
};

/* These load code, run a command, reorder, or belong to another mode. */
static const char *const refused[] = {
	"plugin.library.paths", "interceptors", "sasl.kerberos.kinit.cmd",
	"ssl.engine.location", "ssl_engine_callback_data", "ssl.providers",
	"transactional.id", "queuing.strategy",
};

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value,
				char *err, size_t errsize);
static bool set_own(rd_kafka_conf_t *conf, const struct config *config,
					char *err, size_t errsize);
static bool library_ok(const struct config *config, char *err,
					   size_t errsize);
static bool allowed(const struct config *config,
					const struct config_property *property, char *err,
					size_t errsize);
static bool is_own_id(const struct config_property *property);
static bool queue_ok(const struct config *config, char *err, size_t errsize);
static bool plaintext_ok(const struct config *config, char *err,
						 size_t errsize);
static bool is_loopback(const char *servers, char *server, size_t size);
static bool is_encrypted(const struct config *config);
static const char *lookup(const struct config *config, const char *name);

rd_kafka_conf_t *
producer_conf(const struct config *config, char *err, size_t errsize)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	bool		ok = set_own(conf, config, err, errsize);

	for (size_t i = 0; ok && i < config->kafka_count; i++)
		ok = allowed(config, &config->kafka[i], err, errsize) &&
			(is_own_id(&config->kafka[i]) ||
			 set(conf, config->kafka[i].name, config->kafka[i].value, err,
				 errsize));
	for (size_t i = 0; ok && i < sizeof(forced) / sizeof(forced[0]); i++)
		ok = set(conf, forced[i].name, forced[i].value, err, errsize);
	if (ok && library_ok(config, err, errsize) &&
		queue_ok(config, err, errsize) &&
		plaintext_ok(config, err, errsize))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

double
producer_setting(const rd_kafka_conf_t *conf, const char *name)
{
	char		text[32];
	size_t		len = sizeof(text);

	if (rd_kafka_conf_get(conf, name, text, &len) != RD_KAFKA_CONF_OK)
		abort();
	return strtod(text, NULL);
}

size_t
producer_max_record(const struct config *config)
{
	const char *value = lookup(config, "message.max.bytes");
	size_t		limit;

	if (value == NULL)
		value = lookup(config, "max.request.size");
	limit = value != NULL ? strtoul(value, NULL, 10) : DEFAULT_MESSAGE_MAX;
	return limit > 2 * PRODUCER_OVERHEAD ? limit - PRODUCER_OVERHEAD : limit;
}

const char *
producer_login_hint(const struct config *config)
{
	const char *mechanism = lookup(config, "sasl.mechanism");

	if (mechanism == NULL)
		mechanism = lookup(config, "sasl.mechanisms");
	if (mechanism == NULL || strncasecmp(mechanism, "SCRAM-", 6) != 0 ||
		rd_kafka_version() >= SCRAM_VERSION)
		return NULL;
	return "librdkafka before 2.6.1 cannot log in to Kafka 4 by SCRAM: take "
		"a newer one, or sasl.mechanism = PLAIN over TLS.";
}

static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value, char *err,
	size_t errsize)
{
	char		reason[256];

	if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) ==
		RD_KAFKA_CONF_OK)
		return true;
	snprintf(err, errsize, "[kafka] %s: %s", name, reason);
	return false;
}

/*
 * librdkafka's bound on bytes lies above the ledger's: one record may be
 * larger than max_in_flight, and a queue that can never take it would hang.
 */
static bool
set_own(rd_kafka_conf_t *conf, const struct config *config, char *err,
		size_t errsize)
{
	uint64_t	kbytes = (2 * config->max_in_flight +
						  producer_max_record(config)) / 1024 + 1024;
	char	   *text = mem_format("%llu", (unsigned long long)
								  (kbytes < INT32_MAX ? kbytes : INT32_MAX));
	bool		ok = set(conf, "queue.buffering.max.kbytes", text, err,
						 errsize);

	free(text);
	for (size_t i = 0; ok && i < sizeof(defaults) / sizeof(defaults[0]); i++)
		ok = set(conf, defaults[i].name, defaults[i].value, err, errsize);
	if (ok && !is_encrypted(config))
		ok = set(conf, "message.copy.max.bytes", COPIED_BYTES, err, errsize);
	return ok;
}

static bool
library_ok(const struct config *config, char *err, size_t errsize)
{
	if (config->processing_guarantee != EXACTLY_ONCE ||
		rd_kafka_version() >= ONCE_VERSION)
		return true;
	snprintf(err, errsize, "\"processing_guarantee\" cannot be "
			 "\"exactly_once\" with librdkafka %s; it must be 2.5.0 or later",
			 rd_kafka_version_str());
	return false;
}

/* Only one producer of the shipper is transactional, and sets it by itself. */
static bool
is_own_id(const struct config_property *property)
{
	return strcmp(property->name, "transactional.id") == 0;
}

static bool
allowed(const struct config *config, const struct config_property *property,
		char *err, size_t errsize)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(property->name, refused[i]) == 0 &&
			!(config->processing_guarantee == EXACTLY_ONCE &&
			  is_own_id(property)))
		{
			snprintf(err, errsize, "[kafka] %s is not allowed",
					 property->name);
			return false;
		}
	for (size_t i = 0; i < sizeof(forced) / sizeof(forced[0]); i++)
		if (strcmp(property->name, forced[i].name) == 0 &&
			strcasecmp(property->value, forced[i].value) != 0 &&
			(forced[i].alias == NULL ||
			 strcmp(property->value, forced[i].alias) != 0))
		{
			snprintf(err, errsize, "[kafka] %s must be \"%s\": delivery "
					 "depends on it", property->name, forced[i].value);
			return false;
		}
	return true;
}

/* A record that the queue can never take would wait for ever. */
static bool
queue_ok(const struct config *config, char *err, size_t errsize)
{
	const char *value = lookup(config, "queue.buffering.max.kbytes");
	size_t		largest = producer_max_record(config) + PRODUCER_OVERHEAD;
	size_t		need = largest / 1024;	/* kB */

	if (value == NULL || strtoul(value, NULL, 10) > need)
		return true;
	snprintf(err, errsize, "[kafka] queue.buffering.max.kbytes must be more "
			 "than %zu: a record may have message.max.bytes", need);
	return false;
}

static bool
is_encrypted(const struct config *config)
{
	const char *protocol = lookup(config, "security.protocol");

	return protocol != NULL && (strcasecmp(protocol, "ssl") == 0 ||
								strcasecmp(protocol, "sasl_ssl") == 0);
}

static bool
plaintext_ok(const struct config *config, char *err, size_t errsize)
{
	const char *servers = lookup(config, "bootstrap.servers");
	char		server[256];

	if (servers == NULL)
		servers = lookup(config, "metadata.broker.list");
	if (servers == NULL || servers[0] == '\0')
	{
		snprintf(err, errsize, "[kafka] bootstrap.servers is missing");
		return false;
	}
	if (config->allow_plaintext || is_encrypted(config) ||
		is_loopback(servers, server, sizeof(server)))
		return true;
	snprintf(err, errsize, "[kafka] bootstrap.servers: rows would go to "
			 "\"%s\" unencrypted; set security.protocol to ssl or sasl_ssl, "
			 "or allow_plaintext = on in [wal2kafka]", server);
	return false;
}

/* Whether all servers are on this machine; otherwise names one that is not. */
static bool
is_loopback(const char *servers, char *server, size_t size)
{
	static const char *const local[] = {"localhost", "127.", "[::1]", "::1"};
	char	   *list = mem_strdup(servers);
	char	   *rest = list;
	char	   *item;
	bool		all = true;

	while (all && (item = strtok_r(rest, ", ", &rest)) != NULL)
	{
		char	   *host = strstr(item, "://");

		host = host != NULL ? host + 3 : item;
		all = false;
		for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		{
			size_t		len = strlen(local[i]);

			all |= strncasecmp(host, local[i], len) == 0 &&
				(host[len] == '\0' || host[len] == ':' ||
				 strcmp(local[i], "127.") == 0);
		}
		if (!all)
			snprintf(server, size, "%s", item);
	}
	free(list);
	return all;
}

static const char *
lookup(const struct config *config, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < config->kafka_count; i++)
		if (strcmp(config->kafka[i].name, name) == 0)
			value = config->kafka[i].value;
	return value;
}
