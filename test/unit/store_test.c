/*
 * store_test.c
 *		The state record's topic, with no broker at its address.  Prints TAP.
 */
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "ready.h"
#include "store.h"
#include "tap.h"

int
main(void)
{
	struct config_property servers = {
		.name = "bootstrap.servers",
		.value = "127.0.0.1:1",
	};
	struct config config = {
		.kafka = &servers,
		.kafka_count = 1,
		.slot = (char *) "s",
		.topic_prefix = (char *) "",
		.state = (char *) "",
		.max_in_flight = 1024 * 1024,
	};
	int64_t		begin = clock_ms();
	struct store *store;
	struct state state;
	bool		failed;

	/* that nobody answers is wanted, its words are not */
	if (getenv("V") == NULL && freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	log_open(false, LOG_LEVEL_ERROR);
	store = store_open(&config, NULL, &failed);
	ok(store != NULL && !failed, "it can be set up without Kafka");
	ok(clock_ms() - ready_idle_ms() < begin, "the loop did not turn yet");
	ok(store_read(store, &state, false) == STORE_LATER,
	   "the record is to be looked for later");
	ok(clock_ms() - ready_idle_ms() >= begin,
	   "who waits for Kafka does not stand still");
	store_close(store);
	return tap_done();
}
