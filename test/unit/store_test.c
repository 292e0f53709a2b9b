/*
 * store_test.c
 *		The state record's topic, with no broker at its address; its file.
 *		Prints TAP.
 */
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "ready.h"
#include "store.h"
#include "tap.h"

static void
write_state(struct store *store, uint32_t timeline, lsn_t confirmed)
{
	const struct state state = {
		.system = "7", .slot = "s", .timeline = timeline,
		.confirmed = confirmed,
	};
	char	   *text = state_encode(&state, NULL);

	store_write(store, text);
	ok(store_drain(store) == STORE_WRITTEN, "a record is written");
	free(text);
}

static lsn_t
confirmed(struct store *store)
{
	struct state state;

	return store_read(store, &state, true) == STORE_FOUND ? state.confirmed :
		LSN_INVALID;
}

/* Two shippers in one folder, of which one was frozen for a while. */
static void
test_file(void)
{
	char		dir[] = "/tmp/store_test.XXXXXX";
	struct config config = {
		.sink = SINK_FILE,
		.sink_dir = mkdtemp(dir),
		.slot = (char *) "s",
		.state = (char *) "",
	};
	bool		failed;
	struct store *store = store_open(&config, NULL, &failed);

	write_state(store, 1, 100);
	write_state(store, 1, 200);
	write_state(store, 1, 150);
	ok(confirmed(store) == 200, "the one that promised more stays");
	write_state(store, 2, 150);
	ok(confirmed(store) == 150, "unless the other is of a newer timeline");
	store_write(store, NULL);
	ok(store_drain(store) == STORE_WRITTEN &&
	   confirmed(store) == LSN_INVALID, "it can be forgotten");
	store_close(store);
	rmdir(dir);
}

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
	test_file();
	return tap_done();
}
