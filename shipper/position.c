/*
 * position.c
 *		The position in Kafka: where a restart goes on, with exactly once.
 *
 * The newest committed record is what counts.  Another slot's transaction may
 * be open in the same topic, and records behind it cannot be read until it has
 * ended; so reading goes on up to the end that the topic had at first.
 */
#include "position.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "producer.h"
#include "store.h"

#define POLL_MS			200

struct reading
{
	const struct config *config;	/* borrowed */
	struct state *state;
	bool	   *found;
	rd_kafka_t *kafka;			/* owned */
	rd_kafka_topic_t *topic;	/* owned */
	int64_t		end;			/* offset; -1: not yet known */
	bool		done;
	char	   *err;
	size_t		errsize;
};

static rd_kafka_t *open_consumer(struct reading *reading);
static bool take(struct reading *reading, const rd_kafka_message_t *message);
static bool take_record(struct reading *reading,
						const rd_kafka_message_t *message);
static bool take_error(struct reading *reading,
					   const rd_kafka_message_t *message);

bool
position_read(const struct config *config, struct state *state, bool *found,
			  bool (*stop) (void *arg), void *arg, char *err, size_t errsize)
{
	struct reading reading = {config, state, found, .end = -1, .err = err,
	.errsize = errsize};
	char	   *name = store_topic_name(config);
	bool		ok;

	*found = false;
	reading.kafka = open_consumer(&reading);
	ok = reading.kafka != NULL;
	if (ok)
	{
		reading.topic = rd_kafka_topic_new(reading.kafka, name, NULL);
		ok = rd_kafka_consume_start(reading.topic, 0,
									RD_KAFKA_OFFSET_BEGINNING) == 0;
		if (!ok)
			snprintf(err, errsize, "could not read topic \"%s\"", name);
	}
	while (ok && !reading.done)
	{
		rd_kafka_message_t *message = rd_kafka_consume(reading.topic, 0,
													   POLL_MS);

		if (message != NULL)
		{
			ok = take(&reading, message);
			rd_kafka_message_destroy(message);
		}
		if (ok && !reading.done && stop(arg))
		{
			snprintf(err, errsize, "asked to stop");
			ok = false;
		}
	}
	if (reading.topic != NULL)
	{
		rd_kafka_consume_stop(reading.topic, 0);
		rd_kafka_topic_destroy(reading.topic);
	}
	if (reading.kafka != NULL)
		rd_kafka_destroy(reading.kafka);
	free(name);
	return ok;
}

static rd_kafka_t *
open_consumer(struct reading *reading)
{
	rd_kafka_conf_t *conf = producer_conf(reading->config, reading->err,
										  reading->errsize);
	rd_kafka_t *kafka;

	if (conf == NULL)
		return NULL;
	/* its log would say that a consumer has no use for half of [kafka] */
	rd_kafka_conf_set_log_cb(conf, NULL);
	rd_kafka_conf_set(conf, "isolation.level", "read_committed", NULL, 0);
	rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
	rd_kafka_conf_set(conf, "auto.offset.reset", "error", NULL, 0);
	rd_kafka_conf_set(conf, "check.crcs", "true", NULL, 0);
	/* a follower near by may lag, and its end would be taken for the end */
	rd_kafka_conf_set(conf, "client.rack", "", NULL, 0);
	kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reading->err,
						 reading->errsize);
	if (kafka == NULL)
		rd_kafka_conf_destroy(conf);
	return kafka;
}

/* A record, an error, or the end of what can be read so far. */
static bool
take(struct reading *reading, const rd_kafka_message_t *message)
{
	int64_t		next = message->offset + 1;
	int64_t		low;
	int64_t		high;

	if (reading->end < 0 &&
		rd_kafka_get_watermark_offsets(reading->kafka,
									   rd_kafka_topic_name(reading->topic), 0,
									   &low, &high) == 0 && high >= 0)
		reading->end = high;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		next = message->offset;
	else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return take_error(reading, message);
	else if (!take_record(reading, message))
		return false;
	reading->done = reading->end >= 0 && next >= reading->end;
	return true;
}

static bool
take_record(struct reading *reading, const rd_kafka_message_t *message)
{
	const char *slot = reading->config->slot;
	struct state state;
	char	   *error;

	if (message->key == NULL || message->key_len != strlen(slot) ||
		memcmp(message->key, slot, message->key_len) != 0)
		return true;
	if (message->payload == NULL)
	{
		if (*reading->found)
			state_free(reading->state);
		*reading->found = false;
		return true;
	}
	if (!state_parse(&state, message->payload, message->len, &error))
	{
		snprintf(reading->err, reading->errsize, "the record of slot \"%s\" "
				 "at offset %lld of topic \"%s\" cannot be used: %s", slot,
				 (long long) message->offset,
				 rd_kafka_topic_name(reading->topic), error);
		free(error);
		return false;
	}
	if (*reading->found && !state_supersedes(&state, reading->state))
		state_free(&state);
	else
	{
		if (*reading->found)
			state_free(reading->state);
		*reading->state = state;
	}
	*reading->found = true;
	return true;
}

/* The client goes on by itself after all but a few. */
static bool
take_error(struct reading *reading, const rd_kafka_message_t *message)
{
	switch (message->err)
	{
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
			snprintf(reading->err, reading->errsize, "could not read topic "
					 "\"%s\": %s", rd_kafka_topic_name(reading->topic),
					 rd_kafka_message_errstr(message));
			return false;
		default:
			return true;
	}
}
