/*
 * store_topic_setup.c
 *		The topic of the state records: is it there, and fit for them.
 *
 * With several partitions, or without compaction, what a start finds would
 * depend on chance or be gone after some days.
 */
#include "store_topic.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"

#define CREATE_MS		15000
#define POLICY			"cleanup.policy"

/* compaction leaves the newest segment alone: a small one is read quickly */
static const char *const settings[][2] = {
	{POLICY, "compact"},
	{"segment.bytes", "1048576"},
	{"min.cleanable.dirty.ratio", "0.1"},
};

static rd_kafka_resp_err_t ask_count(struct store_topic *topic,
									 int32_t *count);
static bool hear(struct store_topic *topic, char *why, size_t size);
static enum store_answer create(struct store_topic *topic);
static enum store_answer create_failed(struct store_topic *topic,
									   rd_kafka_resp_err_t err,
									   const char *text);
static rd_kafka_event_t *await(struct store_topic *topic,
							   rd_kafka_queue_t *queue, int64_t ms);
static enum store_answer judge_count(struct store_topic *topic,
									 int32_t count);
static enum store_answer judge_policy(struct store_topic *topic);
static void find_policy(rd_kafka_event_t *event, char *policy, size_t size);
static enum store_answer not_allowed(struct store_topic *topic,
									 const char *reason);
static const char *servers(const struct store_topic *topic);

enum store_answer
store_topic_prepare(struct store_topic *topic, bool make)
{
	int64_t		deadline = clock_ms() + STORE_WAIT_MS;
	rd_kafka_resp_err_t err;
	enum store_answer answer;
	bool		made = false;
	int32_t		count;
	char		why[256] = "";

	while (!store_topic_stopped(topic))
	{
		err = ask_count(topic, &count);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR && count > 0)
			return judge_count(topic, count);
		if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
			return not_allowed(topic, rd_kafka_err2str(err));
		if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && !made)
		{
			if (!make)
				return STORE_NONE;
			if ((answer = create(topic)) != STORE_FOUND)
				return answer;
			made = true;
			deadline = clock_ms() + STORE_WAIT_MS;
		}
		/* metadata calls return at once when there is an answer */
		if (hear(topic, why, sizeof(why)) && !make)
			deadline = clock_ms();
		if (clock_ms() >= deadline)
		{
			log_warning("could not look for the state record in %s: %s",
						topic->base.where, *why != '\0' ? why :
						rd_kafka_err2str(err));
			break;
		}
	}
	return STORE_LATER;
}

/*
 * Waits a moment for what librdkafka has to say, and keeps its latest reason.
 * Whether there is no broker that it could use.
 */
static bool
hear(struct store_topic *topic, char *why, size_t size)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(topic->queue, 50);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
		err = rd_kafka_event_error(event);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR &&
		(err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || *why == '\0'))
		snprintf(why, size, "%s", rd_kafka_event_error_string(event));
	rd_kafka_event_destroy(event);
	return err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
		err == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		err == RD_KAFKA_RESP_ERR__SSL;
}

static rd_kafka_resp_err_t
ask_count(struct store_topic *topic, int32_t *count)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(topic->kafka, 0,
												topic->handle, &metadata,
												STORE_STEP_MS);

	*count = 0;
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err;
	if (metadata->topic_cnt != 1)
		err = RD_KAFKA_RESP_ERR__TIMED_OUT;
	else
	{
		err = metadata->topics[0].err;
		*count = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	return err;
}

/* STORE_FOUND: it was created, or somebody else just did. */
static enum store_answer
create(struct store_topic *topic)
{
	rd_kafka_queue_t *answers = rd_kafka_queue_new(topic->kafka);
	const rd_kafka_topic_result_t **results;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_INVALID_CONFIG;
	rd_kafka_event_t *event = NULL;
	char		text[256] = "";
	size_t		count;

	if (store_topic_create(topic, answers, text, sizeof(text)))
	{
		event = await(topic, answers, CREATE_MS);
		err = event != NULL ? rd_kafka_event_error(event) :
			RD_KAFKA_RESP_ERR__TIMED_OUT;
	}
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		results = rd_kafka_CreateTopics_result_topics
			(rd_kafka_event_CreateTopics_result(event), &count);
		err = rd_kafka_topic_result_error(results[0]);
		if (rd_kafka_topic_result_error_string(results[0]) != NULL)
			snprintf(text, sizeof(text), "%s",
					 rd_kafka_topic_result_error_string(results[0]));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(answers);
	if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return STORE_FOUND;
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return create_failed(topic, err, text);
	log_info("created %s for the state record", topic->base.where);
	return STORE_FOUND;
}

bool
store_topic_create(struct store_topic *topic, rd_kafka_queue_t *answers,
				   char *error, size_t size)
{
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic->name, 1, -1,
														error, size);

	if (wanted == NULL)
		return false;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		rd_kafka_NewTopic_set_config(wanted, settings[i][0], settings[i][1]);
	rd_kafka_CreateTopics(topic->kafka, &wanted, 1, NULL, answers);
	rd_kafka_NewTopic_destroy(wanted);
	return true;
}

static enum store_answer
create_failed(struct store_topic *topic, rd_kafka_resp_err_t err,
			  const char *text)
{
	const char *reason = *text != '\0' ? text : rd_kafka_err2str(err);

	if (store_topic_stopped(topic))
		return STORE_LATER;
	switch ((int) err)
	{
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
			log_warning("could not create %s for the state record: %s",
						topic->base.where, reason);
			return STORE_LATER;
		default:
			log_error("could not create %s for the state record: %s",
					  topic->base.where, reason);
			log_hint("Create it: kafka-topics.sh --bootstrap-server %s "
					 "--create --topic %s --partitions 1 --config " POLICY
					 "=compact; or do without (state = none): see "
					 "wal2kafka(1) for what cannot be noticed then.",
					 servers(topic), topic->name);
			return STORE_PERSON;
	}
}

/* NULL if there is none in time, or at the stop flag. */
static rd_kafka_event_t *
await(struct store_topic *topic, rd_kafka_queue_t *queue, int64_t ms)
{
	int64_t		deadline = clock_ms() + ms;
	rd_kafka_event_t *event = NULL;

	while (event == NULL && !store_topic_stopped(topic) &&
		   clock_ms() < deadline)
		event = rd_kafka_queue_poll(queue, ms < STORE_STEP_MS ? (int) ms :
									STORE_STEP_MS);
	return event;
}

static enum store_answer
judge_count(struct store_topic *topic, int32_t count)
{
	if (count == 1)
		return judge_policy(topic);
	log_error("%s has %d partitions; the state record needs a topic of one",
			  topic->base.where, count);
	log_hint("Delete it if nobody else uses it, it is created again by "
			 "itself; or set \"state\" to another topic.");
	return STORE_PERSON;
}

/* Whoever may not read settings is trusted. */
static enum store_answer
judge_policy(struct store_topic *topic)
{
	rd_kafka_queue_t *answers = rd_kafka_queue_new(topic->kafka);
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
	rd_kafka_event_t *event;
	char		policy[64] = "";

	rd_kafka_DescribeConfigs(topic->kafka, &resource, 1, NULL, answers);
	event = await(topic, answers, STORE_WAIT_MS);
	if (event != NULL && rd_kafka_event_error(event) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		find_policy(event, policy, sizeof(policy));
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(answers);
	if (*policy == '\0' || strcmp(policy, "compact") == 0)
		return STORE_FOUND;

	log_error("%s has " POLICY "=%s, so a state record in it would be deleted "
			  "when it is old", topic->base.where, policy);
	log_hint("kafka-configs.sh --bootstrap-server %s --alter --entity-type "
			 "topics --entity-name %s --add-config " POLICY "=compact; or set "
			 "\"state\" to another topic.", servers(topic), topic->name);
	return STORE_PERSON;
}

static void
find_policy(rd_kafka_event_t *event, char *policy, size_t size)
{
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	size_t		count = 0;

	resources = rd_kafka_DescribeConfigs_result_resources
		(rd_kafka_event_DescribeConfigs_result(event), &count);
	if (count != 1)
		return;
	entries = rd_kafka_ConfigResource_configs(resources[0], &count);
	for (size_t i = 0; i < count; i++)
	{
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value != NULL &&
			strcmp(rd_kafka_ConfigEntry_name(entries[i]), POLICY) == 0)
			snprintf(policy, size, "%s", value);
	}
}

static enum store_answer
not_allowed(struct store_topic *topic, const char *reason)
{
	log_error("%s may not be used for the state record: %s",
			  topic->base.where, reason);
	log_hint("Allow the shipper's principal READ, WRITE and DESCRIBE on the "
			 "topic, and CREATE unless it is there; or do without (state = "
			 "none): see wal2kafka(1) for what cannot be noticed then.");
	return STORE_PERSON;
}

static const char *
servers(const struct store_topic *topic)
{
	const char *value = config_property(topic->base.config,
										"bootstrap.servers");

	return value != NULL ? value : "HOST:9092";
}
