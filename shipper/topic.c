/*
 * topic.c
 *		Partition counts and gates of Kafka's topics.
 *
 * The thread owns a lookup from when it is queued until it is answered, and
 * touches nothing else but the librdkafka handle.
 */
#include "topic.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define LOOKUP_MS			5000	/* one call of the thread */
#define LIMIT_MS			1000	/* of a topic: it can do without */
#define CREATE_MS			15000
#define ASK_AGAIN_MS		500
#define MISSING_LIMIT		10	/* a broker that starts knows no topic */
#define RECHECK_MS			60000

/* One question: a topic, or all known ones when topic is NULL. */
struct lookup
{
	struct lookup *next;
	struct topic *topic;		/* borrowed; fields fixed since it was added */
	bool		create;
	rd_kafka_resp_err_t err;	/* of the call, or of the topic */
	char		text[256];		/* of an error, when there is more to say */
	int32_t		count;
	size_t		max_record;
	const struct rd_kafka_metadata *all;	/* owned; answer about all */
};

/*
 * What counts are pinned outlives a producer: the next one sends again what
 * this one may have delivered in part.
 */
static struct pin
{
	struct pin *next;
	char	   *name;
	int32_t		count;
}		   *pins = NULL;

struct topics
{
	const struct config *config;	/* borrowed */
	rd_kafka_t *kafka;			/* borrowed */
	int			wake;
	struct topic *list;			/* owned */
	unsigned	waiting;		/* topics to be asked for again */
	size_t		smallest;		/* of their limits; 0: none is known */
	bool		changed;
	int64_t		recheck_at;
	int64_t		recheck_ms;

	bool		no_limits;		/* the thread's: they cannot be read */

	pthread_t	thread;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t todo;
	struct lookup *questions;	/* oldest first */
	struct lookup *answers;
	bool		stop;
};

static int64_t recheck_interval(const struct config *config);
static void queue_lookup(struct topics *topics, struct topic *topic,
						 bool create);
static void *answer_lookups(void *arg);
static void look_up(struct topics *topics, struct lookup *lookup);
static void read_metadata(struct lookup *lookup,
						  const struct rd_kafka_metadata *metadata);
static void create_topic(const struct topics *topics, struct lookup *lookup);
static size_t read_limit(struct topics *topics, const char *name);
static size_t find_limit(rd_kafka_event_t *event);
static enum sink_health take_answer(struct topics *topics,
									struct lookup *lookup);
static enum sink_health take_failure(struct topics *topics,
									 const struct lookup *lookup);
static enum sink_health topic_missing(struct topics *topics,
									  struct topic *topic);
static void log_create_command(const struct topics *topics,
							   const struct topic *topic);
static void compare_counts(struct topics *topics,
						   const struct rd_kafka_metadata *metadata);
static void set_count(struct topic *topic, int32_t count);
static struct pin *find_pin(const char *name);

struct topics *
topics_open(const struct config *config, rd_kafka_t *kafka, int wake)
{
	struct topics *topics = mem_zalloc(sizeof(*topics));

	topics->config = config;
	topics->kafka = kafka;
	topics->wake = wake;
	topics->recheck_ms = recheck_interval(config);
	topics->recheck_at = clock_ms() + topics->recheck_ms;
	pthread_mutex_init(&topics->lock, NULL);
	pthread_cond_init(&topics->todo, NULL);
	if (pthread_create(&topics->thread, NULL, answer_lookups, topics) != 0)
		abort();
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
	queue_lookup(topics, topic, topic->missing > 0 &&
				 topics->config->topics == TOPICS_CREATE);
}

enum sink_health
topics_collect(struct topics *topics)
{
	enum sink_health health = HEALTH_FINE;
	struct lookup *answers;
	struct lookup *lookup;

	pthread_mutex_lock(&topics->lock);
	answers = topics->answers;
	topics->answers = NULL;
	pthread_mutex_unlock(&topics->lock);

	while ((lookup = answers) != NULL)
	{
		enum sink_health told = take_answer(topics, lookup);

		health = told > health ? told : health;
		answers = lookup->next;
		free(lookup);
	}
	for (struct topic *topic = topics->list;
		 topic != NULL && topics->waiting > 0; topic = topic->next)
		if (topic->ask_at > 0)
			topics_ask(topics, topic);
	if (clock_ms() >= topics->recheck_at)
	{
		topics->recheck_at = clock_ms() + topics->recheck_ms;
		queue_lookup(topics, NULL, false);
	}
	return health;
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
		set_count(topic, topic->next_count);
	}
	topics->changed = false;
}

int
topics_timeout(const struct topics *topics)
{
	int64_t		next = topics->recheck_at;
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
	struct lookup *lookup;

	pthread_mutex_lock(&topics->lock);
	topics->stop = true;
	pthread_cond_signal(&topics->todo);
	pthread_mutex_unlock(&topics->lock);
	pthread_join(topics->thread, NULL);

	while ((lookup = topics->questions) != NULL ||
		   (lookup = topics->answers) != NULL)
	{
		if (topics->questions != NULL)
			topics->questions = lookup->next;
		else
			topics->answers = lookup->next;
		if (lookup->all != NULL)
			rd_kafka_metadata_destroy(lookup->all);
		free(lookup);
	}
	while ((topic = topics->list) != NULL)
	{
		topics->list = topic->next;
		rd_kafka_topic_destroy(topic->handle);
		free(topic->partitions);
		free(topic->name);
		free(topic);
	}
	pthread_cond_destroy(&topics->todo);
	pthread_mutex_destroy(&topics->lock);
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

static void
queue_lookup(struct topics *topics, struct topic *topic, bool create)
{
	struct lookup *lookup = mem_zalloc(sizeof(*lookup));
	struct lookup **end;

	lookup->topic = topic;
	lookup->create = create;
	pthread_mutex_lock(&topics->lock);
	for (end = &topics->questions; *end != NULL; end = &(*end)->next)
		continue;
	*end = lookup;
	pthread_cond_signal(&topics->todo);
	pthread_mutex_unlock(&topics->lock);
}

/* The thread. */
static void *
answer_lookups(void *arg)
{
	struct topics *topics = arg;
	struct lookup *lookup;

	pthread_mutex_lock(&topics->lock);
	while (!topics->stop)
	{
		lookup = topics->questions;
		if (lookup == NULL)
		{
			pthread_cond_wait(&topics->todo, &topics->lock);
			continue;
		}
		topics->questions = lookup->next;
		pthread_mutex_unlock(&topics->lock);

		look_up(topics, lookup);

		pthread_mutex_lock(&topics->lock);
		lookup->next = topics->answers;
		topics->answers = lookup;
		if (write(topics->wake, "t", 1) < 0)
			continue;			/* full: it will wake up anyway */
	}
	pthread_mutex_unlock(&topics->lock);
	return NULL;
}

static void
look_up(struct topics *topics, struct lookup *lookup)
{
	const struct rd_kafka_metadata *metadata = NULL;

	if (lookup->create)
		create_topic(topics, lookup);
	if (lookup->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		lookup->err = rd_kafka_metadata(topics->kafka, 0,
										lookup->topic != NULL ?
										lookup->topic->handle : NULL,
										&metadata, LOOKUP_MS);
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (lookup->topic == NULL)
	{
		lookup->all = metadata;
		return;
	}
	read_metadata(lookup, metadata);
	rd_kafka_metadata_destroy(metadata);
	if (lookup->count > 0 && !topics->no_limits)
		lookup->max_record = read_limit(topics, lookup->topic->name);
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
create_topic(const struct topics *topics, struct lookup *lookup)
{
	const struct config *config = topics->config;
	char		text[256] = "";
	rd_kafka_NewTopic_t *wanted;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(topics->kafka);
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	size_t		count = 0;

	wanted = rd_kafka_NewTopic_new(lookup->topic->name,
								   config->topic_partitions,
								   config->topic_replication_factor,
								   text, sizeof(text));
	if (wanted == NULL)
		lookup->err = RD_KAFKA_RESP_ERR_INVALID_CONFIG;
	else
	{
		rd_kafka_CreateTopics(topics->kafka, &wanted, 1, NULL, queue);
		event = rd_kafka_queue_poll(queue, CREATE_MS);
		lookup->err = event != NULL ? rd_kafka_event_error(event) :
			RD_KAFKA_RESP_ERR__TIMED_OUT;
		if (lookup->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			results = rd_kafka_CreateTopics_result_topics
				(rd_kafka_event_CreateTopics_result(event), &count);
			if (count == 1)
			{
				lookup->err = rd_kafka_topic_result_error(results[0]);
				snprintf(text, sizeof(text), "%s",
						 rd_kafka_topic_result_error_string(results[0]) ?
						 rd_kafka_topic_result_error_string(results[0]) : "");
			}
		}
		if (event != NULL)
			rd_kafka_event_destroy(event);
		rd_kafka_NewTopic_destroy(wanted);
	}
	if (lookup->err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		lookup->err = RD_KAFKA_RESP_ERR_NO_ERROR;
	snprintf(lookup->text, sizeof(lookup->text), "%s", text);
	rd_kafka_queue_destroy(queue);
}

/* The topic's max.message.bytes; 0 if it may not be read, which is no harm. */
static size_t
read_limit(struct topics *topics, const char *name)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(topics->kafka);
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
	rd_kafka_event_t *event;
	size_t		limit = 0;

	rd_kafka_DescribeConfigs(topics->kafka, &resource, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, LIMIT_MS);
	topics->no_limits = event == NULL;
	if (event != NULL)
	{
		if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
			limit = find_limit(event);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
	return limit;
}

static size_t
find_limit(rd_kafka_event_t *event)
{
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	size_t		count = 0;

	resources = rd_kafka_DescribeConfigs_result_resources
		(rd_kafka_event_DescribeConfigs_result(event), &count);
	if (count != 1)
		return 0;
	entries = rd_kafka_ConfigResource_configs(resources[0], &count);
	for (size_t i = 0; i < count; i++)
	{
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value != NULL && strcmp(rd_kafka_ConfigEntry_name(entries[i]),
									"max.message.bytes") == 0)
			return strtoul(value, NULL, 10);
	}
	return 0;
}

static enum sink_health
take_answer(struct topics *topics, struct lookup *lookup)
{
	struct topic *topic = lookup->topic;
	int32_t		pinned;

	if (topic == NULL)
	{
		if (lookup->all != NULL)
		{
			compare_counts(topics, lookup->all);
			rd_kafka_metadata_destroy(lookup->all);
		}
		return HEALTH_FINE;
	}
	if (lookup->err != RD_KAFKA_RESP_ERR_NO_ERROR || lookup->count <= 0)
		return take_failure(topics, lookup);

	topic->state = TOPIC_READY;
	topic->max_record = lookup->max_record;
	if (topic->max_record > 0 && (topics->smallest == 0 ||
								  topic->max_record < topics->smallest))
		topics->smallest = topic->max_record;
	pinned = find_pin(topic->name)->count;
	if (pinned > 0 && pinned < lookup->count)
	{
		set_count(topic, pinned);
		topic->next_count = lookup->count;
		topics->changed = true;
	}
	else
		set_count(topic, lookup->count);
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

	topic->state = TOPIC_UNKNOWN;
	topic->ask_at = clock_ms() + ASK_AGAIN_MS;
	topics->waiting++;
	switch (lookup->err)
	{
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
			return topic_missing(topics, topic);
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
			log_error("topic \"%s\" may not be used: %s", topic->name, reason);
			log_hint("Allow the shipper's principal WRITE and DESCRIBE on the "
					 "topic, and CREATE with topics = create.");
			return HEALTH_HOPELESS;
		case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
		case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
		case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
		case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
			log_error("topic \"%s\" cannot be created or used: %s",
					  topic->name, reason);
			log_create_command(topics, topic);
			return HEALTH_HOPELESS;
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			return HEALTH_FINE;
		default:
			log_warning("could not look up topic \"%s\": %s", topic->name,
						reason);
			return HEALTH_FINE;
	}
}

/* With topics = create the next question creates it, and then it may hide. */
static enum sink_health
topic_missing(struct topics *topics, struct topic *topic)
{
	if (topics->config->topics == TOPICS_CREATE && topic->missing == 0)
	{
		log_info("creating topic \"%s\" with %d partition%s", topic->name,
				 topics->config->topic_partitions,
				 topics->config->topic_partitions == 1 ? "" : "s");
		topic->ask_at = clock_ms();
	}
	if (++topic->missing < MISSING_LIMIT)
		return HEALTH_FINE;
	log_error("topic \"%s\" does not exist", topic->name);
	log_create_command(topics, topic);
	return HEALTH_HOPELESS;
}

static void
log_create_command(const struct topics *topics, const struct topic *topic)
{
	const char *servers = "HOST:9092";
	int			replicas = topics->config->topic_replication_factor;
	char		factor[64] = "";

	/* -1 leaves it to the broker, and is no number to the tool */
	if (replicas > 0)
		snprintf(factor, sizeof(factor), " --replication-factor %d", replicas);
	for (size_t i = 0; i < topics->config->kafka_count; i++)
		if (strcmp(topics->config->kafka[i].name, "bootstrap.servers") == 0)
			servers = topics->config->kafka[i].value;
	log_hint("Create it: kafka-topics.sh --bootstrap-server %s --create "
			 "--topic %s --partitions %d%s; or set topics = create.", servers,
			 topic->name, topics->config->topic_partitions, factor);
}

static void
compare_counts(struct topics *topics, const struct rd_kafka_metadata *metadata)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		const struct rd_kafka_metadata_topic *found = &metadata->topics[i];

		for (struct topic *topic = topics->list; topic != NULL;
			 topic = topic->next)
		{
			if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
				found->partition_cnt <= 0 || topic->state != TOPIC_READY ||
				strcmp(found->topic, topic->name) != 0)
				continue;
			topic->next_count = found->partition_cnt != topic->count ?
				found->partition_cnt : 0;
			topics->changed |= topic->next_count != 0;
		}
	}
}

static void
set_count(struct topic *topic, int32_t count)
{
	free(topic->partitions);
	topic->partitions = mem_zalloc((size_t) count *
								   sizeof(*topic->partitions));
	topic->count = count;
	topic->next_count = 0;
	find_pin(topic->name)->count = count;
}

static struct pin *
find_pin(const char *name)
{
	struct pin *pin;

	for (pin = pins; pin != NULL; pin = pin->next)
		if (strcmp(pin->name, name) == 0)
			return pin;
	pin = mem_zalloc(sizeof(*pin));
	pin->name = mem_strdup(name);
	pin->next = pins;
	return pins = pin;
}
