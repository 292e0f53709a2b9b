/*
 * store_topic_read.c
 *		Finds a slot's state record in the topic.
 *
 * Reads the end of the topic first, and more of it only as long as it has no
 * record of this slot.  Whoever may write to the topic may put anything there.
 *
 * A record in a transaction that was aborted promises what was never sent.
 * Behind one that is still open, of whatever slot, nothing can be read; a
 * record there may be the newest, so it is waited for.
 */
#include "store_topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "producer.h"

#define SPAN_FIRST		1000	/* offsets looked at first, then 100 times */

struct scan
{
	struct store_topic *topic;
	rd_kafka_t *kafka;			/* owned; reads */
	rd_kafka_topic_t *handle;	/* owned */
	int64_t		low;
	int64_t		high;			/* as far as it can be read */
	int64_t		end;			/* offset, once it is known; -1 */
	bool		undecided;		/* a transaction is open before the end */
	bool		seen;			/* something of the slot, maybe a tombstone */
	bool		found;
	struct state state;
	char	   *bad;			/* owned; why the newest is no record */
	int64_t		bad_offset;
};

static rd_kafka_t *open_reader(const struct config *config);
static bool ask_ends(struct scan *scan);
static rd_kafka_resp_err_t read_from(struct scan *scan, int64_t start);
static bool is_end(struct scan *scan, int64_t offset);
static void take(struct scan *scan, const rd_kafka_message_t *message);
static void take_value(struct scan *scan, const rd_kafka_message_t *message);
static enum store_answer answer(struct scan *scan, struct state *state);
static enum store_answer unreadable(struct scan *scan,
									rd_kafka_resp_err_t err);

enum store_answer
store_topic_scan(struct store_topic *topic, struct state *state)
{
	struct scan scan = {.topic = topic, .end = -1};
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
	enum store_answer result;
	int64_t		start;

	scan.kafka = open_reader(topic->base.config);
	if (scan.kafka == NULL)
		return STORE_LATER;
	scan.handle = rd_kafka_topic_new(scan.kafka, topic->name, NULL);
	if (ask_ends(&scan))
	{
		int64_t		span = SPAN_FIRST;

		do
		{
			start = scan.high - span > scan.low ? scan.high - span : scan.low;
			err = read_from(&scan, start);
			span *= 100;
		} while (err == RD_KAFKA_RESP_ERR_NO_ERROR && !scan.seen &&
				 start > scan.low);
	}
	result = err == RD_KAFKA_RESP_ERR_NO_ERROR ? answer(&scan, state) :
		unreadable(&scan, err);
	rd_kafka_topic_destroy(scan.handle);
	rd_kafka_destroy(scan.kafka);
	free(scan.bad);
	return result;
}

static void
drop_log(const rd_kafka_t *kafka, int level, const char *facility,
		 const char *text)
{
	(void) kafka;
	(void) level;
	log_debug("Kafka, state record: %s: %s", facility, text);
}

/* No group: the position is the end, every time. */
static rd_kafka_t *
open_reader(const struct config *config)
{
	static const char *const own[][2] = {
		{"enable.gapless.guarantee", "false"},
		{"enable.idempotence", "false"},
		{"log.queue", "false"},
		{"enable.partition.eof", "true"},
		{"isolation.level", "read_committed"},
		{"fetch.wait.max.ms", "10"},
		{"queued.max.messages.kbytes", "2048"},
		{"check.crcs", "true"},
		/* the end is asked of the leader: a follower near by may lag */
		{"client.rack", ""},
	};
	char		err[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf = producer_conf(config, err, sizeof(err));
	rd_kafka_t *kafka = NULL;

	if (conf != NULL)
	{
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			rd_kafka_conf_set(conf, own[i][0], own[i][1], NULL, 0);
		rd_kafka_conf_set_log_cb(conf, drop_log);
		kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof(err));
		if (kafka == NULL)
			rd_kafka_conf_destroy(conf);
	}
	if (kafka == NULL)
		log_error("could not set up Kafka for the state record: %s", err);
	return kafka;
}

static bool
ask_ends(struct scan *scan)
{
	int64_t		deadline = clock_ms() + STORE_WAIT_MS;

	while (clock_ms() < deadline && !store_topic_stopped(scan->topic))
		if (rd_kafka_query_watermark_offsets(scan->kafka, scan->topic->name,
											 0, &scan->low, &scan->high,
											 STORE_STEP_MS) ==
			RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
	return false;
}

/* To the end as it was at first. */
static rd_kafka_resp_err_t
read_from(struct scan *scan, int64_t start)
{
	int64_t		deadline = clock_ms() + STORE_WAIT_MS;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
	rd_kafka_message_t *message;
	bool		done = false;

	if (rd_kafka_consume_start(scan->handle, 0, start) != 0)
		return rd_kafka_last_error();
	while (!done && clock_ms() < deadline && !store_topic_stopped(scan->topic))
	{
		message = rd_kafka_consume(scan->handle, 0, STORE_STEP_MS);
		if (message == NULL)
			continue;
		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			take(scan, message);
			deadline = clock_ms() + STORE_WAIT_MS;
		}
		else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			err = message->err;
		else if (is_end(scan, message->offset))
			err = RD_KAFKA_RESP_ERR_NO_ERROR;
		/* others say why, and librdkafka goes on trying */
		done = err == RD_KAFKA_RESP_ERR_NO_ERROR ||
			err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consume_stop(scan->handle, 0);
	return err;
}

/* What can be read ends there: whether that is all. */
static bool
is_end(struct scan *scan, int64_t offset)
{
	int64_t		low;
	int64_t		high;

	if (scan->end < 0 &&
		rd_kafka_get_watermark_offsets(scan->kafka, scan->topic->name, 0,
									   &low, &high) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		scan->end = high;
	scan->undecided = offset < scan->end;
	return scan->end >= 0 && !scan->undecided;
}

static void
take(struct scan *scan, const rd_kafka_message_t *message)
{
	const char *slot = scan->topic->base.config->slot;

	if (message->key == NULL || message->key_len != strlen(slot) ||
		memcmp(message->key, slot, message->key_len) != 0)
		return;
	scan->seen = true;
	free(scan->bad);
	scan->bad = NULL;
	if (message->payload == NULL)
		scan->found = false;
	else
		take_value(scan, message);
}

static void
take_value(struct scan *scan, const rd_kafka_message_t *message)
{
	struct state state = {.snapshot = NULL};
	char	   *error = NULL;

	if (message->len > STORE_VALUE_MAX)
		error = mem_strdup("it is too large");
	else if (state_parse(&state, message->payload, message->len, &error) &&
			 strcmp(state.slot, scan->topic->base.config->slot) != 0)
		error = mem_strdup("its \"slot\" is another than its key");
	if (error != NULL)
	{
		state_free(&state);
		scan->bad = error;
		scan->bad_offset = message->offset;
	}
	else if (!scan->found || state_supersedes(&state, &scan->state))
	{
		state_free(&scan->state);
		scan->state = state;
		scan->found = true;
	}
	else
		state_free(&state);
}

static enum store_answer
answer(struct scan *scan, struct state *state)
{
	if (scan->bad != NULL)
	{
		log_error("what %s holds for slot \"%s\" at offset %" PRId64
				  " is no state record: %s", scan->topic->base.where,
				  scan->topic->base.config->slot, scan->bad_offset, scan->bad);
		log_hint("Find out who writes there, and restrict who may; "
				 "\"wal2kafka drop --state\" goes on without the record.");
		return STORE_PERSON;
	}
	if (!scan->found)
		return scan->seen ? STORE_FORGOTTEN : STORE_NONE;
	*state = scan->state;
	return STORE_FOUND;
}

static enum store_answer
unreadable(struct scan *scan, rd_kafka_resp_err_t err)
{
	if (store_topic_stopped(scan->topic))
		return STORE_LATER;
	if (err != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
	{
		log_warning("could not read the state record from %s: %s",
					scan->topic->base.where, scan->undecided ? "a transaction "
					"is open there, of this slot or another; one that a "
					"killed program left ends by itself after its "
					"transaction.timeout.ms" : rd_kafka_err2str(err));
		return STORE_LATER;
	}
	log_error("%s may not be read for the state record: %s",
			  scan->topic->base.where, rd_kafka_err2str(err));
	log_hint("Allow the shipper's principal READ on the topic; or do without "
			 "(state = none): see wal2kafka(1) for what cannot be noticed "
			 "then.");
	return STORE_PERSON;
}
