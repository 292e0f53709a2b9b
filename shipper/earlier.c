/*
 * earlier.c
 *		The state record of an earlier slot.
 */
#include "earlier.h"

#include <poll.h>

#include "clock.h"
#include "log.h"
#include "store.h"

#define WRITE_MS	10000

static enum store_answer forget(const struct config *cfg);
static enum store_answer remove_record(struct store *store);

enum exit_status
earlier_drop(const struct config *cfg)
{
	switch (forget(cfg))
	{
		case STORE_FOUND:
			log_info("the next start takes slot \"%s\" as it stands",
					 cfg->slot);
			return EXIT_ASKED;
		case STORE_NONE:
		case STORE_FORGOTTEN:
			log_info("there is no state record of slot \"%s\"", cfg->slot);
			return EXIT_ASKED;
		case STORE_LATER:
			return EXIT_RESTART;
		case STORE_PERSON:
			break;
	}
	return EXIT_PERSON;
}

void
earlier_forget(const struct config *cfg)
{
	enum store_answer answer = forget(cfg);

	if (answer != STORE_LATER && answer != STORE_PERSON)
		return;
	log_warning("a state record of an earlier slot \"%s\" may be left",
				cfg->slot);
	log_hint("If \"wal2kafka run\" refuses to start because of it: "
			 "\"wal2kafka drop --state\".");
}

enum exit_status
earlier_vanished(const struct config *cfg)
{
	bool		failed;
	struct store *store = store_open(cfg, NULL, &failed);
	enum store_answer answer = failed ? STORE_PERSON : STORE_NONE;
	struct state state;

	if (store != NULL)
		answer = store_read(store, &state, false);
	if (answer == STORE_FOUND)
	{
		log_error("replication slot \"%s\" has vanished: everything up to "
				  LSN_FORMAT " was delivered, says the state record in %s",
				  cfg->slot, LSN_ARGS(state.confirmed), store_where(store));
		log_hint("What was committed since will not be in Kafka: make a new "
				 "slot (\"wal2kafka init\"), then bring the tables over "
				 "again.");
		state_free(&state);
	}
	store_close(store);
	switch (answer)
	{
		case STORE_NONE:
		case STORE_FORGOTTEN:
			return EXIT_ASKED;
		case STORE_LATER:
			return EXIT_RESTART;
		case STORE_FOUND:
		case STORE_PERSON:
			break;
	}
	return EXIT_PERSON;
}

/* STORE_FOUND: there was one, and it is gone. */
static enum store_answer
forget(const struct config *cfg)
{
	bool		failed;
	struct store *store = store_open(cfg, NULL, &failed);
	enum store_answer answer;
	struct state state;

	if (store == NULL)
		return failed ? STORE_PERSON : STORE_NONE;
	answer = store_read(store, &state, false);
	/* what cannot be read can be removed */
	if (answer == STORE_FOUND)
		state_free(&state);
	if (answer == STORE_FOUND || answer == STORE_PERSON)
		answer = remove_record(store);
	if (answer == STORE_FOUND)
		log_info("removed the state record of slot \"%s\" from %s", cfg->slot,
				 store_where(store));
	store_close(store);
	return answer;
}

static enum store_answer
remove_record(struct store *store)
{
	int64_t		deadline = clock_ms() + WRITE_MS;
	enum store_progress progress;
	const char *why = "Kafka does not answer";
	bool		person = false;

	store_write(store, NULL);
	while ((progress = store_drain(store)) == STORE_WRITING &&
		   clock_ms() < deadline)
	{
		struct pollfd fd;

		store_poll_fd(store, &fd);
		poll(&fd, 1, 100);
	}
	if (progress == STORE_WRITTEN)
		return STORE_FOUND;
	if (progress == STORE_FAILED)
		why = store_error(store, &person);
	log_error("could not remove the state record from %s: %s",
			  store_where(store), why);
	return person ? STORE_PERSON : STORE_LATER;
}
