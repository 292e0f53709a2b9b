/*
 * lookup.c
 *		Questions about topics.
 */
#include "lookup.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "rlimits.h"
#include "topic.h"

#define LOOKUP_MS			5000	/* one call */
#define HURRIED_MS			3000
#define SETTINGS_MS			1000	/* of a topic: it can do without */
#define SETTINGS_AGAIN_MS	250		/* after some that did not come */
#define CREATE_MS			15000

struct lookups
{
	const struct config *config;	/* borrowed */
	rd_kafka_t *kafka;			/* borrowed */
	int			wake;
	bool		no_settings;	/* the thread's: the last did not come */

	pthread_t	thread;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t todo;
	struct lookup *questions;	/* oldest first */
	struct lookup *answers;
	bool		stop;
};

static void queue_lookup(struct lookups *lookups, struct lookup *lookup);
static void *answer_lookups(void *arg);
static void look_up(struct lookups *lookups, struct lookup *lookup);
static void read_metadata(struct lookup *lookup,
						  const struct rd_kafka_metadata *metadata);
static void create_topic(const struct lookups *lookups, struct lookup *lookup);
static void take_created(struct lookup *lookup, rd_kafka_event_t *event);
static void read_settings(struct lookups *lookups, struct lookup *lookup);
static void take_settings(struct lookup *lookup, rd_kafka_event_t *event);

struct lookups *
lookups_open(const struct config *config, rd_kafka_t *kafka, int wake)
{
	struct lookups *lookups = mem_zalloc(sizeof(*lookups));

	lookups->config = config;
	lookups->kafka = kafka;
	lookups->wake = wake;
	pthread_mutex_init(&lookups->lock, NULL);
	pthread_cond_init(&lookups->todo, NULL);
	rlimits_thread(&lookups->thread, answer_lookups, lookups);
	return lookups;
}

void
lookups_ask(struct lookups *lookups, struct topic *topic, bool create)
{
	struct lookup *lookup = mem_zalloc(sizeof(*lookup));

	lookup->topic = topic;
	lookup->create = create;
	queue_lookup(lookups, lookup);
}

void
lookups_ask_all(struct lookups *lookups, bool hurried)
{
	struct lookup *lookup = mem_zalloc(sizeof(*lookup));

	lookup->hurried = hurried;
	queue_lookup(lookups, lookup);
}

static void
queue_lookup(struct lookups *lookups, struct lookup *lookup)
{
	struct lookup **end;

	pthread_mutex_lock(&lookups->lock);
	for (end = &lookups->questions; *end != NULL; end = &(*end)->next)
		continue;
	*end = lookup;
	pthread_cond_signal(&lookups->todo);
	pthread_mutex_unlock(&lookups->lock);
}

struct lookup *
lookups_take(struct lookups *lookups)
{
	struct lookup *answers;

	pthread_mutex_lock(&lookups->lock);
	answers = lookups->answers;
	lookups->answers = NULL;
	pthread_mutex_unlock(&lookups->lock);
	return answers;
}

void
lookup_free(struct lookup *lookup)
{
	if (lookup->all != NULL)
		rd_kafka_metadata_destroy(lookup->all);
	free(lookup);
}

void
lookups_close(struct lookups *lookups)
{
	struct lookup *lookup;

	pthread_mutex_lock(&lookups->lock);
	lookups->stop = true;
	pthread_cond_signal(&lookups->todo);
	pthread_mutex_unlock(&lookups->lock);
	pthread_join(lookups->thread, NULL);

	while ((lookup = lookups->questions) != NULL)
	{
		lookups->questions = lookup->next;
		lookup_free(lookup);
	}
	while ((lookup = lookups->answers) != NULL)
	{
		lookups->answers = lookup->next;
		lookup_free(lookup);
	}
	pthread_cond_destroy(&lookups->todo);
	pthread_mutex_destroy(&lookups->lock);
	free(lookups);
}

/* The thread. */
static void *
answer_lookups(void *arg)
{
	struct lookups *lookups = arg;
	struct lookup *lookup;

	pthread_mutex_lock(&lookups->lock);
	while (!lookups->stop)
	{
		lookup = lookups->questions;
		if (lookup == NULL)
		{
			pthread_cond_wait(&lookups->todo, &lookups->lock);
			continue;
		}
		lookups->questions = lookup->next;
		pthread_mutex_unlock(&lookups->lock);

		look_up(lookups, lookup);

		pthread_mutex_lock(&lookups->lock);
		lookup->next = lookups->answers;
		lookups->answers = lookup;
		if (write(lookups->wake, "t", 1) < 0)
			continue;			/* full: it will wake up anyway */
	}
	pthread_mutex_unlock(&lookups->lock);
	return NULL;
}

static void
look_up(struct lookups *lookups, struct lookup *lookup)
{
	const struct rd_kafka_metadata *metadata = NULL;

	if (lookup->create)
		create_topic(lookups, lookup);
	if (lookup->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		lookup->err = rd_kafka_metadata(lookups->kafka, 0,
										lookup->topic != NULL ?
										lookup->topic->handle : NULL,
										&metadata, lookup->hurried ?
										HURRIED_MS : LOOKUP_MS);
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (lookup->topic == NULL)
	{
		lookup->all = metadata;
		return;
	}
	read_metadata(lookup, metadata);
	rd_kafka_metadata_destroy(metadata);
	if (lookup->count > 0)
		read_settings(lookups, lookup);
}

/* A partition without a leader would only make the first record wait. */
static void
read_metadata(struct lookup *lookup, const struct rd_kafka_metadata *metadata)
{
	const struct rd_kafka_metadata_topic *found = NULL;

	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, lookup->topic->name) == 0)
			found = &metadata->topics[i];
	if (found == NULL)
		lookup->err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	else if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		lookup->err = found->err;
	else
		lookup->count = found->partition_cnt;
}

static void
create_topic(const struct lookups *lookups, struct lookup *lookup)
{
	const struct config *config = lookups->config;
	rd_kafka_NewTopic_t *wanted;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;

	wanted = rd_kafka_NewTopic_new(lookup->topic->name,
								   config->topic_partitions,
								   config->topic_replication_factor,
								   lookup->text, sizeof(lookup->text));
	if (wanted == NULL)
	{
		lookup->err = RD_KAFKA_RESP_ERR_INVALID_CONFIG;
		return;
	}
	queue = rd_kafka_queue_new(lookups->kafka);
	rd_kafka_CreateTopics(lookups->kafka, &wanted, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, CREATE_MS);
	if (event == NULL)
		lookup->err = RD_KAFKA_RESP_ERR__TIMED_OUT;
	else
	{
		take_created(lookup, event);
		rd_kafka_event_destroy(event);
	}
	if (lookup->err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		lookup->err = RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_NewTopic_destroy(wanted);
	rd_kafka_queue_destroy(queue);
}

static void
take_created(struct lookup *lookup, rd_kafka_event_t *event)
{
	const rd_kafka_topic_result_t **results;
	const char *text;
	size_t		count = 0;

	lookup->err = rd_kafka_event_error(event);
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	results = rd_kafka_CreateTopics_result_topics
		(rd_kafka_event_CreateTopics_result(event), &count);
	if (count != 1)
		return;
	lookup->err = rd_kafka_topic_result_error(results[0]);
	text = rd_kafka_topic_result_error_string(results[0]);
	snprintf(lookup->text, sizeof(lookup->text), "%s",
			 text != NULL ? text : "");
}

/* They may be kept from us, which is no harm. */
static void
read_settings(struct lookups *lookups, struct lookup *lookup)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(lookups->kafka);
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
									lookup->topic->name);
	rd_kafka_event_t *event;

	rd_kafka_DescribeConfigs(lookups->kafka, &resource, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, lookups->no_settings ?
								SETTINGS_AGAIN_MS : SETTINGS_MS);
	lookups->no_settings = event == NULL;
	if (event != NULL)
	{
		if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
			take_settings(lookup, event);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
}

static void
take_settings(struct lookup *lookup, rd_kafka_event_t *event)
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
		const char *name = rd_kafka_ConfigEntry_name(entries[i]);
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value == NULL)
			continue;
		if (strcmp(name, "max.message.bytes") == 0)
			lookup->max_record = strtoul(value, NULL, 10);
		else if (strcmp(name, "cleanup.policy") == 0)
			lookup->compacted = strstr(value, "compact") != NULL;
	}
}
