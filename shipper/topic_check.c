/*
 * topic_check.c
 *		The settings of Kafka's topics, as "check" judges them.
 */
#include "topic_check.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "producer.h"

#define DESCRIBE_TIMEOUT	3000	/* ms */

/* What is looked at; texts are the library's, NULL: not told. */
struct settings
{
	const char *topic;
	const char *max_bytes;
	const char *policy;
	const char *min_replicas;
	const char *unclean;
};

static rd_kafka_event_t *describe(rd_kafka_t *rk,
								  rd_kafka_ConfigResource_t **topics,
								  size_t count, rd_kafka_queue_t *queue);
static bool topic_exists(const struct rd_kafka_metadata *metadata,
						 const char *name);
static int	replicas_of(const struct rd_kafka_metadata *metadata,
						const char *name);
static struct settings read_settings(const rd_kafka_ConfigResource_t *from);
static void check_size(const struct config *cfg,
					   const struct settings *settings,
					   struct report *report);
static void check_policy(const struct settings *settings,
						 const struct capture *capture,
						 struct report *report);
static void check_replicas(const struct settings *settings, int brokers,
						   int replicas, struct report *report);
static void check_unclean(const struct settings *settings,
						  struct report *report);

void
topic_check(rd_kafka_t *rk, const struct config *cfg,
			const struct rd_kafka_metadata *metadata,
			const struct names *topics, const struct capture *capture,
			struct report *report)
{
	rd_kafka_ConfigResource_t **wanted = mem_zalloc((topics->count + 1) *
													sizeof(*wanted));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	const rd_kafka_ConfigResource_t **found = NULL;
	rd_kafka_event_t *event = NULL;
	size_t		count = 0;

	for (size_t i = 0; i < topics->count; i++)
		if (topic_exists(metadata, topics->name[i]))
			wanted[count++] =
				rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
											topics->name[i]);
	if (count > 0)
		event = describe(rk, wanted, count, queue);
	rd_kafka_ConfigResource_destroy_array(wanted, count);
	free(wanted);

	count = 0;
	if (event != NULL && rd_kafka_event_DescribeConfigs_result(event) != NULL)
		found = rd_kafka_DescribeConfigs_result_resources
			(rd_kafka_event_DescribeConfigs_result(event), &count);
	for (size_t i = 0; i < count; i++)
	{
		struct settings settings = read_settings(found[i]);

		check_size(cfg, &settings, report);
		check_policy(&settings, capture, report);
		check_replicas(&settings, metadata->broker_cnt,
					   replicas_of(metadata, settings.topic), report);
		check_unclean(&settings, report);
	}
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
}

/* Asks for the topics' settings; NULL when there is no answer. */
static rd_kafka_event_t *
describe(rd_kafka_t *rk, rd_kafka_ConfigResource_t **topics, size_t count,
		 rd_kafka_queue_t *queue)
{
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	char		error[PRODUCER_ERROR_SIZE];

	rd_kafka_AdminOptions_set_request_timeout(options, DESCRIBE_TIMEOUT,
											  error, sizeof(error));
	rd_kafka_DescribeConfigs(rk, topics, count, options, queue);
	rd_kafka_AdminOptions_destroy(options);
	return rd_kafka_queue_poll(queue, DESCRIBE_TIMEOUT + 500);
}

static bool
topic_exists(const struct rd_kafka_metadata *metadata, const char *name)
{
	return replicas_of(metadata, name) > 0;
}

/* Of the first partition; 0: no such topic. */
static int
replicas_of(const struct rd_kafka_metadata *metadata, const char *name)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, name) == 0 &&
			metadata->topics[i].partition_cnt > 0)
			return metadata->topics[i].partitions[0].replica_cnt;
	return 0;
}

static struct settings
read_settings(const rd_kafka_ConfigResource_t *from)
{
	struct settings settings = {
		.topic = rd_kafka_ConfigResource_name(from)
	};
	const rd_kafka_ConfigEntry_t **entries;
	size_t		count = 0;

	entries = rd_kafka_ConfigResource_configs(from, &count);
	for (size_t i = 0; i < count; i++)
	{
		const char *name = rd_kafka_ConfigEntry_name(entries[i]);
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (strcmp(name, "max.message.bytes") == 0)
			settings.max_bytes = value;
		else if (strcmp(name, "cleanup.policy") == 0)
			settings.policy = value;
		else if (strcmp(name, "min.insync.replicas") == 0)
			settings.min_replicas = value;
		else if (strcmp(name, "unclean.leader.election.enable") == 0)
			settings.unclean = value;
	}
	return settings;
}

static void
check_size(const struct config *cfg, const struct settings *settings,
		   struct report *report)
{
	long long	ours = (long long) producer_max_record(cfg);

	if (settings->max_bytes == NULL || atoll(settings->max_bytes) >= ours)
		return;
	report_warning(report, "topic \"%s\" takes records of at most %s bytes, "
				   "the producer makes up to %lld", settings->topic,
				   settings->max_bytes, ours);
	report_remedy(report, "Raise max.message.bytes of the topic, or set "
				  "message.max.bytes = %s in [kafka].", settings->max_bytes);
}

/* A compacted topic takes no record without a key. */
static void
check_policy(const struct settings *settings, const struct capture *capture,
			 struct report *report)
{
	if (settings->policy == NULL ||
		strstr(settings->policy, "compact") == NULL)
		return;
	for (size_t i = 0; i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];

		if (strcmp(table->topic, settings->topic) != 0 ||
			table->key.count > 0)
			continue;
		report_problem(report, "table %s has no key, and its topic \"%s\" is "
					   "compacted: Kafka refuses its records", table->shown,
					   settings->topic);
		report_remedy(report, "Give the table a primary key or replica "
					  "identity, or set cleanup.policy=delete on the topic.");
	}
}

/* One broker may be all there is; with three there is no excuse. */
static void
check_replicas(const struct settings *settings, int brokers, int replicas,
			   struct report *report)
{
	int			least = settings->min_replicas != NULL ?
		atoi(settings->min_replicas) : 0;

	if (brokers < 3 || (replicas >= 3 && (least == 0 || least >= 2)))
		return;
	report_warning(report, "topic \"%s\" has %d replica%s and "
				   "min.insync.replicas=%s: the loss of a broker may take "
				   "acknowledged records with it", settings->topic, replicas,
				   replicas == 1 ? "" : "s", settings->min_replicas != NULL ?
				   settings->min_replicas : "?");
	report_remedy(report, "Give the topic 3 replicas (kafka-reassign-"
				  "partitions.sh) and min.insync.replicas=2.");
}

static void
check_unclean(const struct settings *settings, struct report *report)
{
	if (settings->unclean == NULL || strcmp(settings->unclean, "true") != 0)
		return;
	report_warning(report, "topic \"%s\" has unclean.leader.election.enable="
				   "true: a new leader may lack acknowledged records",
				   settings->topic);
	report_remedy(report, "Set it to false on the topic.");
}
