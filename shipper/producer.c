/*
 * producer.c
 *		Records into Kafka, delivery reports out of it.
 *
 * librdkafka gets pointers into the ledger's frames.  Whatever goes wrong
 * with one record stops the producer: it is abandoned, and everything that
 * was not acknowledged is sent again by a new one.
 *
 * Each acknowledgement counts only with an offset.  A success without one
 * means that librdkafka concluded it, and the broker may never have stored
 * the record.
 */
#include "producer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "sink.h"
#include "topic.h"

#define BATCH_MAX		1024
#define REPORTS_MAX		1024
#define GATE_IDLE_MS	300000	/* brokers forget a producer that is idle */

/*
 * Topics limit batches, not records, and batch.size is one for all topics.
 * What one producer learned of them serves the next, so it lies here.
 */
static size_t batch_limit = 0;	/* 0: nothing learned */

struct producer
{
	struct sink base;
	const struct config *config;	/* borrowed */
	struct ledger *ledger;		/* borrowed */
	rd_kafka_t *kafka;			/* owned */
	rd_kafka_queue_t *queue;	/* owned; delivery reports, errors, log */
	struct topics *topics;		/* owned */
	int			wake[2];		/* pipe: events or answers are there */
	size_t		max_record;
	size_t		batch_size;		/* librdkafka's setting */
	uint64_t	outstanding;	/* deliveries that librdkafka has */
	enum sink_health health;
	int32_t		copies;			/* sent of a record for every partition */
	bool		copies_counted; /* in the ledger, all of them */
	pthread_t	reaper;			/* runs once abandoned */
	bool		reaping;
	bool		reaped;			/* only read after the pipe said so */
	rd_kafka_message_t batch[BATCH_MAX];
};

static struct sink *producer_open(const struct config *config,
								  struct ledger *ledger);
static struct topic *producer_topic(struct sink *sink, const char *name);
static size_t producer_send(struct sink *sink,
							const struct sink_record *records, size_t count);
static enum sink_health producer_drain(struct sink *sink);
static void producer_poll_fd(const struct sink *sink, struct pollfd *fd);
static int	producer_timeout(const struct sink *sink);
static void producer_abandon(struct sink *sink);
static bool producer_abandoned(struct sink *sink);
static void producer_close(struct sink *sink);

static size_t limit_batches(rd_kafka_conf_t *conf);
static void learn_limit(struct producer *producer);
static bool ready_to_send(struct producer *producer);
static bool fits(struct producer *producer, const struct sink_record *record);
static bool is_plain(const struct sink_record *record);
static bool gate_lets_through(struct topic_partition *partition);
static size_t send_batch(struct producer *producer,
						 const struct sink_record *records, size_t count);
static size_t fill_batch(struct producer *producer,
						 const struct sink_record *records, size_t count);
static size_t settle_batch(struct producer *producer, struct topic *topic,
						   size_t count);
static bool send_single(struct producer *producer,
						const struct sink_record *record);
static bool send_copy(struct producer *producer,
					  const struct sink_record *record, int32_t partition);
static rd_kafka_headers_t *make_headers(struct view bytes);
static void took(struct producer *producer, struct topic *topic,
				 int32_t partition);
static void refused(struct producer *producer, rd_kafka_resp_err_t err,
					const char *topic);
static void take_event(struct producer *producer, rd_kafka_event_t *event);
static void take_reports(struct producer *producer, rd_kafka_event_t *event);
static bool take_report(struct producer *producer,
						const rd_kafka_message_t *message, int64_t now);
static void delivery_failed(struct producer *producer,
							const rd_kafka_message_t *message);
static enum sink_health judge_failure(struct producer *producer,
									  const rd_kafka_message_t *message);
static enum sink_health too_large(struct producer *producer,
								  const rd_kafka_message_t *message);
static void take_error(struct producer *producer, rd_kafka_event_t *event);
static void take_log(rd_kafka_event_t *event);
static void *reap(void *arg);

const struct sink_ops producer_ops = {
	.open = producer_open,
	.topic = producer_topic,
	.send = producer_send,
	.drain = producer_drain,
	.poll_fd = producer_poll_fd,
	.timeout = producer_timeout,
	.abandon = producer_abandon,
	.abandoned = producer_abandoned,
	.close = producer_close,
};

static struct sink *
producer_open(const struct config *config, struct ledger *ledger)
{
	struct producer *producer;
	char		err[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf = producer_conf(config, err, sizeof(err));
	rd_kafka_t *kafka;
	size_t		batch_size;

	if (conf == NULL)
	{
		log_error("%s", err);
		return NULL;
	}
	batch_size = limit_batches(conf);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR |
							 RD_KAFKA_EVENT_LOG);
	rd_kafka_conf_set(conf, "log.queue", "true", NULL, 0);
	kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err));
	if (kafka == NULL)
	{
		log_error("could not set up the Kafka producer: %s", err);
		rd_kafka_conf_destroy(conf);
		return NULL;
	}

	producer = mem_zalloc(sizeof(*producer));
	producer->base.ops = &producer_ops;
	producer->config = config;
	producer->ledger = ledger;
	producer->kafka = kafka;
	producer->batch_size = batch_size;
	producer->max_record = producer_max_record(config);
	if (pipe2(producer->wake, O_NONBLOCK | O_CLOEXEC) != 0)
		abort();
	producer->queue = rd_kafka_queue_get_main(kafka);
	rd_kafka_set_log_queue(kafka, NULL);
	rd_kafka_queue_io_event_enable(producer->queue, producer->wake[1], "k", 1);
	producer->topics = topics_open(config, kafka, producer->wake[1]);
	return &producer->base;
}

static struct topic *
producer_topic(struct sink *sink, const char *name)
{
	struct producer *producer = (struct producer *) sink;
	struct topic *topic = topics_find(producer->topics, name);

	if (topic == NULL)
		producer->health = HEALTH_HOPELESS;
	return topic;
}

/*
 * Takes records in order and stops at the first that must wait: behind a
 * closed gate, a full queue, a topic not yet looked up.  Nothing behind it
 * goes first, in any topic.
 */
static size_t
producer_send(struct sink *sink, const struct sink_record *records,
			  size_t count)
{
	struct producer *producer = (struct producer *) sink;
	size_t		taken = 0;
	size_t		step;

	if (!ready_to_send(producer))
		return 0;
	while (taken < count && producer->health == HEALTH_FINE)
	{
		const struct sink_record *record = &records[taken];

		if (record->topic->state != TOPIC_READY)
		{
			topics_ask(producer->topics, record->topic);
			break;
		}
		if (is_plain(record))
			step = send_batch(producer, record, count - taken);
		else
			step = send_single(producer, record) ? 1 : 0;
		if (step == 0)
			break;
		taken += step;
	}
	return taken;
}

static enum sink_health
producer_drain(struct sink *sink)
{
	struct producer *producer = (struct producer *) sink;
	rd_kafka_event_t *event;
	enum sink_health told;
	char		bytes[64];

	while (read(producer->wake[0], bytes, sizeof(bytes)) > 0)
		continue;
	if (producer->reaping)
		return producer->health;
	while ((event = rd_kafka_queue_poll(producer->queue, 0)) != NULL)
	{
		take_event(producer, event);
		rd_kafka_event_destroy(event);
	}
	told = topics_collect(producer->topics);
	learn_limit(producer);
	if (told > producer->health)
		producer->health = told;
	return producer->health;
}

static void
producer_poll_fd(const struct sink *sink, struct pollfd *fd)
{
	const struct producer *producer = (const struct producer *) sink;

	*fd = (struct pollfd) {producer->wake[0], POLLIN, 0};
}

static int
producer_timeout(const struct sink *sink)
{
	const struct producer *producer = (const struct producer *) sink;

	return producer->reaping ? -1 : topics_timeout(producer->topics);
}

/* Requests on their way still point into frames until all threads are gone. */
static void
producer_abandon(struct sink *sink)
{
	struct producer *producer = (struct producer *) sink;

	if (producer->reaping)
		return;
	rd_kafka_purge(producer->kafka,
				   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	producer->reaping = true;
	if (pthread_create(&producer->reaper, NULL, reap, producer) != 0)
		abort();
}

static bool
producer_abandoned(struct sink *sink)
{
	const struct producer *producer = (const struct producer *) sink;

	return __atomic_load_n(&producer->reaped, __ATOMIC_ACQUIRE);
}

static void
producer_close(struct sink *sink)
{
	struct producer *producer = (struct producer *) sink;

	producer_abandon(sink);
	pthread_join(producer->reaper, NULL);
	close(producer->wake[0]);
	close(producer->wake[1]);
	free(producer);
}

/* What batch.size is, or now is; the first record of a batch may exceed it. */
static size_t
limit_batches(rd_kafka_conf_t *conf)
{
	char		text[32];
	size_t		len = sizeof(text);
	size_t		size = 0;

	if (rd_kafka_conf_get(conf, "batch.size", text, &len) == RD_KAFKA_CONF_OK)
		size = strtoul(text, NULL, 10);
	if (batch_limit == 0 || batch_limit >= size)
		return size;
	snprintf(text, sizeof(text), "%zu", batch_limit);
	rd_kafka_conf_set(conf, "batch.size", text, NULL, 0);
	return batch_limit;
}

/* A topic that takes less than we would send at once: nothing went there yet. */
static void
learn_limit(struct producer *producer)
{
	size_t		limit = topics_smallest_limit(producer->topics);

	if (limit == 0 || limit >= producer->batch_size ||
		producer->health != HEALTH_FINE)
		return;
	batch_limit = limit;
	log_info("a topic takes at most %zu bytes at once: making smaller batches",
			 limit);
	producer->health = HEALTH_BROKEN;
}

static bool
ready_to_send(struct producer *producer)
{
	if (producer->health != HEALTH_FINE || producer->reaping)
		return false;
	if (!topics_changed(producer->topics))
		return true;
	/* copies of one record must not see two counts */
	if (producer->outstanding > 0 || producer->copies_counted)
		return false;
	topics_switch(producer->topics);
	return true;
}

/* Refuses what Kafka would, before anything behind it could be sent. */
static bool
fits(struct producer *producer, const struct sink_record *record)
{
	size_t		size = record->body.key.len + record->body.value.len +
		record->body.headers.len;
	size_t		limit = producer->max_record;
	size_t		topic_limit = record->topic->max_record;

	if (topic_limit > 0)
	{
		topic_limit -= topic_limit > PRODUCER_OVERHEAD ? PRODUCER_OVERHEAD : 0;
		limit = topic_limit < limit ? topic_limit : limit;
	}
	if (size <= limit)
		return true;

	log_error("a record of table %s at LSN " LSN_FORMAT ", seq_id %llu has "
			  "%zu bytes, and topic \"%s\" takes %zu", record->table,
			  LSN_ARGS(record->position.commit),
			  (unsigned long long) record->position.ordinal, size,
			  record->topic->name, limit);
	log_hint("Raise max.message.bytes of the topic and message.max.bytes "
			 "in [kafka].");
	producer->health = HEALTH_HOPELESS;
	return false;
}

static bool
is_plain(const struct sink_record *record)
{
	return (record->body.flags & (WIRE_RECORD_EVERY_PARTITION |
								  WIRE_RECORD_HEADERS |
								  WIRE_RECORD_TIMESTAMP)) == 0;
}

static bool
gate_lets_through(struct topic_partition *partition)
{
	if (partition->gate == GATE_OPEN && partition->outstanding == 0 &&
		clock_ms() - partition->used > GATE_IDLE_MS)
		partition->gate = GATE_CLOSED;
	return partition->gate != GATE_OPENING;
}

/* The records from the front that make one call, returns how many went. */
static size_t
send_batch(struct producer *producer, const struct sink_record *records,
		   size_t count)
{
	struct topic *topic = records[0].topic;
	size_t		filled = fill_batch(producer, records, count);

	if (filled == 0)
		return 0;
	if (rd_kafka_produce_batch(topic->handle, 0, RD_KAFKA_MSG_F_PARTITION,
							   producer->batch, (int) filled) == (int) filled)
	{
		for (size_t i = 0; i < filled; i++)
			took(producer, topic, producer->batch[i].partition);
		return filled;
	}
	return settle_batch(producer, topic, filled);
}

/* Gates are marked at once, so that a second record does not join the first. */
static size_t
fill_batch(struct producer *producer, const struct sink_record *records,
		   size_t count)
{
	struct topic *topic = records[0].topic;
	size_t		filled;

	for (filled = 0; filled < count && filled < BATCH_MAX; filled++)
	{
		const struct frame_record *body = &records[filled].body;
		struct topic_partition *partition;
		int32_t		number = (int32_t) (body->hash % (uint32_t) topic->count);

		if (records[filled].topic != topic || !is_plain(&records[filled]))
			break;
		partition = &topic->partitions[number];
		if (!gate_lets_through(partition) ||
			!fits(producer, &records[filled]))
			break;
		if (partition->gate == GATE_CLOSED)
			partition->gate = GATE_OPENING;
		producer->batch[filled] = (rd_kafka_message_t) {
			.partition = number,
			.payload = (body->flags & WIRE_RECORD_NULL_VALUE) != 0 ? NULL :
				(void *) body->value.data,
			.len = body->value.len,
			.key = (body->flags & WIRE_RECORD_NULL_KEY) != 0 ? NULL :
				(void *) body->key.data,
			.key_len = body->key.len,
			._private = records[filled].entry,
		};
	}
	return filled;
}

/*
 * Not all of a batch went.  With a full queue the rest simply did not, and its
 * gates are as before; after any other refusal records behind it may have
 * gone, so the producer is lost.
 */
static size_t
settle_batch(struct producer *producer, struct topic *topic, size_t count)
{
	size_t		sent = 0;
	bool		hole = false;

	for (size_t i = 0; i < count; i++)
	{
		rd_kafka_message_t *message = &producer->batch[i];

		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			took(producer, topic, message->partition);
			sent++;
			if (hole)
				refused(producer, RD_KAFKA_RESP_ERR__FAIL, topic->name);
			continue;
		}
		hole = true;
		if (topic->partitions[message->partition].gate == GATE_OPENING)
			topic->partitions[message->partition].gate = GATE_CLOSED;
		if (message->err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			refused(producer, message->err, topic->name);
	}
	return sent;
}

/* Whether all of a record's copies went; otherwise call again with it. */
static bool
send_single(struct producer *producer, const struct sink_record *record)
{
	struct topic *topic = record->topic;

	if (!fits(producer, record))
		return false;
	if ((record->body.flags & WIRE_RECORD_EVERY_PARTITION) == 0)
		return send_copy(producer, record, (int32_t)
						 (record->body.hash % (uint32_t) topic->count));

	/* counted as many before the first report can come */
	if (!producer->copies_counted)
		ledger_expect(producer->ledger, record->entry,
					  (uint32_t) topic->count - 1);
	producer->copies_counted = true;
	while (producer->copies < topic->count)
	{
		if (!send_copy(producer, record, producer->copies))
			return false;
		producer->copies++;
	}
	producer->copies = 0;
	producer->copies_counted = false;
	return true;
}

static bool
send_copy(struct producer *producer, const struct sink_record *record,
		  int32_t partition)
{
	const struct frame_record *body = &record->body;
	struct topic *topic = record->topic;
	struct topic_partition *to = &topic->partitions[partition];
	bool		no_value = (body->flags & WIRE_RECORD_NULL_VALUE) != 0;
	bool		no_key = (body->flags & WIRE_RECORD_NULL_KEY) != 0;
	bool		dated = (body->flags & WIRE_RECORD_TIMESTAMP) != 0;
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t err;

	if (!gate_lets_through(to))
		return false;
	headers = make_headers(body->headers);
	err = rd_kafka_producev(producer->kafka,
							RD_KAFKA_V_RKT(topic->handle),
							RD_KAFKA_V_PARTITION(partition),
							RD_KAFKA_V_MSGFLAGS(0),
							RD_KAFKA_V_VALUE(no_value ? NULL :
											 (void *) body->value.data,
											 body->value.len),
							RD_KAFKA_V_KEY(no_key ? NULL : body->key.data,
										   body->key.len),
							RD_KAFKA_V_TIMESTAMP(dated ? body->timestamp : 0),
							RD_KAFKA_V_HEADERS(headers),
							RD_KAFKA_V_OPAQUE(record->entry),
							RD_KAFKA_V_END);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (to->gate == GATE_CLOSED)
			to->gate = GATE_OPENING;
		took(producer, topic, partition);
		return true;
	}
	/* librdkafka takes the headers only with the record */
	rd_kafka_headers_destroy(headers);
	if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		refused(producer, err, topic->name);
	return false;
}

static rd_kafka_headers_t *
make_headers(struct view bytes)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	struct view name;
	struct view value;

	while (frame_next_header(&bytes, &name, &value))
		rd_kafka_header_add(headers, name.data, (ssize_t) name.len,
							value.data, (ssize_t) value.len);
	return headers;
}

static void
took(struct producer *producer, struct topic *topic, int32_t partition)
{
	topic->partitions[partition].outstanding++;
	producer->outstanding++;
}

static void
refused(struct producer *producer, rd_kafka_resp_err_t err, const char *topic)
{
	if (producer->health != HEALTH_FINE)
		return;
	log_error("could not produce to topic \"%s\": %s", topic,
			  rd_kafka_err2str(err));
	producer->health = HEALTH_BROKEN;
}

static void
take_event(struct producer *producer, rd_kafka_event_t *event)
{
	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_DR:
			take_reports(producer, event);
			break;
		case RD_KAFKA_EVENT_ERROR:
			take_error(producer, event);
			break;
		case RD_KAFKA_EVENT_LOG:
			take_log(event);
			break;
		default:
			break;
	}
}

/* Reports of one frame mostly come together: acknowledged in one step. */
static void
take_reports(struct producer *producer, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *messages[REPORTS_MAX];
	int64_t		now = clock_ms();
	size_t		count;

	while ((count = rd_kafka_event_message_array(event, messages,
												 REPORTS_MAX)) > 0)
	{
		struct ledger_entry *entry = NULL;
		uint32_t	done = 0;

		for (size_t i = 0; i < count; i++)
		{
			if (!take_report(producer, messages[i], now))
				continue;
			if (messages[i]->_private != entry)
			{
				if (done > 0)
					ledger_ack(producer->ledger, entry, done);
				entry = messages[i]->_private;
				done = 0;
			}
			done++;
		}
		if (done > 0)
			ledger_ack(producer->ledger, entry, done);
	}
}

/* Whether it is a delivery. */
static bool
take_report(struct producer *producer, const rd_kafka_message_t *message,
			int64_t now)
{
	struct topic *topic = rd_kafka_topic_opaque(message->rkt);
	struct topic_partition *partition =
		&topic->partitions[message->partition];

	producer->outstanding--;
	partition->outstanding--;
	partition->used = now;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->offset < 0)
	{
		delivery_failed(producer, message);
		return false;
	}
	partition->gate = GATE_OPEN;
	return true;
}

static void
delivery_failed(struct producer *producer, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);

	if (producer->health != HEALTH_FINE)
		return;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		log_error("delivery to topic \"%s\" partition %d was reported "
				  "without an offset", topic, message->partition);
	else
		log_error("delivery to topic \"%s\" partition %d failed: %s", topic,
				  message->partition, rd_kafka_err2str(message->err));
	producer->health = judge_failure(producer, message);
	if (producer->health == HEALTH_HOPELESS)
		log_hint("No retry mends this: see the broker's settings of the "
				 "topic and its access rules.");
}

static enum sink_health
judge_failure(struct producer *producer, const rd_kafka_message_t *message)
{
	switch (message->err)
	{
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
			return too_large(producer, message);
		case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
		case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
		case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
			return HEALTH_HOPELESS;
		default:
			return HEALTH_BROKEN;
	}
}

/* The batch was, not the record, as long as a smaller batch can hold it. */
static enum sink_health
too_large(struct producer *producer, const rd_kafka_message_t *message)
{
	size_t		record = message->len + message->key_len + PRODUCER_OVERHEAD;

	if (producer->batch_size <= record)
		return HEALTH_HOPELESS;
	batch_limit = producer->batch_size / 2;
	if (batch_limit < record)
		batch_limit = record;
	return HEALTH_BROKEN;
}

static void
take_error(struct producer *producer, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);
	char		reason[256];

	if (rd_kafka_event_error_is_fatal(event) ||
		err == RD_KAFKA_RESP_ERR__FATAL)
	{
		err = rd_kafka_fatal_error(producer->kafka, reason, sizeof(reason));
		log_error("the Kafka producer cannot go on: %s: %s",
				  rd_kafka_err2name(err), reason);
		if (producer->health == HEALTH_FINE)
			producer->health = HEALTH_BROKEN;
	}
	else if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION)
	{
		log_error("Kafka refuses the login: %s", text);
		log_hint("Check the sasl. and ssl. keys of [kafka].");
	}
	else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		log_warning("no Kafka broker can be reached: %s", text);
	else
		log_debug("Kafka: %s", text);
}

/*
 * librdkafka's errors are events as well: here they only inform.  It warns of
 * the settings that we force; people cannot change them.
 */
static void
take_log(rd_kafka_event_t *event)
{
	const char *facility;
	const char *text;
	int			level;

	if (rd_kafka_event_log(event, &facility, &text, &level) != 0)
		return;
	if (level <= 4 && strcmp(facility, "CONFWARN") != 0)
		log_warning("Kafka: %s", text);
	else
		log_debug("Kafka: %s: %s", facility, text);
}

/*
 * The thread that lets go.  The queue is served until librdkafka holds no
 * record, which it must before it can be destroyed; nothing is acknowledged
 * any more.
 */
static void *
reap(void *arg)
{
	struct producer *producer = arg;
	rd_kafka_event_t *event;

	topics_close(producer->topics);
	while (rd_kafka_outq_len(producer->kafka) > 0)
	{
		event = rd_kafka_queue_poll(producer->queue, 100);
		if (event != NULL)
			rd_kafka_event_destroy(event);
		rd_kafka_purge(producer->kafka,
					   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	}
	rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(producer->queue);
	rd_kafka_destroy(producer->kafka);
	__atomic_store_n(&producer->reaped, true, __ATOMIC_RELEASE);
	if (write(producer->wake[1], "r", 1) < 0)
		return NULL;			/* full: the loop is awake anyway */
	return NULL;
}
