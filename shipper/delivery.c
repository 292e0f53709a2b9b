/*
 * delivery.c
 *		Out of librdkafka: delivery reports, errors, its log.
 *
 * Each acknowledgement counts only with an offset.  A success without one
 * means that librdkafka concluded it, and the broker may never have stored
 * the record.
 */
#include "producer_state.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "kafka_reaction.h"
#include "log.h"
#include "metrics.h"
#include "oversize.h"
#include "producer.h"
#include "ready.h"

#define REPORTS_MAX		1024

static void take_reports(struct producer *producer, rd_kafka_event_t *event);
static void acknowledge(struct producer *producer,
						struct ledger_entry *entry, uint32_t count);
static bool take_report(struct producer *producer, struct topic *topic,
						const rd_kafka_message_t *message, int64_t now);
static bool is_position(const struct producer *producer,
						const rd_kafka_message_t *message);
static void delivery_failed(struct producer *producer,
							const rd_kafka_message_t *message);
static bool stands_behind(struct producer *producer, struct topic *topic,
						  const rd_kafka_message_t *message);
static enum sink_health judge_failure(struct producer *producer,
									  const rd_kafka_message_t *message);
static enum sink_health too_large(struct producer *producer,
								  const rd_kafka_message_t *message);
static void take_error(struct producer *producer, rd_kafka_event_t *event);
static void take_log(rd_kafka_event_t *event);

void
delivery_take(struct producer *producer, rd_kafka_event_t *event)
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

/*
 * Reports of one topic and one frame mostly come together: the topic is looked
 * up, and the frame acknowledged, in one step.
 */
static void
take_reports(struct producer *producer, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *messages[REPORTS_MAX];
	const rd_kafka_topic_t *handle = NULL;
	struct topic *topic = NULL;
	int64_t		now = clock_ms();
	size_t		count;

	while ((count = rd_kafka_event_message_array(event, messages,
												 REPORTS_MAX)) > 0)
	{
		struct ledger_entry *entry = NULL;
		uint32_t	done = 0;

		for (size_t i = 0; i < count; i++)
		{
			if (messages[i]->rkt != handle)
			{
				handle = messages[i]->rkt;
				topic = rd_kafka_topic_opaque(handle);
			}
			if (!take_report(producer, topic, messages[i], now))
				continue;
			if (messages[i]->_private != entry)
			{
				acknowledge(producer, entry, done);
				entry = messages[i]->_private;
				done = 0;
			}
			done++;
		}
		acknowledge(producer, entry, done);
	}
}

static void
acknowledge(struct producer *producer, struct ledger_entry *entry,
			uint32_t count)
{
	if (count == 0)
		return;
	metrics.acknowledged += count;
	if (producer->probe != NULL)
		probe_answered(producer->probe, clock_ms());
	ledger_ack(producer->ledger, entry, count);
}

/* Whether it is a delivery. */
static bool
take_report(struct producer *producer, struct topic *topic,
			const rd_kafka_message_t *message, int64_t now)
{
	struct topic_partition *partition;
	bool		failed = message->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
		message->offset < 0;

	if (failed)
		delivery_failed(producer, message);
	if (is_position(producer, message))
	{
		if (!failed)
			transaction_delivered(producer->transaction);
		return false;
	}
	partition = &topic->partitions[message->partition];
	producer->outstanding--;
	partition->outstanding--;
	partition->used = now;
	if (failed)
		return false;
	partition->gate = GATE_OPEN;
	handover_admit(producer, partition);
	return stands_behind(producer, topic, message);
}

/* Whether it is the one that a Kafka transaction ends with. */
static bool
is_position(const struct producer *producer,
			const rd_kafka_message_t *message)
{
	return producer->transaction != NULL &&
		message->_private == producer->transaction;
}

/*
 * Whether it lies behind all older ones that were acknowledged there.  If not,
 * they are gone: Kafka has another topic of the name, or a leader that lost
 * the end.
 */
static bool
stands_behind(struct producer *producer, struct topic *topic,
			  const rd_kafka_message_t *message)
{
	const struct ledger_entry *entry = message->_private;
	int64_t		before;

	if (pin_advance(topic->pin, message->partition, message->offset,
					entry->last, &before))
		return true;
	if (producer->health == HEALTH_HOPELESS)
		return false;
	log_error("topic \"%s\" partition %d lost what was acknowledged: a new "
			  "record has the offset %" PRId64 ", one before had %" PRId64,
			  topic->name, message->partition, message->offset, before);
	log_hint("The topic was deleted and made anew, or a broker became leader "
			 "that was not in sync.  What is lost is not sent again: bring "
			 "the topic's tables over again if a consumer missed it, and "
			 "start.");
	metrics_kafka_error("OFFSET_WENT_BACK");
	producer->health = HEALTH_HOPELESS;
	return false;
}

static void
delivery_failed(struct producer *producer, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);

	metrics.failed++;
	/* the one that librdkafka gave up for has an error of its own */
	if (producer->health != HEALTH_FINE ||
		(producer->fatal_at > 0 &&
		 (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
		  message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
		  message->err == RD_KAFKA_RESP_ERR__FATAL)))
		return;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		log_error("delivery to topic \"%s\" partition %d was reported "
				  "without an offset", topic, message->partition);
	else
		log_error("delivery to topic \"%s\" partition %d failed: %s", topic,
				  message->partition, rd_kafka_err2str(message->err));
	metrics_kafka_error(message->err == RD_KAFKA_RESP_ERR_NO_ERROR ?
						"NO_OFFSET" : rd_kafka_err2name(message->err));
	producer->health = judge_failure(producer, message);
	if (producer->health == HEALTH_BROKEN)
		metrics.restarts[RESTART_DELIVERY]++;
}

static enum sink_health
judge_failure(struct producer *producer, const rd_kafka_message_t *message)
{
	struct topic *topic = rd_kafka_topic_opaque(message->rkt);
	enum sink_health health = HEALTH_HOPELESS;
	const char *hint;

	if (is_position(producer, message))
		return transaction_judge(message->err);
	switch (kafka_reaction_find(message->err, &hint))
	{
		case KAFKA_SHRINK:
			health = too_large(producer, message);
			break;
		case KAFKA_ACCESS:
			pin_deny(topic->pin);
			ready_set(READY_ACCESS, true);
			health = pin_any_worked() ? HEALTH_BROKEN : HEALTH_HOPELESS;
			break;
		case KAFKA_ONCE:
			/* the next producer looks at the topic's settings first */
			health = topic->pin->refused ? HEALTH_HOPELESS : HEALTH_BROKEN;
			topic->pin->refused = true;
			break;
		case KAFKA_RETRY:
			health = HEALTH_BROKEN;
			break;
		case KAFKA_PERSON:
		case KAFKA_REACTION_COUNT:
			break;
	}
	if (hint != NULL)
		log_hint("%s", hint);
	return health;
}

/* The batch was, not the record, as long as a smaller batch can hold it. */
static enum sink_health
too_large(struct producer *producer, const rd_kafka_message_t *message)
{
	size_t		record = message->len + message->key_len + PRODUCER_OVERHEAD;
	size_t		batch = producer->accumulator.batch_bytes;

	if (batch <= record)
	{
		oversize_refused(message);
		return HEALTH_HOPELESS;
	}
	producer_limit_batches(record > batch / 2 ? record : batch / 2);
	return HEALTH_BROKEN;
}

/*
 * Most failures are logged by librdkafka itself.  A broker that hangs up is
 * not, though that is what a listener with TLS does to one who speaks none:
 * the text is kept for the line that says that there is no broker.  What it
 * ends with counts, and would keep lines from being folded.
 */
static void
take_complaint(struct producer *producer, const char *text)
{
	const char *end = strstr(text, " (after ");
	int			len = end != NULL ? (int) (end - text) : (int) strlen(text);

	snprintf(producer->complaint, sizeof(producer->complaint), "%.*s", len,
			 text);
	log_debug("Kafka: %s", text);
}

static void
take_error(struct producer *producer, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);
	const char *hint;
	char		reason[256];

	if (rd_kafka_event_error_is_fatal(event) ||
		err == RD_KAFKA_RESP_ERR__FATAL)
	{
		err = rd_kafka_fatal_error(producer->kafka, reason, sizeof(reason));
		log_error("the Kafka producer cannot go on: %s: %s",
				  rd_kafka_err2name(err), reason);
		if (producer->fatal_at == 0)
		{
			producer->fatal_at = clock_ms();
			producer->fatal = err;
		}
	}
	else if (kafka_reaction_find(err, &hint) == KAFKA_ACCESS)
	{
		log_error("Kafka refuses the connection: %s", text);
		log_hint("%s", hint);
		hint = producer_login_hint(producer->config);
		if (hint != NULL)
			log_hint("%s", hint);
		topics_doubt(producer->topics);
	}
	else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		log_warning("no Kafka broker can be reached: %s",
					producer->complaint[0] ? producer->complaint : text);
	else
		take_complaint(producer, text);
	if (producer->transaction != NULL)
		transaction_doubt(producer->transaction);
	metrics_kafka_error(rd_kafka_err2name(err));
	if (producer->probe != NULL &&
		(err == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		 err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
		probe_hurry(producer->probe);
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
