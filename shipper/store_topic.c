/*
 * store_topic.c
 *		The state record in a compacted topic of one partition.
 *
 * A client of its own writes, one record at a time, so that nothing of it
 * waits for records of tables, nor they for it.
 */
#include "store_topic.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "producer.h"
#include "ready.h"

#define PATIENCE	2			/* times socket.timeout.ms */

static enum store_answer topic_read(struct store *store, struct state *state,
									bool make);
static void topic_write(struct store *store, const char *text);
static enum store_progress topic_drain(struct store *store);
static void topic_poll_fd(const struct store *store, struct pollfd *fd);
static void topic_close(struct store *store);

static rd_kafka_t *open_client(const struct config *config);
static void take_client(struct store_topic *topic, rd_kafka_t *kafka);
static void change_client(struct store_topic *topic);
static void close_client(struct store_topic *topic);
static void take(struct store_topic *topic, rd_kafka_event_t *event);
static void take_report(struct store_topic *topic,
						const rd_kafka_message_t *message);
static void failed(struct store_topic *topic, rd_kafka_resp_err_t err);

static const struct store_ops topic_ops = {
	.read = topic_read,
	.write = topic_write,
	.drain = topic_drain,
	.poll_fd = topic_poll_fd,
	.close = topic_close,
};

struct store *
store_topic_open(const struct config *config)
{
	struct store_topic *topic;
	rd_kafka_t *kafka = open_client(config);

	if (kafka == NULL)
		return NULL;
	topic = mem_zalloc(sizeof(*topic));
	topic->base.ops = &topic_ops;
	topic->name = store_topic_name(config);
	topic->base.where = mem_format("topic \"%s\"", topic->name);
	if (pipe2(topic->wake, O_NONBLOCK | O_CLOEXEC) != 0)
		abort();
	take_client(topic, kafka);
	return &topic->base;
}

static void
take_client(struct store_topic *topic, rd_kafka_t *kafka)
{
	topic->kafka = kafka;
	topic->handle = rd_kafka_topic_new(kafka, topic->name, NULL);
	topic->queue = rd_kafka_queue_get_main(kafka);
	if (topic->handle == NULL)
		abort();
	topic->patience = PATIENCE *
		(int) producer_setting(rd_kafka_conf(kafka), "socket.timeout.ms");
	rd_kafka_queue_io_event_enable(topic->queue, topic->wake[1], "k", 1);
}

static enum store_answer
topic_read(struct store *store, struct state *state, bool make)
{
	struct store_topic *topic = (struct store_topic *) store;
	enum store_answer answer = topic->good && state != NULL ? STORE_FOUND :
		store_topic_prepare(topic, make);

	topic->good = answer == STORE_FOUND;
	if (topic->good && state != NULL)
		answer = store_topic_scan(topic, state);
	/* it may have been deleted meanwhile */
	if (answer == STORE_LATER)
		topic->good = false;
	return answer;
}

/*
 * What was sent may be stored twice and late, which state_supersedes() heeds.
 */
static void
topic_write(struct store *store, const char *text)
{
	struct store_topic *topic = (struct store_topic *) store;
	const char *key = store->config->slot;

	topic->progress = STORE_WRITING;
	topic->written_at = clock_ms();
	if (rd_kafka_produce(topic->handle, 0, RD_KAFKA_MSG_F_COPY,
						 (char *) text, text != NULL ? strlen(text) : 0, key,
						 strlen(key), NULL) != 0)
		failed(topic, rd_kafka_last_error());
}

static enum store_progress
topic_drain(struct store *store)
{
	struct store_topic *topic = (struct store_topic *) store;
	enum store_progress progress;
	rd_kafka_event_t *event;
	char		bytes[64];

	while (read(topic->wake[0], bytes, sizeof(bytes)) == sizeof(bytes))
		continue;
	while ((event = rd_kafka_queue_poll(topic->queue, 0)) != NULL)
	{
		take(topic, event);
		rd_kafka_event_destroy(event);
	}
	if (topic->progress == STORE_WRITING &&
		clock_ms() - topic->written_at >= topic->patience)
		change_client(topic);
	progress = topic->progress;
	if (progress != STORE_WRITING)
		topic->progress = STORE_IDLE;
	return progress;
}

static void
topic_poll_fd(const struct store *store, struct pollfd *fd)
{
	const struct store_topic *topic = (const struct store_topic *) store;

	*fd = (struct pollfd) {topic->wake[0], POLLIN, 0};
}

static void
topic_close(struct store *store)
{
	struct store_topic *topic = (struct store_topic *) store;

	close_client(topic);
	close(topic->wake[0]);
	close(topic->wake[1]);
	free(topic->name);
	free(topic);
}

/*
 * librdkafka gives no record up, and reports none when it has lost sight of
 * the partition; 2.14.2 did so for good when its broker was restarted behind
 * a slow link.
 */
static void
change_client(struct store_topic *topic)
{
	rd_kafka_t *kafka = open_client(topic->base.config);

	topic->progress = STORE_FAILED;
	topic->base.person = false;
	snprintf(topic->base.error, sizeof(topic->base.error),
			 "no delivery report within %d s", topic->patience / 1000);
	if (kafka == NULL)
		return;
	close_client(topic);
	take_client(topic, kafka);
}

static void
close_client(struct store_topic *topic)
{
	rd_kafka_event_t *event;

	rd_kafka_purge(topic->kafka,
				   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (rd_kafka_outq_len(topic->kafka) > 0 &&
		   (event = rd_kafka_queue_poll(topic->queue, 100)) != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_io_event_enable(topic->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(topic->queue);
	rd_kafka_topic_destroy(topic->handle);
	rd_kafka_destroy(topic->kafka);
}

/*
 * One record at a time keeps their order, so what gives order and exactness
 * to many, and can end a client for good, is turned off.
 */
static rd_kafka_t *
open_client(const struct config *config)
{
	static const char *const own[][2] = {
		{"enable.gapless.guarantee", "false"},
		{"enable.idempotence", "false"},
		{"linger.ms", "0"},
	};
	char		err[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf = producer_conf(config, err, sizeof(err));
	rd_kafka_t *kafka = NULL;

	if (conf != NULL)
	{
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			rd_kafka_conf_set(conf, own[i][0], own[i][1], NULL, 0);
		rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR |
								 RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
		kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err));
		if (kafka == NULL)
			rd_kafka_conf_destroy(conf);
	}
	if (kafka == NULL)
		log_error("could not set up Kafka for the state record: %s", err);
	else
		rd_kafka_set_log_queue(kafka, NULL);
	return kafka;
}

/* What else librdkafka says, the producer of the records hears too. */
static void
take(struct store_topic *topic, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_DR:
			while ((message = rd_kafka_event_message_next(event)) != NULL)
				take_report(topic, message);
			break;
		case RD_KAFKA_EVENT_ERROR:
			log_debug("Kafka, state record: %s",
					  rd_kafka_event_error_string(event));
			break;
		default:
			break;
	}
}

static void
take_report(struct store_topic *topic, const rd_kafka_message_t *message)
{
	if (topic->progress != STORE_WRITING)
		return;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		topic->progress = STORE_WRITTEN;
	else
		failed(topic, message->err);
}

/* A topic that was deleted is made again, and the writer tries again. */
static void
failed(struct store_topic *topic, rd_kafka_resp_err_t err)
{
	char		text[256];

	topic->progress = STORE_FAILED;
	topic->base.person = false;
	snprintf(topic->base.error, sizeof(topic->base.error), "%s",
			 rd_kafka_err2str(err));
	switch ((int) err)
	{
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
			topic->good = false;
			store_topic_create(topic, topic->queue, text, sizeof(text));
			break;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
			topic->base.person = true;
			break;
		default:
			break;
	}
}

/* Whoever asks waits for Kafka, and not for ever: the loop is no less alive. */
bool
store_topic_stopped(const struct store_topic *topic)
{
	ready_turned();
	return topic->base.stop != NULL && *topic->base.stop;
}
