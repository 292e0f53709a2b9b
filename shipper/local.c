/*
 * local.c
 *		The sinks that need no broker.
 *
 * Standard output is one file that is never synced, a folder has one file for
 * each topic.  Lines are collected in memory and written together; records
 * are acknowledged when everything collected is out and, in a folder, synced.
 */
#include "local.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "folder.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"

#define LOCAL_COLLECT	(1024 * 1024)	/* bytes: write before taking more */
#define LOCAL_SYNC_MS	20

/* One file being appended to. */
struct topic
{
	struct topic *next;			/* owned by the sink */
	char	   *name;			/* owned */
	int			fd;
	char	   *lines;			/* owned; written <= used <= size */
	size_t		written;
	size_t		used;
	size_t		size;
};

/* Deliveries of one entry that wait for their lines to be out. */
struct pending
{
	struct ledger_entry *entry;
	uint32_t	count;
};

struct local
{
	struct sink base;
	struct ledger *ledger;		/* borrowed */
	int			folder;			/* descriptor; -1: standard output */
	struct topic *topics;		/* owned */
	struct pending *pending;	/* owned */
	size_t		pending_used;
	size_t		pending_size;
	size_t		collected;		/* bytes of lines since the last sync */
	int64_t		sync_at;		/* ms; when something is pending */
};

static struct sink *local_open(const struct config *config,
							   struct ledger *ledger);
static struct topic *local_topic(struct sink *sink, const char *name);
static size_t local_send(struct sink *sink, const struct sink_record *records,
						 size_t count);
static enum sink_health local_drain(struct sink *sink);
static void local_poll_fd(const struct sink *sink, struct pollfd *fd);
static int	local_timeout(const struct sink *sink);
static void local_abandon(struct sink *sink);
static bool local_abandoned(struct sink *sink);
static void local_close(struct sink *sink);

static void add_line(struct topic *topic, struct view value);
static void add_pending(struct local *local, struct ledger_entry *entry);
static bool write_lines(struct local *local, struct topic *topic);
static bool keep_lines(const struct topic *topic);

const struct sink_ops local_ops = {
	.open = local_open,
	.topic = local_topic,
	.send = local_send,
	.drain = local_drain,
	.poll_fd = local_poll_fd,
	.timeout = local_timeout,
	.abandon = local_abandon,
	.abandoned = local_abandoned,
	.close = local_close,
};

static struct sink *
local_open(const struct config *config, struct ledger *ledger)
{
	struct local *local;
	int			folder = -1;

	if (config->sink == SINK_FILE)
	{
		folder = folder_open(config->sink_dir);
		if (folder < 0)
			return NULL;
	}
	local = mem_zalloc(sizeof(*local));
	local->base.ops = &local_ops;
	local->ledger = ledger;
	local->folder = folder;
	return &local->base;
}

/* All topics share the one line of standard output. */
static struct topic *
local_topic(struct sink *sink, const char *name)
{
	struct local *local = (struct local *) sink;
	struct topic *topic;

	if (local->folder < 0)
		name = "standard output";
	for (topic = local->topics; topic != NULL; topic = topic->next)
		if (strcmp(topic->name, name) == 0)
			return topic;

	topic = mem_zalloc(sizeof(*topic));
	topic->name = mem_strdup(name);
	topic->fd = local->folder < 0 ? STDOUT_FILENO :
		folder_topic(local->folder, name);
	topic->next = local->topics;
	local->topics = topic;
	return topic;
}

static size_t
local_send(struct sink *sink, const struct sink_record *records, size_t count)
{
	struct local *local = (struct local *) sink;
	size_t		taken;

	for (taken = 0; taken < count; taken++)
	{
		const struct sink_record *record = &records[taken];

		if (local->collected > LOCAL_COLLECT || record->topic->fd < 0)
			break;
		if (local->pending_used == 0)
			local->sync_at = clock_ms() +
				(local->folder < 0 ? 0 : LOCAL_SYNC_MS);
		if ((record->body.flags & WIRE_RECORD_NULL_VALUE) != 0)
			add_line(record->topic, (struct view) {"null", 4});
		else
			add_line(record->topic, record->body.value);
		local->collected += record->body.value.len + 1;
		add_pending(local, record->entry);
	}
	return taken;
}

/* What is pending is acknowledged when all of it is out, or nothing is. */
static enum sink_health
local_drain(struct sink *sink)
{
	struct local *local = (struct local *) sink;
	bool		all = true;

	if (local->folder >= 0 && local->collected <= LOCAL_COLLECT &&
		clock_ms() < local->sync_at)
		return HEALTH_FINE;
	for (struct topic *topic = local->topics; topic != NULL;
		 topic = topic->next)
	{
		if (topic->fd < 0)
			return HEALTH_HOPELESS;
		/* a disk may have room again, a reader that left does not return */
		if (!write_lines(local, topic))
		{
			if (local->folder < 0)
				return HEALTH_HOPELESS;
			metrics.restarts[RESTART_FILE]++;
			return HEALTH_BROKEN;
		}
		all &= topic->written == topic->used;
	}
	if (!all || local->pending_used == 0)
		return HEALTH_FINE;

	for (struct topic *topic = local->topics; topic != NULL;
		 topic = topic->next)
		topic->written = topic->used = 0;
	for (size_t i = 0; i < local->pending_used; i++)
	{
		metrics.acknowledged += local->pending[i].count;
		ledger_ack(local->ledger, local->pending[i].entry,
				   local->pending[i].count);
	}
	local->pending_used = 0;
	local->collected = 0;
	return HEALTH_FINE;
}

static void
local_poll_fd(const struct sink *sink, struct pollfd *fd)
{
	const struct local *local = (const struct local *) sink;

	*fd = (struct pollfd) {-1, POLLOUT, 0};
	if (local->folder < 0 && local->pending_used > 0)
		fd->fd = STDOUT_FILENO;
}

static int
local_timeout(const struct sink *sink)
{
	const struct local *local = (const struct local *) sink;
	int64_t		left = local->sync_at - clock_ms();

	if (local->pending_used == 0 || local->folder < 0)
		return -1;
	return left > 0 ? (int) left : 0;
}

static void
local_abandon(struct sink *sink)
{
	struct local *local = (struct local *) sink;

	for (size_t i = 0; i < local->pending_used; i++)
		metrics.failed += local->pending[i].count;
	local->pending_used = 0;
}

static bool
local_abandoned(struct sink *sink)
{
	(void) sink;
	return true;
}

static void
local_close(struct sink *sink)
{
	struct local *local = (struct local *) sink;
	struct topic *topic;

	while ((topic = local->topics) != NULL)
	{
		local->topics = topic->next;
		if (local->folder >= 0 && topic->fd >= 0)
			close(topic->fd);
		free(topic->lines);
		free(topic->name);
		free(topic);
	}
	if (local->folder >= 0)
		close(local->folder);
	free(local->pending);
	free(local);
}

static void
add_line(struct topic *topic, struct view value)
{
	if (topic->size - topic->used < value.len + 1)
	{
		topic->size = 2 * topic->size + value.len + 4096;
		topic->lines = mem_realloc(topic->lines, topic->size);
	}
	memcpy(topic->lines + topic->used, value.data, value.len);
	topic->used += value.len;
	topic->lines[topic->used++] = '\n';
}

static void
add_pending(struct local *local, struct ledger_entry *entry)
{
	if (local->pending_used > 0 &&
		local->pending[local->pending_used - 1].entry == entry)
	{
		local->pending[local->pending_used - 1].count++;
		return;
	}
	if (local->pending_used == local->pending_size)
	{
		local->pending_size = 2 * local->pending_size + 64;
		local->pending = mem_realloc(local->pending, local->pending_size *
									 sizeof(*local->pending));
	}
	local->pending[local->pending_used++] = (struct pending) {entry, 1};
}

/*
 * A pipe that says it is writable takes PIPE_BUF bytes without blocking, so
 * standard output needs no flag that its other users would share.
 */
static bool
write_lines(struct local *local, struct topic *topic)
{
	bool		dirty = topic->written < topic->used;

	while (topic->written < topic->used)
	{
		size_t		len = topic->used - topic->written;
		struct pollfd fd = {topic->fd, POLLOUT, 0};
		ssize_t		done;

		if (local->folder < 0)
		{
			len = len < PIPE_BUF ? len : PIPE_BUF;
			if (poll(&fd, 1, 0) == 0)
				return true;
		}
		done = write(topic->fd, topic->lines + topic->written, len);
		if (done < 0 && errno != EINTR)
		{
			log_error("could not write to \"%s\": %s", topic->name,
					  strerror(errno));
			return false;
		}
		topic->written += done > 0 ? (size_t) done : 0;
	}
	return !dirty || local->folder < 0 || keep_lines(topic);
}

/* On disk, and under a name; one that was moved has another. */
static bool
keep_lines(const struct topic *topic)
{
	struct stat stat;

	if (fdatasync(topic->fd) != 0 || fstat(topic->fd, &stat) != 0)
	{
		log_error("could not sync the file of topic \"%s\": %s", topic->name,
				  strerror(errno));
		return false;
	}
	if (stat.st_nlink > 0)
		return true;
	log_error("the file of topic \"%s\" was removed: what was not confirmed "
			  "is written to a new one", topic->name);
	return false;
}
