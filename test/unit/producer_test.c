/*
 * producer_test.c
 *		The producer against librdkafka's own mock cluster: gates, copies,
 *		failures, letting go.
 */
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "clock.h"
#include "log.h"
#include "producer.h"
#include "producer_state.h"
#include "tap.h"

#define WAIT_MS		20000
#define PRODUCE_API 0			/* Kafka's number of the request */

#define PROPERTIES	4			/* of every producer */

static struct config_property properties[PROPERTIES + 2] = {
	{.name = "bootstrap.servers", .value = "127.0.0.1:1"},
	{.name = "test.mock.num.brokers", .value = "1"},
	{.name = "linger.ms", .value = "0"},
	{.name = "message.max.bytes", .value = "100000"},
};

static struct config config = {
	.kafka = properties,
	.kafka_count = PROPERTIES,
	.topics = TOPICS_REQUIRE,
	.topic_partitions = 1,
	.max_in_flight = 1024 * 1024,
	.http = (char *) "none",
	.topic_prefix = (char *) "",
	.state = (char *) "reserved",
};

/* For producers opened from now on, until forget_properties(); the last wins. */
static void
add_property(const char *name, const char *value)
{
	properties[config.kafka_count++] = (struct config_property) {
		.name = (char *) name,
		.value = (char *) value,
	};
}

static void
forget_properties(void)
{
	config.kafka_count = PROPERTIES;
}

/* One producer, its cluster and its ledger. */
struct rig
{
	struct ledger ledger;
	struct producer *producer;
	rd_kafka_mock_cluster_t *cluster;
	struct topic *topic;
	lsn_t		lsn;			/* of the next record */
};

static void
rig_open(struct rig *rig, int partitions)
{
	static int	number;			/* a topic's pin outlives a producer */
	struct sink *sink;
	char		name[16];

	snprintf(name, sizeof(name), "t%d", ++number);
	memset(rig, 0, sizeof(*rig));
	rig->lsn = 1;
	ledger_init(&rig->ledger, free);
	sink = producer_ops.open(&config, &rig->ledger);
	rig->producer = (struct producer *) sink;
	rig->cluster = rd_kafka_handle_mock_cluster(rig->producer->kafka);
	rd_kafka_mock_topic_create(rig->cluster, name, partitions, 1);
	rig->topic = producer_ops.topic(sink, name);
}

static bool
rig_close(struct rig *rig)
{
	struct sink *sink = &rig->producer->base;
	int64_t		deadline = clock_ms() + WAIT_MS;
	bool		abandoned;

	producer_ops.abandon(sink);
	while (!producer_ops.abandoned(sink) && clock_ms() < deadline)
		usleep(1000);
	abandoned = producer_ops.abandoned(sink);
	producer_ops.close(sink);
	ledger_reset(&rig->ledger);
	return abandoned;
}

/* A frame of one record; the value lies in the frame's memory. */
static struct sink_record
record(struct rig *rig, uint32_t hash, uint8_t flags, size_t size)
{
	char	   *buffer = malloc(size + 16);
	struct position position = {rig->lsn, 0};
	struct sink_record made = {
		.topic = rig->topic,
		.table = "public.t",
		.position = position,
	};

	memset(buffer, 'v', size + 16);
	made.entry = ledger_add(&rig->ledger, buffer, size + 16, 1, rig->lsn,
							position);
	made.body.hash = hash;
	made.body.flags = flags;
	made.body.key = (struct view) {buffer + size, 4};
	made.body.value = (struct view) {buffer, size};
	rig->lsn++;
	return made;
}

static enum sink_health
drain(struct rig *rig)
{
	return producer_ops.drain(&rig->producer->base);
}

/* Sends until all went or the producer is no longer fine. */
static enum sink_health
send_all(struct rig *rig, const struct sink_record *records, size_t count)
{
	int64_t		deadline = clock_ms() + WAIT_MS;
	size_t		sent = 0;
	enum sink_health health = HEALTH_FINE;

	while ((sent < count || rig->producer->outstanding > 0) &&
		   health == HEALTH_FINE && clock_ms() < deadline)
	{
		sent += producer_ops.send(&rig->producer->base, records + sent,
								  count - sent);
		producer_ops.forward(&rig->producer->base, false);
		usleep(1000);
		health = drain(rig);
	}
	return health;
}

/* Until the topic's count is known; nothing is sent before. */
static void
know_topic(struct rig *rig)
{
	int64_t		deadline = clock_ms() + WAIT_MS;

	topics_ask(rig->producer->topics, rig->topic);
	while (rig->topic->state != TOPIC_READY && clock_ms() < deadline)
	{
		usleep(1000);
		drain(rig);
	}
}

static uint32_t
in_flight(const struct rig *rig)
{
	uint32_t	count = 0;

	for (int32_t i = 0; i < rig->topic->count; i++)
		count += rig->topic->partitions[i].outstanding;
	return count;
}

static void
test_gate(void)
{
	struct rig	rig;
	struct sink_record records[6];
	static const uint32_t hashes[] = {0, 1, 3, 2, 4, 0};
	struct sink *sink;

	rig_open(&rig, 3);
	sink = &rig.producer->base;
	for (int i = 0; i < 6; i++)
		records[i] = record(&rig, hashes[i], 0, 10);
	ok(producer_ops.send(sink, records, 6) == 0,
	   "nothing goes before the topic is known");
	know_topic(&rig);
	ok(rig.topic->count == 3, "the count of partitions is pinned");
	ok(producer_ops.send(sink, records, 6) == 6,
	   "then each waits for its partition");
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 3 && rig.producer->accumulator.count == 3,
	   "the first of each partition goes, and alone");
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 3, "as long as it is on its way");
	ok(send_all(&rig, NULL, 0) == HEALTH_FINE &&
	   rig.ledger.confirmable == 6, "then all are delivered");
	ok(rig.topic->partitions[0].gate == GATE_OPEN &&
	   rig.topic->partitions[0].outstanding == 0 &&
	   rig.producer->outstanding == 0, "the gates are open");
	for (int i = 0; i < 6; i++)
		records[i] = record(&rig, hashes[i], 0, 10);
	producer_ops.send(sink, records, 6);
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 6, "and nothing waits now");
	ok(send_all(&rig, NULL, 0) == HEALTH_FINE && rig.ledger.confirmable == 12,
	   "which is delivered too");

	rig.topic->partitions[0].used -= 3600 * 1000;
	for (int i = 0; i < 2; i++)
		records[i] = record(&rig, 0, 0, 10);
	producer_ops.send(sink, records, 2);
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 1,
	   "a partition that was idle for long has a gate again");
	send_all(&rig, NULL, 0);
	rig_close(&rig);
}

static void
test_copies(void)
{
	struct rig	rig;
	struct sink_record records[3];

	rig_open(&rig, 3);
	know_topic(&rig);
	records[0] = record(&rig, 0, 0, 10);
	records[1] = record(&rig, 0, WIRE_RECORD_EVERY_PARTITION, 10);
	records[2] = record(&rig, 0, WIRE_RECORD_TIMESTAMP |
						WIRE_RECORD_NULL_VALUE, 0);
	records[2].body.timestamp = 1700000000000;
	ok(producer_ops.send(&rig.producer->base, records, 3) == 3 &&
	   rig.ledger.outstanding == 5 && in_flight(&rig) == 0,
	   "copies are counted before the first of them goes");
	ok(send_all(&rig, NULL, 0) == HEALTH_FINE &&
	   rig.ledger.confirmable == 3 && rig.ledger.outstanding == 0,
	   "one for each partition is delivered");
	rig_close(&rig);
}

static void
test_large(void)
{
	struct rig	rig;
	struct sink_record records[2];

	rig_open(&rig, 1);
	know_topic(&rig);
	records[0] = record(&rig, 0, 0, 90000);
	records[1] = record(&rig, 0, 0, 99500);
	ok(send_all(&rig, records, 2) == HEALTH_HOPELESS,
	   "a record that is too large stops the producer");
	ok(rig.ledger.confirmable <= 1 && rig.producer->outstanding <= 1,
	   "and is not sent");
	rig_close(&rig);
}

/* How many records the broker has. */
static int64_t
stored(const struct rig *rig)
{
	int64_t		low;
	int64_t		high;
	int64_t		count = 0;

	for (int32_t i = 0; i < rig->topic->count; i++)
		if (rd_kafka_query_watermark_offsets(rig->producer->kafka,
											 rig->topic->name, i, &low, &high,
											 WAIT_MS) == 0)
			count += high;
	return count;
}

/* What waits while a request is under way goes with the next, all of it. */
static void
test_in_flight(void)
{
	struct rig	rig;
	struct sink_record records[2000];
	struct sink *sink;

	rig_open(&rig, 1);
	sink = &rig.producer->base;
	know_topic(&rig);
	records[0] = record(&rig, 0, 0, 10);
	send_all(&rig, records, 1);
	for (int i = 0; i < 2000; i++)
		records[i] = record(&rig, 0, 0, 10);
	rd_kafka_mock_broker_set_rtt(rig.cluster, 1, 100);
	producer_ops.send(sink, records, 4);
	producer_ops.forward(sink, false);
	producer_ops.send(sink, records + 4, 300);
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 304, "few in flight hold nothing back");
	producer_ops.send(sink, records + 304, 1696);
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 304 && rig.producer->outstanding == 2000,
	   "many hold back the others");
	ok(send_all(&rig, NULL, 0) == HEALTH_FINE &&
	   rig.ledger.confirmable == 2001 && rig.producer->accumulator.count == 0,
	   "which go when those have arrived");
	ok(stored(&rig) == 2001, "each once");
	rig_close(&rig);
}

/* A full batch does not linger, but heeds the gate and the clock. */
static void
test_full_batch(void)
{
	struct rig	rig;
	struct sink_record records[23];
	struct sink *sink;

	add_property("linger.ms", "900000");
	add_property("batch.num.messages", "4");
	rig_open(&rig, 1);
	sink = &rig.producer->base;
	know_topic(&rig);
	for (int i = 0; i < 23; i++)
		records[i] = record(&rig, 0, 0, 10);
	producer_ops.send(sink, records, 3);
	producer_ops.forward(sink, false);
	ok(in_flight(&rig) == 0, "what fills no batch lingers");
	producer_ops.forward(sink, true);
	ok(in_flight(&rig) == 1, "but not when no more will come");
	rig.topic->partitions[0].gate = GATE_OPEN;
	rig.topic->partitions[0].outstanding = 0;
	rig.topic->partitions[0].used -= 3600 * 1000;
	producer_ops.send(sink, records + 3, 20);
	ok(in_flight(&rig) == 1 &&
	   rig.topic->partitions[0].gate == GATE_OPENING,
	   "nor does a full batch, but its first record goes alone after a pause");
	ok(clock_ms() - rig.topic->partitions[0].used < WAIT_MS,
	   "which is over now");
	rig_close(&rig);
	forget_properties();
}

/* librdkafka takes part of what waits, as often as it has room. */
static void
test_full_queue(void)
{
	struct rig	rig;
	struct sink_record records[100];

	add_property("queue.buffering.max.messages", "7");
	rig_open(&rig, 2);
	know_topic(&rig);
	for (int i = 0; i < 100; i++)
		records[i] = record(&rig, i % 3 == 0,
							i % 10 == 0 ? WIRE_RECORD_TIMESTAMP : 0, 10);
	for (int i = 0; i < 100; i += 10)
		records[i].body.timestamp = 1700000000000;
	send_all(&rig, records, 2);
	producer_ops.send(&rig.producer->base, records + 2, 98);
	producer_ops.forward(&rig.producer->base, false);
	ok(in_flight(&rig) == 7 && rig.producer->queue_full,
	   "a full queue takes what it can");
	ok(send_all(&rig, NULL, 0) == HEALTH_FINE &&
	   rig.ledger.confirmable == 100, "and the rest when it has room");
	ok(stored(&rig) == 100, "each once");
	rig_close(&rig);
	forget_properties();
}

/* A table whose owner routed it to where the state record is. */
static void
test_reserved(void)
{
	struct rig	rig;
	struct sink_record records[2];

	rig_open(&rig, 1);
	know_topic(&rig);
	rd_kafka_mock_topic_create(rig.cluster, "reserved", 1, 1);
	for (int i = 0; i < 2; i++)
		records[i] = record(&rig, 0, 0, 10);
	records[1].topic = producer_ops.topic(&rig.producer->base, "reserved");
	ok(send_all(&rig, records, 2) == HEALTH_HOPELESS &&
	   rig.ledger.confirmable == 1,
	   "a record for the state record's topic stops the producer, behind what "
	   "lies before it");
	ok(records[1].topic->state == TOPIC_UNKNOWN, "which asks for nothing there");
	rig_close(&rig);
}

static void
fails_with(rd_kafka_resp_err_t err, enum sink_health expected,
		   const char *name)
{
	struct rig	rig;
	struct sink_record records[3];

	rig_open(&rig, 1);
	know_topic(&rig);
	for (int i = 0; i < 3; i++)
		records[i] = record(&rig, 0, 0, 10);
	send_all(&rig, records, 1);
	rd_kafka_mock_push_request_errors(rig.cluster, PRODUCE_API, 3, err, err,
									  err);
	ok(send_all(&rig, records + 1, 2) == expected, name);
	ok(rig.ledger.confirmable <= 1, "what failed is not confirmed");
	ok(rig_close(&rig), "the producer lets go");
}

/* A retry inside librdkafka is no failure. */
static void
test_retry(void)
{
	static const rd_kafka_resp_err_t errors[] = {
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
	};
	struct rig	rig;
	struct sink_record one;

	rig_open(&rig, 1);
	know_topic(&rig);
	one = record(&rig, 0, 0, 10);
	rd_kafka_mock_push_request_errors_array(rig.cluster, PRODUCE_API, 2,
											errors);
	ok(send_all(&rig, &one, 1) == HEALTH_FINE && rig.ledger.confirmable == 1,
	   "what a retry mends is delivered");
	rig_close(&rig);
}

/* The broker is far away: requests hold pointers into frames. */
static void
test_abandon(void)
{
	struct rig	rig;
	struct sink_record records[2];

	rig_open(&rig, 1);
	know_topic(&rig);
	records[0] = record(&rig, 0, 0, 10);
	send_all(&rig, records, 1);
	rd_kafka_mock_broker_set_rtt(rig.cluster, 1, 3000);
	records[0] = record(&rig, 0, 0, 80000);
	records[1] = record(&rig, 0, 0, 80000);
	producer_ops.send(&rig.producer->base, records, 2);
	producer_ops.forward(&rig.producer->base, false);
	ok(in_flight(&rig) == 2, "two are on their way");
	usleep(50000);
	ok(rig_close(&rig) && rig.ledger.confirmable == 1,
	   "and are let go of, unconfirmed");
}

/* The queue must hold a record, or it would wait for ever. */
static void
test_queue(void)
{
	char		err[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf;

	add_property("queue.buffering.max.kbytes", "50");
	ok(producer_conf(&config, err, sizeof(err)) == NULL &&
	   strstr(err, "queue.buffering.max.kbytes must be more than 97") != NULL,
	   "a queue smaller than a record is refused");
	forget_properties();
	add_property("queue.buffering.max.kbytes", "98");
	conf = producer_conf(&config, err, sizeof(err));
	ok(conf != NULL, "a larger one is not");
	rd_kafka_conf_destroy(conf);
	forget_properties();
}

int
main(void)
{
	/* the failures are wanted, their words are not */
	if (getenv("V") == NULL && freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	log_open(false, LOG_LEVEL_ERROR);
	test_gate();
	test_copies();
	test_large();
	test_in_flight();
	test_full_batch();
	test_full_queue();
	test_reserved();
	test_retry();
	fails_with(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, HEALTH_HOPELESS,
			   "a record that no retry mends needs a person");
	fails_with(RD_KAFKA_RESP_ERR_INVALID_RECORD, HEALTH_BROKEN,
			   "an invalid one is looked into first");
	fails_with(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, HEALTH_BROKEN,
			   "access that there was is tried again");
	fails_with(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, HEALTH_BROKEN,
			   "a producer whose sequence the broker refuses is made anew");
	test_abandon();
	test_queue();
	return tap_done();
}
