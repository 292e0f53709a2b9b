/*
 * topic.c
 *		Partition counts and gates of Kafka's topics.
 */
#include "topic.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "store.h"
#include "topic_state.h"

#define RECHECK_MS			60000
#define WATCH_MS			1000

static int64_t recheck_interval(const struct config *config);

struct topics *
topics_open(const struct config *config, rd_kafka_t *kafka, int wake)
{
	struct topics *topics = mem_zalloc(sizeof(*topics));

	topics->config = config;
	topics->kafka = kafka;
	topics->reserved = store_topic_name(config);
	topics->recheck_ms = recheck_interval(config);
	topics->recheck_at = clock_ms() + topics->recheck_ms;
	topics->watch_at = clock_ms() + WATCH_MS;
	topics->lookups = lookups_open(config, kafka, wake);
	return topics;
}

struct topic *
topics_find(struct topics *topics, const char *name)
{
	rd_kafka_topic_conf_t *conf;
	struct topic *topic;

	for (topic = topics->list; topic != NULL; topic = topic->next)
		if (strcmp(topic->name, name) == 0)
			return topic;

	topic = mem_zalloc(sizeof(*topic));
	topic->name = mem_strdup(name);
	topic->pin = pin_find(name);
	topic->reserved = topics->reserved != NULL &&
		strcmp(name, topics->reserved) == 0;
	conf = rd_kafka_default_topic_conf_dup(topics->kafka);
	rd_kafka_topic_conf_set_opaque(conf, topic);
	topic->handle = rd_kafka_topic_new(topics->kafka, name, conf);
	if (topic->handle == NULL)
	{
		log_error("topic \"%s\" cannot be used: %s", name,
				  rd_kafka_err2str(rd_kafka_last_error()));
		rd_kafka_topic_conf_destroy(conf);
		free(topic->name);
		free(topic);
		return NULL;
	}
	topic->next = topics->list;
	topics->list = topic;
	return topic;
}

void
topics_ask(struct topics *topics, struct topic *topic)
{
	if (topic->state != TOPIC_UNKNOWN || clock_ms() < topic->ask_at)
		return;
	if (topic->ask_at > 0)
		topics->waiting--;
	topic->ask_at = 0;
	topic->state = TOPIC_ASKED;
	/* one that was there and is gone is not made anew in silence */
	lookups_ask(topics->lookups, topic, topic->missing > 0 &&
				topics->config->topics == TOPICS_CREATE &&
				topic->pin->count == 0);
}

enum sink_health
topics_collect(struct topics *topics)
{
	enum sink_health health = HEALTH_FINE;
	struct lookup *answers = lookups_take(topics->lookups);
	struct lookup *lookup;

	while ((lookup = answers) != NULL)
	{
		enum sink_health told = topic_take_answer(topics, lookup);

		health = told > health ? told : health;
		answers = lookup->next;
		lookup_free(lookup);
	}
	for (struct topic *topic = topics->list;
		 topic != NULL && topics->waiting > 0; topic = topic->next)
		if (topic->ask_at > 0)
			topics_ask(topics, topic);
	if (clock_ms() >= topics->recheck_at)
	{
		topics->recheck_at = clock_ms() + topics->recheck_ms;
		lookups_ask_all(topics->lookups, false);
	}
	if (clock_ms() >= topics->watch_at)
	{
		topics->watch_at = clock_ms() + WATCH_MS;
		topic_watch(topics);
	}
	return health;
}

void
topics_doubt(struct topics *topics)
{
	if (topics->login_refused || pin_any_worked())
		return;
	topics->login_refused = true;
	lookups_ask_all(topics->lookups, true);
}

size_t
topics_smallest_limit(const struct topics *topics)
{
	return topics->smallest;
}

bool
topics_changed(const struct topics *topics)
{
	return topics->changed;
}

void
topics_switch(struct topics *topics)
{
	for (struct topic *topic = topics->list; topic != NULL;
		 topic = topic->next)
	{
		if (topic->next_count == 0)
			continue;
		log_warning("topic \"%s\" has %d partitions now, had %d: keys move to "
					"other partitions from here on",
					topic->name, topic->next_count, topic->count);
		topic_set_count(topic, topic->next_count);
	}
	topics->changed = false;
}

int
topics_timeout(const struct topics *topics)
{
	int64_t		next = topics->recheck_at < topics->watch_at ?
		topics->recheck_at : topics->watch_at;
	int64_t		left;

	for (const struct topic *topic = topics->list;
		 topic != NULL && topics->waiting > 0; topic = topic->next)
		if (topic->ask_at > 0 && topic->ask_at < next)
			next = topic->ask_at;
	left = next - clock_ms();
	return left > 0 ? (int) left : 0;
}

void
topics_close(struct topics *topics)
{
	struct topic *topic;

	lookups_close(topics->lookups);
	while ((topic = topics->list) != NULL)
	{
		topics->list = topic->next;
		rd_kafka_topic_destroy(topic->handle);
		free(topic->partitions);
		free(topic->name);
		free(topic);
	}
	free(topics->reserved);
	free(topics);
}

/* librdkafka's own refresh interval says how soon people want to know. */
static int64_t
recheck_interval(const struct config *config)
{
	int64_t		interval = RECHECK_MS;

	for (size_t i = 0; i < config->kafka_count; i++)
		if (strcmp(config->kafka[i].name,
				   "topic.metadata.refresh.interval.ms") == 0)
			interval = strtoll(config->kafka[i].value, NULL, 10);
	return interval > 0 ? interval : RECHECK_MS;
}

void
topic_set_count(struct topic *topic, int32_t count)
{
	free(topic->partitions);
	topic->partitions = mem_zalloc((size_t) count *
								   sizeof(*topic->partitions));
	for (int32_t i = 0; i < count; i++)
	{
		topic->partitions[i].topic = topic;
		topic->partitions[i].number = i;
	}
	topic->count = count;
	topic->next_count = 0;
	pin_set_count(topic->pin, count);
}
