/*
 * store.c
 *		Where the state record is kept.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define DEFAULT_TOPIC	"wal2kafka.state"

struct store *
store_open(const struct config *config, const volatile sig_atomic_t *stop,
		   bool *failed)
{
	struct store *store = NULL;

	*failed = false;
	if (config->sink == SINK_STDOUT || strcmp(config->state, "none") == 0)
		return NULL;
	store = config->sink == SINK_FILE ? store_file_open(config) :
		store_topic_open(config);
	*failed = store == NULL;
	if (store != NULL)
	{
		store->config = config;
		store->stop = stop;
	}
	return store;
}

const char *
store_where(const struct store *store)
{
	return store->where;
}

enum store_answer
store_read(struct store *store, struct state *state, bool make)
{
	return store->ops->read(store, state, make);
}

void
store_write(struct store *store, const char *text)
{
	store->ops->write(store, text);
}

enum store_progress
store_drain(struct store *store)
{
	return store->ops->drain(store);
}

const char *
store_error(const struct store *store, bool *person)
{
	*person = store->person;
	return store->error;
}

void
store_poll_fd(const struct store *store, struct pollfd *fd)
{
	store->ops->poll_fd(store, fd);
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	free(store->where);
	store->ops->close(store);
}

char *
store_topic_name(const struct config *config)
{
	if (config->sink != SINK_KAFKA || strcmp(config->state, "none") == 0)
		return NULL;
	if (*config->state != '\0')
		return mem_strdup(config->state);
	return mem_format("%s%s" DEFAULT_TOPIC, config->topic_prefix,
					  *config->topic_prefix != '\0' ? "." : "");
}
