/*
 * transaction_test.c
 *		How long an open transaction of Kafka lets the loop sleep, against
 *		librdkafka's own mock cluster.  Prints TAP.
 */
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "clock.h"
#include "keeper.h"
#include "snapshot_plan.h"
#include "log.h"
#include "producer.h"
#include "producer_state.h"
#include "tap.h"

#define WAIT_MS		20000
#define QUIET_MS	1000		/* as in transaction.c */

static volatile sig_atomic_t stop = 0;

static rd_kafka_t *
new_client(const struct config *config, const char *name, const char *value)
{
	char		err[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf = config == NULL ? rd_kafka_conf_new() :
		producer_conf(config, err, sizeof(err));

	rd_kafka_conf_set(conf, name, value, NULL, 0);
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err));
}

static void
test_sleep(struct producer *producer, struct keeper *keeper)
{
	struct transaction *transaction = producer->transaction;
	struct position last = {1, 0};
	struct ledger_entry *entry;
	int64_t		deadline = clock_ms() + WAIT_MS;
	int64_t		opened;

	transaction_prepare(transaction, keeper);
	while (transaction_stage(transaction) != SINK_READY &&
		   transaction_step(transaction) == HEALTH_FINE &&
		   clock_ms() < deadline)
		usleep(1000);
	opened = clock_ms();
	ok(transaction_takes(transaction), "it is open");
	ok(transaction_timeout(transaction) == -1, "nothing is to be done");

	entry = ledger_add(producer->ledger, NULL, 1, 1, 2, last);
	while (clock_ms() <= opened + QUIET_MS)
		usleep(1000);
	ok(transaction_timeout(transaction) == -1,
	   "one that waits for its topic does not keep the loop awake");
	ledger_ack(producer->ledger, entry, 1);
	ok(transaction_timeout(transaction) == 0,
	   "one of which nothing was sent is committed after a while");

	producer->outstanding = 1;
	transaction_sent(transaction, last);
	opened = clock_ms();
	while (clock_ms() <= opened + QUIET_MS)
		usleep(1000);
	ok(transaction_timeout(transaction) == 0,
	   "and one with records, however many of them wait");
}

static struct snapshot_plan no_snapshot;

int
main(void)
{
	rd_kafka_t *broker = new_client(NULL, "test.mock.num.brokers", "1");
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(broker);
	struct config_property servers = {
		.name = "bootstrap.servers",
		.value = (char *) rd_kafka_mock_cluster_bootstraps(cluster),
	};
	struct config config = {
		.kafka = &servers,
		.kafka_count = 1,
		.slot = (char *) "s",
		.topic_prefix = (char *) "",
		.state = (char *) "",
		.http = (char *) "none",
		.max_in_flight = 1024 * 1024,
	};
	struct ledger ledger;
	struct producer *producer = calloc(1, sizeof(*producer));
	struct keeper *keeper;

	/* what librdkafka says of its threads is of no use here */
	if (getenv("V") == NULL && freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	log_open(false, LOG_LEVEL_ERROR);
	rd_kafka_mock_topic_create(cluster, "wal2kafka.state", 1, 1);
	ledger_init(&ledger, free);
	ledger.hold = true;
	producer->config = &config;
	producer->ledger = &ledger;
	producer->kafka = new_client(&config, "transactional.id", "s");
	if (pipe(producer->wake) != 0)
		return 1;
	producer->transaction = transaction_open(producer);
	keeper = keeper_open(&config, &stop, &no_snapshot);

	test_sleep(producer, keeper);

	transaction_close(producer->transaction);
	keeper_close(keeper);
	rd_kafka_destroy(producer->kafka);
	rd_kafka_destroy(broker);
	close(producer->wake[0]);
	close(producer->wake[1]);
	free(producer);
	ledger_reset(&ledger);
	return tap_done();
}
