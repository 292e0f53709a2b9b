/*
 * producer.c
 *		Records into Kafka, delivery reports out of it.
 *
 * librdkafka gets pointers into the ledger's frames.  Whatever goes wrong
 * with one record stops the producer: it is abandoned, and everything that
 * was not acknowledged is sent again by a new one.
 */
#include "producer.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "kafka_reaction.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "producer_state.h"
#include "rlimits.h"

#define FATAL_MS		1000
/* librdkafka's part of linger.ms */
#define COLLECT_MS		2

/*
 * Topics limit batches, not records, and batch.size is one for all topics.
 * What one producer learned of them serves the next, so it lies here.
 */
static size_t batch_limit = 0;	/* 0: nothing learned */

static struct sink *producer_open(const struct config *config,
								  struct ledger *ledger);
static enum sink_stage producer_stage(const struct sink *sink);
static void producer_prepare(struct sink *sink, struct keeper *keeper);
static struct topic *producer_topic(struct sink *sink, const char *name);
static size_t producer_send(struct sink *sink,
							const struct sink_record *records, size_t count);
static enum sink_health producer_drain(struct sink *sink);
static void producer_poll_fd(const struct sink *sink, struct pollfd *fd);
static void producer_forward(struct sink *sink, bool at_once);
static int	producer_timeout(const struct sink *sink);
static void producer_abandon(struct sink *sink);
static bool producer_abandoned(struct sink *sink);
static void producer_close(struct sink *sink);

static void judge_fatal(struct producer *producer);
static void judge_halted(struct producer *producer);
static int64_t take_linger(rd_kafka_conf_t *conf);
static size_t limit_batches(rd_kafka_conf_t *conf);
static void learn_limit(struct producer *producer);
static bool ready_to_send(struct producer *producer, struct position next);
static void *reap(void *arg);

const struct sink_ops producer_ops = {
	.open = producer_open,
	.stage = producer_stage,
	.prepare = producer_prepare,
	.topic = producer_topic,
	.send = producer_send,
	.drain = producer_drain,
	.forward = producer_forward,
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
	rd_kafka_t *kafka = NULL;
	size_t		batch_size;
	size_t		batch_count;
	int64_t		linger;

	if (conf == NULL)
	{
		log_error("%s", err);
		return NULL;
	}
	batch_size = limit_batches(conf);
	batch_count = (size_t) producer_setting(conf, "batch.num.messages");
	linger = take_linger(conf);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR |
							 RD_KAFKA_EVENT_LOG);
	rd_kafka_conf_set(conf, "log.queue", "true", NULL, 0);
	if (config->processing_guarantee == AT_LEAST_ONCE ||
		transaction_configure(config, conf, err, sizeof(err)))
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
	producer->resent = ledger->sent;
	producer->kafka = kafka;
	accumulator_init(&producer->accumulator, linger, batch_size, batch_count);
	producer->max_record = producer_max_record(config);
	if (pipe2(producer->wake, O_NONBLOCK | O_CLOEXEC) != 0)
		abort();
	producer->queue = rd_kafka_queue_get_main(kafka);
	rd_kafka_set_log_queue(kafka, NULL);
	rd_kafka_queue_io_event_enable(producer->queue, producer->wake[1], "k", 1);
	producer->topics = topics_open(config, kafka, producer->wake[1]);
	if (http_is_wanted(config))
		producer->probe = probe_open(kafka, producer->wake[1]);
	if (config->processing_guarantee == EXACTLY_ONCE)
		producer->transaction = transaction_open(producer);
	return &producer->base;
}

static enum sink_stage
producer_stage(const struct sink *sink)
{
	const struct producer *producer = (const struct producer *) sink;

	return producer->transaction == NULL ? SINK_READY :
		transaction_stage(producer->transaction);
}

static void
producer_prepare(struct sink *sink, struct keeper *keeper)
{
	transaction_prepare(((struct producer *) sink)->transaction, keeper);
}

static struct topic *
producer_topic(struct sink *sink, const char *name)
{
	struct producer *producer = (struct producer *) sink;
	struct topic *topic = topics_find(producer->topics, name);

	if (topic == NULL)
		producer->health = HEALTH_HOPELESS;
	else if (producer->probe != NULL)
		probe_topic(producer->probe, topic->handle);
	return topic;
}

static size_t
producer_send(struct sink *sink, const struct sink_record *records,
			  size_t count)
{
	struct producer *producer = (struct producer *) sink;
	size_t		taken = count > 0 &&
		ready_to_send(producer, records[0].position) ?
		produce_records(producer, records, count) : 0;

	producer->stalled = taken < count;
	handover_serve(producer, DUE_IF_FULL);
	if (taken > 0 && producer->transaction != NULL)
		transaction_sent(producer->transaction, records[taken - 1].position);
	return taken;
}

static enum sink_health
producer_drain(struct sink *sink)
{
	struct producer *producer = (struct producer *) sink;
	rd_kafka_event_t *event;
	enum sink_health told;
	char		bytes[64];

	while (read(producer->wake[0], bytes, sizeof(bytes)) == sizeof(bytes))
		continue;
	if (producer->reaping)
		return producer->health;
	while ((event = rd_kafka_queue_poll(producer->queue, 0)) != NULL)
	{
		delivery_take(producer, event);
		rd_kafka_event_destroy(event);
	}
	if (producer->probe != NULL)
		probe_collect(producer->probe);
	told = topics_collect(producer->topics);
	learn_limit(producer);
	judge_fatal(producer);
	judge_halted(producer);
	if (producer->transaction != NULL && producer->health == HEALTH_FINE)
	{
		producer->health = transaction_step(producer->transaction);
		if (producer->health == HEALTH_BROKEN)
			metrics.restarts[RESTART_TRANSACTION]++;
	}
	if (told == HEALTH_BROKEN && producer->health == HEALTH_FINE)
		metrics.restarts[RESTART_TOPIC]++;
	if (told > producer->health)
		producer->health = told;
	return producer->health;
}

static void
producer_forward(struct sink *sink, bool at_once)
{
	struct producer *producer = (struct producer *) sink;

	if (producer->transaction != NULL &&
		!transaction_takes(producer->transaction))
		at_once = true;
	handover_serve(producer, at_once ? DUE_AT_ONCE : clock_ms());
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
	int			left = -1;
	int			next;

	if (producer->reaping)
		return -1;
	if (producer->fatal_at > 0)
		return FATAL_MS / 2;
	if (producer->transaction != NULL)
		left = transaction_timeout(producer->transaction);
	next = topics_timeout(producer->topics);
	if (left < 0 || next < left)
		left = next;
	next = handover_timeout(producer);
	return next >= 0 && next < left ? next : left;
}

/* Requests on their way still point into frames until all threads are gone. */
static void
producer_abandon(struct sink *sink)
{
	struct producer *producer = (struct producer *) sink;

	if (producer->reaping)
		return;
	metrics.failed += producer->outstanding;	/* called back */
	rd_kafka_purge(producer->kafka,
				   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	producer->reaping = true;
	rlimits_thread(&producer->reaper, reap, producer);
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
	accumulator_free(&producer->accumulator);
	free(producer);
}

/*
 * librdkafka gave up because of one delivery, whose report comes next and says
 * whether a new producer would fare better; it is waited for, but not long.
 */
static void
judge_fatal(struct producer *producer)
{
	const char *hint;

	if (producer->fatal_at == 0 || producer->health != HEALTH_FINE ||
		(producer->outstanding > producer->accumulator.count &&
		 clock_ms() - producer->fatal_at <= FATAL_MS))
		return;
	if (kafka_reaction_find(producer->fatal, &hint) == KAFKA_ACCESS &&
		!pin_any_worked())
		producer->health = HEALTH_HOPELESS;
	else
	{
		metrics.restarts[RESTART_FATAL]++;
		producer->health = HEALTH_BROKEN;
	}
	if (hint != NULL)
		log_hint("%s", hint);
}

/* Once all before the record that cannot be sent is acknowledged. */
static void
judge_halted(struct producer *producer)
{
	if (producer->halted && producer->outstanding == 0 &&
		(producer->transaction == NULL ||
		 !transaction_is_dirty(producer->transaction)))
		producer->health = HEALTH_HOPELESS;
}

/*
 * Returns how long records linger here.  The rest of linger.ms is librdkafka's:
 * its thread is not to send a part of a batch while it is given the others, or
 * it waits actively after all.  With 0 it may: that is what 0 costs.
 */
static int64_t
take_linger(rd_kafka_conf_t *conf)
{
	double		linger = ceil(producer_setting(conf, "linger.ms"));
	char		text[32];

	if (linger <= COLLECT_MS)
		return 0;
	snprintf(text, sizeof(text), "%d", COLLECT_MS);
	rd_kafka_conf_set(conf, "linger.ms", text, NULL, 0);
	return (int64_t) linger - COLLECT_MS;
}

/* What batch.size is, or now is; the first record of a batch may exceed it. */
static size_t
limit_batches(rd_kafka_conf_t *conf)
{
	char		text[32];
	size_t		size = (size_t) producer_setting(conf, "batch.size");

	if (batch_limit == 0 || batch_limit >= size)
		return size;
	snprintf(text, sizeof(text), "%zu", batch_limit);
	rd_kafka_conf_set(conf, "batch.size", text, NULL, 0);
	return batch_limit;
}

void
producer_limit_batches(size_t limit)
{
	batch_limit = limit;
}

/* A topic may take less at once than we send; nothing went there yet. */
static void
learn_limit(struct producer *producer)
{
	size_t		limit = topics_smallest_limit(producer->topics);

	if (limit == 0 || limit >= producer->accumulator.batch_bytes ||
		producer->health != HEALTH_FINE)
		return;
	producer_limit_batches(limit);
	log_info("a topic takes at most %zu bytes at once: making smaller batches",
			 limit);
	metrics.restarts[RESTART_LIMIT]++;
	producer->health = HEALTH_BROKEN;
}

/*
 * A changed partition count is taken when nothing is on its way, and not for
 * records that were sent before: they may be stored, and what came after them.
 */
static bool
ready_to_send(struct producer *producer, struct position next)
{
	if (!producer_is_well(producer) || producer->halted ||
		(producer->transaction != NULL &&
		 !transaction_takes(producer->transaction)))
		return false;
	if (!topics_changed(producer->topics) ||
		!position_is_after(next, producer->resent))
		return true;
	if (producer->outstanding > 0)
		return false;
	topics_switch(producer->topics);
	return true;
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

	probe_close(producer->probe);
	topics_close(producer->topics);
	while (rd_kafka_outq_len(producer->kafka) > 0)
	{
		event = rd_kafka_queue_poll(producer->queue, 100);
		if (event != NULL)
			rd_kafka_event_destroy(event);
		rd_kafka_purge(producer->kafka,
					   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	}
	if (producer->transaction != NULL)
		transaction_close(producer->transaction);
	rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(producer->queue);
	rd_kafka_destroy(producer->kafka);
	__atomic_store_n(&producer->reaped, true, __ATOMIC_RELEASE);
	if (write(producer->wake[1], "r", 1) < 0)
		return NULL;			/* full: the loop is awake anyway */
	return NULL;
}
