/*
 * handover.c
 *		Records out of their lines into librdkafka, as it can send them: gates,
 *		batches.
 */
#include "producer_state.h"

#include "clock.h"
#include "log.h"
#include "metrics.h"

/*
 * Brokers forget a producer that is idle, by a setting of theirs.  Whoever is
 * idle this long does not feel it that one record goes alone.
 */
#define GATE_IDLE_MS	1000

/* With so many in flight librdkafka sends no more of a partition. */
#define IN_FLIGHT_MAX	5

/* Between tries of a full queue, which mostly ends with a report. */
#define FULL_MS			10

static bool may_send(const struct topic_partition *partition);
static bool hand_over(struct producer *producer,
					  struct topic_partition *partition);
static size_t fill_batch(struct producer *producer, const struct line *line,
						 size_t most, size_t room);
static bool is_plain(const struct frame_record *body);
static size_t send_batch(struct producer *producer,
						 struct topic_partition *partition, size_t count);
static size_t send_single(struct producer *producer,
						  struct topic_partition *partition);
static rd_kafka_headers_t *make_headers(struct view bytes);
static void refused(struct producer *producer, rd_kafka_resp_err_t err,
					const char *topic);

void
handover_admit(struct producer *producer, struct topic_partition *partition)
{
	if (may_send(partition))
		accumulator_admit(&producer->accumulator, &partition->line);
}

void
handover_serve(struct producer *producer, int64_t due)
{
	struct line *line;

	producer->queue_full = false;
	while (producer_is_well(producer) && !producer->queue_full &&
		   (line = accumulator_due(&producer->accumulator, due)) != NULL)
		producer->queue_full =
			!hand_over(producer, (struct topic_partition *) line);
}

int
handover_timeout(const struct producer *producer)
{
	const struct line *line = producer->accumulator.first;
	int64_t		left;

	if (producer->queue_full)
		return FULL_MS;
	if (line == NULL)
		return -1;
	left = line->due - clock_ms();
	return left > 0 ? (int) left : 0;
}

static bool
may_send(const struct topic_partition *partition)
{
	return partition->outstanding < IN_FLIGHT_MAX &&
		partition->gate != GATE_OPENING;
}

/*
 * As much as makes one request, or the record that opens the gate.  False: the
 * queue is full, or the producer is lost.
 */
static bool
hand_over(struct producer *producer, struct topic_partition *partition)
{
	struct accumulator *accumulator = &producer->accumulator;
	struct line *line = &partition->line;
	size_t		left = accumulator->batch_count;
	size_t		room = accumulator->batch_bytes;
	bool		all;

	if (partition->outstanding == 0)
	{
		int64_t		now = clock_ms();

		if (partition->gate == GATE_OPEN &&
			now - partition->used > GATE_IDLE_MS)
			partition->gate = GATE_CLOSED;
		partition->used = now;
	}
	if (partition->gate == GATE_CLOSED)
		left = 1;

	do
	{
		size_t		filled = fill_batch(producer, line, left, room);
		size_t		sent = filled > 0 ?
			send_batch(producer, partition, filled) :
			send_single(producer, partition);

		all = sent > 0 && sent >= filled;
		left -= sent;
		while (sent-- > 0)
		{
			size_t		size = accumulator_size(&line->first->body);

			room -= size < room ? size : room;
			accumulator_drop(accumulator, line);
		}
	} while (all && left > 0 && line->first != NULL &&
			 accumulator_size(&line->first->body) <= room);

	if (partition->gate == GATE_CLOSED && partition->outstanding > 0)
		partition->gate = GATE_OPENING;
	if (!may_send(partition))
		accumulator_hold(accumulator, line);
	return all;
}

/* Of those in front that one call can take; returns how many. */
static size_t
fill_batch(struct producer *producer, const struct line *line, size_t most,
		   size_t room)
{
	size_t		filled = 0;

	for (const struct waiting *waiting = line->first;
		 waiting != NULL && filled < most && filled < PRODUCER_BATCH &&
		 is_plain(&waiting->body); waiting = waiting->next)
	{
		const struct frame_record *body = &waiting->body;
		size_t		size = accumulator_size(body);

		if (size > room && filled > 0)
			break;
		room -= size < room ? size : room;
		producer->batch[filled++] = (rd_kafka_message_t) {
			.payload = (body->flags & WIRE_RECORD_NULL_VALUE) != 0 ? NULL :
				(void *) body->value.data,
			.len = body->value.len,
			.key = (body->flags & WIRE_RECORD_NULL_KEY) != 0 ? NULL :
				(void *) body->key.data,
			.key_len = body->key.len,
			._private = waiting->entry,
		};
	}
	return filled;
}

static bool
is_plain(const struct frame_record *body)
{
	return (body->flags & (WIRE_RECORD_HEADERS |
						   WIRE_RECORD_TIMESTAMP)) == 0;
}

/*
 * Returns how many went.  With a full queue the rest simply did not; after any
 * other refusal records behind it may have gone, so the producer is lost.
 */
static size_t
send_batch(struct producer *producer, struct topic_partition *partition,
		   size_t count)
{
	const struct topic *topic = partition->topic;
	size_t		went = (size_t)
		rd_kafka_produce_batch(topic->handle, partition->number, 0,
							   producer->batch, (int) count);
	size_t		sent = 0;

	partition->outstanding += (uint32_t) went;
	if (went == count)
		return count;
	while (producer->batch[sent].err == RD_KAFKA_RESP_ERR_NO_ERROR)
		sent++;
	for (size_t i = sent; i < count; i++)
		if (producer->batch[i].err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			refused(producer, producer->batch[i].err, topic->name);
	return sent;
}

/* One with what the call for many has no place for. */
static size_t
send_single(struct producer *producer, struct topic_partition *partition)
{
	const struct waiting *waiting = partition->line.first;
	const struct frame_record *body = &waiting->body;
	const struct topic *topic = partition->topic;
	bool		no_value = (body->flags & WIRE_RECORD_NULL_VALUE) != 0;
	bool		no_key = (body->flags & WIRE_RECORD_NULL_KEY) != 0;
	bool		dated = (body->flags & WIRE_RECORD_TIMESTAMP) != 0;
	rd_kafka_headers_t *headers = make_headers(body->headers);
	rd_kafka_resp_err_t err;

	err = rd_kafka_producev(producer->kafka,
							RD_KAFKA_V_RKT(topic->handle),
							RD_KAFKA_V_PARTITION(partition->number),
							RD_KAFKA_V_MSGFLAGS(0),
							RD_KAFKA_V_VALUE(no_value ? NULL :
											 (void *) body->value.data,
											 body->value.len),
							RD_KAFKA_V_KEY(no_key ? NULL : body->key.data,
										   body->key.len),
							RD_KAFKA_V_TIMESTAMP(dated ? body->timestamp : 0),
							RD_KAFKA_V_HEADERS(headers),
							RD_KAFKA_V_OPAQUE(waiting->entry),
							RD_KAFKA_V_END);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		partition->outstanding++;
		return 1;
	}
	/* librdkafka takes the headers only with the record */
	rd_kafka_headers_destroy(headers);
	if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		refused(producer, err, topic->name);
	return 0;
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
refused(struct producer *producer, rd_kafka_resp_err_t err, const char *topic)
{
	if (producer->health != HEALTH_FINE)
		return;
	log_error("could not produce to topic \"%s\": %s", topic,
			  rd_kafka_err2str(err));
	metrics_kafka_error(rd_kafka_err2name(err));
	metrics.restarts[RESTART_REFUSED]++;
	producer->health = HEALTH_BROKEN;
}
