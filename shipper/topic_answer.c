/*
 * topic_answer.c
 *		What the answer about a topic means.
 */
#include "topic_state.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "kafka_reaction.h"
#include "log.h"
#include "ready.h"

#define ASK_AGAIN_MS		500
#define MISSING_LIMIT		10	/* a broker that starts knows no topic */
#define EXAMPLE_PARTITIONS	6
#define DENIED_SHIFT_MAX	6	/* asked after 1 s, 2 s, ... 64 s */

static enum sink_health take_topic(struct topics *topics, struct topic *topic,
								   const struct lookup *lookup);
static enum sink_health nobody_answers(struct topics *topics,
									   const struct lookup *lookup);
static enum sink_health take_failure(struct topics *topics,
									 const struct lookup *lookup);
static void ask_again(struct topics *topics, struct topic *topic,
					  int64_t delay);
static enum sink_health denied(struct topics *topics, struct topic *topic,
							   const char *reason, const char *hint);
static enum sink_health unusable(const struct topics *topics,
								 const struct topic *topic,
								 const char *reason, const char *hint);
static enum sink_health missing(struct topics *topics, struct topic *topic);
static enum sink_health made_anew(struct topics *topics, struct topic *topic,
								  int32_t count);
static void log_create_command(const struct topics *topics,
							   const struct topic *topic);
static void compare_counts(struct topics *topics,
						   const struct rd_kafka_metadata *metadata);
static void compare_count(struct topics *topics, struct topic *topic,
						  const struct rd_kafka_metadata_topic *found);

enum sink_health
topic_take_answer(struct topics *topics, const struct lookup *lookup)
{
	if (lookup->topic == NULL)
	{
		if (topics->login_refused && lookup->all == NULL)
			return nobody_answers(topics, lookup);
		topics->login_refused = false;
		if (lookup->all != NULL)
		{
			compare_counts(topics, lookup->all);
			topic_tell_stuck(topics, lookup->all);
		}
		topics->watching = false;
		return HEALTH_FINE;
	}
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR || lookup->count <= 0)
		return take_failure(topics, lookup);
	return take_topic(topics, lookup->topic, lookup);
}

/* At the first start, and a broker refused the login: nothing ever worked. */
static enum sink_health
nobody_answers(struct topics *topics, const struct lookup *lookup)
{
	topics->login_refused = topics->watching = false;
	if (pin_any_worked())
		return HEALTH_FINE;
	log_error("no Kafka broker lets us in: %s", rd_kafka_err2str(lookup->err));
	return HEALTH_HOPELESS;
}

static enum sink_health
take_topic(struct topics *topics, struct topic *topic,
		   const struct lookup *lookup)
{
	int32_t		pinned = topic->pin->count;

	if (lookup->count < pinned)
		return made_anew(topics, topic, lookup->count);
	topic->state = TOPIC_READY;
	topic->missing = topic->denied = 0;
	topic->compacted = lookup->compacted;
	topic->max_record = lookup->max_record;
	if (topic->max_record > 0 && (topics->smallest == 0 ||
								  topic->max_record < topics->smallest))
		topics->smallest = topic->max_record;
	topic_set_count(topic, pinned > 0 ? pinned : lookup->count);
	if (topic->count != lookup->count)
	{
		topic->next_count = lookup->count;
		topics->changed = true;
	}
	log_info("topic \"%s\" has %d partition%s", topic->name, topic->count,
			 topic->count == 1 ? "" : "s");
	return HEALTH_FINE;
}

static enum sink_health
take_failure(struct topics *topics, const struct lookup *lookup)
{
	struct topic *topic = lookup->topic;
	const char *reason = lookup->text[0] != '\0' ? lookup->text :
		rd_kafka_err2str(lookup->err);
	const char *hint;

	ask_again(topics, topic, ASK_AGAIN_MS);
	/* librdkafka's own errors are all negative: there was no answer */
	if (topics->login_refused && lookup->err < 0)
		return nobody_answers(topics, lookup);
	if (lookup->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		lookup->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		return missing(topics, topic);
	switch (kafka_reaction_find(lookup->err, &hint))
	{
		case KAFKA_ACCESS:
			return denied(topics, topic, reason, hint);
		case KAFKA_ONCE:
		case KAFKA_SHRINK:
		case KAFKA_PERSON:
			return unusable(topics, topic, reason, hint);
		case KAFKA_RETRY:
		case KAFKA_REACTION_COUNT:
			break;
	}
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		log_warning("could not look up topic \"%s\": %s", topic->name, reason);
	return HEALTH_FINE;
}

static void
ask_again(struct topics *topics, struct topic *topic, int64_t delay)
{
	if (topic->ask_at == 0)
		topics->waiting++;
	topic->state = TOPIC_UNKNOWN;
	topic->ask_at = clock_ms() + delay;
}

/* What worked before will again, once the rule is put back. */
static enum sink_health
denied(struct topics *topics, struct topic *topic, const char *reason,
	   const char *hint)
{
	pin_deny(topic->pin);
	ready_set(READY_ACCESS, true);
	log_error("topic \"%s\" may not be used: %s", topic->name, reason);
	log_hint("%s", hint);
	if (!pin_any_worked())
		return HEALTH_HOPELESS;
	ask_again(topics, topic, INT64_C(1000) << topic->denied);
	if (topic->denied < DENIED_SHIFT_MAX)
		topic->denied++;
	return HEALTH_FINE;
}

static enum sink_health
unusable(const struct topics *topics, const struct topic *topic,
		 const char *reason, const char *hint)
{
	log_error("topic \"%s\" cannot be created or used: %s", topic->name,
			  reason);
	if (hint != NULL)
		log_hint("%s", hint);
	log_create_command(topics, topic);
	return HEALTH_HOPELESS;
}

/* With topics = create the next question creates it, and then it may hide. */
static enum sink_health
missing(struct topics *topics, struct topic *topic)
{
	bool		known = topic->pin->count > 0;

	if (topics->config->topics == TOPICS_CREATE && !known &&
		topic->missing == 0)
	{
		log_info("creating topic \"%s\" with %d partition%s", topic->name,
				 topics->config->topic_partitions,
				 topics->config->topic_partitions == 1 ? "" : "s");
		topic->ask_at = clock_ms();
	}
	else
		ready_set(READY_TOPIC, true);
	if (++topic->missing < MISSING_LIMIT)
		return HEALTH_FINE;
	if (known)
		log_error("topic \"%s\" is gone: it was deleted, and what it held",
				  topic->name);
	else
		log_error("topic \"%s\" does not exist", topic->name);
	log_create_command(topics, topic);
	return HEALTH_HOPELESS;
}

/*
 * Topics never lose partitions, so this is another one of the same name; or a
 * broker that starts and has not caught up, which passes.
 */
static enum sink_health
made_anew(struct topics *topics, struct topic *topic, int32_t count)
{
	ask_again(topics, topic, ASK_AGAIN_MS);
	ready_set(READY_TOPIC, true);
	if (++topic->missing < MISSING_LIMIT)
		return HEALTH_FINE;
	log_error("topic \"%s\" has %d partitions and had %d: it was deleted and "
			  "made anew, without what it held", topic->name, count,
			  topic->pin->count);
	log_hint("What was delivered to it before is not sent again.  Bring its "
			 "tables over again if a consumer missed it, and start.");
	return HEALTH_HOPELESS;
}

static void
log_create_command(const struct topics *topics, const struct topic *topic)
{
	const char *servers = "HOST:9092";
	int			replicas = topics->config->topic_replication_factor;
	int32_t		partitions = topic->pin->count;
	char		factor[64] = "";

	if (partitions == 0)
		partitions = topics->config->topic_partitions;
	if (partitions <= 0)
		partitions = EXAMPLE_PARTITIONS;
	/* -1 leaves it to the broker, and is no number to the tool */
	if (replicas > 0)
		snprintf(factor, sizeof(factor), " --replication-factor %d", replicas);
	for (size_t i = 0; i < topics->config->kafka_count; i++)
		if (strcmp(topics->config->kafka[i].name, "bootstrap.servers") == 0)
			servers = topics->config->kafka[i].value;
	log_hint("Create it: kafka-topics.sh --bootstrap-server %s --create "
			 "--topic %s --partitions %d%s; or set topics = create.", servers,
			 topic->name, partitions, factor);
}

static void
compare_counts(struct topics *topics, const struct rd_kafka_metadata *metadata)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		const struct rd_kafka_metadata_topic *found = &metadata->topics[i];

		for (struct topic *topic = topics->list; topic != NULL;
			 topic = topic->next)
			if (found->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
				topic->state == TOPIC_READY &&
				strcmp(found->topic, topic->name) == 0)
				compare_count(topics, topic, found);
	}
}

/* Fewer are judged when a delivery or lookup meets them. */
static void
compare_count(struct topics *topics, struct topic *topic,
			  const struct rd_kafka_metadata_topic *found)
{
	topic->next_count = found->partition_cnt > topic->count ?
		found->partition_cnt : 0;
	topics->changed |= topic->next_count != 0;
}
