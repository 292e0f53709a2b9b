/*
 * sink.h
 *		Where records go: Kafka (producer.c), standard output, a folder.
 *
 * A sink takes records in order, stops taking them when it must, and
 * acknowledges each delivery in the ledger.  The bytes of a record belong to
 * its ledger entry and stay there until it is acknowledged.
 */
#ifndef SINK_H
#define SINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "frame.h"
#include "ledger.h"

struct keeper;
struct sink;
struct topic;					/* each sink has its own */

/* How a sink is; ordered: what is worse wins. */
enum sink_health
{
	HEALTH_FINE,
	HEALTH_BROKEN,				/* close it, open a new one, send again */
	HEALTH_HOPELESS,			/* needs a person; logged */
};

/* How far a sink is that must get ready before the stream may begin. */
enum sink_stage
{
	SINK_UNPREPARED,
	SINK_PREPARING,
	SINK_READY,
};

/* One record on its way, and the names its messages need. */
struct sink_record
{
	struct topic *topic;
	struct ledger_entry *entry;
	const char *table;			/* "schema.name", for messages */
	struct position position;
	struct frame_record body;
};

struct sink_ops
{
	/* NULL: could not, logged. */
	struct sink *(*open) (const struct config *config, struct ledger *ledger);

	/*
	 * NULL: always ready.  How far it is; prepare() begins, once the slot is
	 * free, and ends with the ledger, empty till then, at the position in the
	 * sink, of which the keeper is told.
	 */
	enum sink_stage (*stage) (const struct sink *sink);
	void		(*prepare) (struct sink *sink, struct keeper *keeper);

	/* The topic of that name, known from now until the sink is closed. */
	struct topic *(*topic) (struct sink *sink, const char *name);

	/* Takes some records from the front, returns how many. */
	size_t		(*send) (struct sink *sink, const struct sink_record *records,
						 size_t count);

	/* Acknowledges what has been delivered, without waiting. */
	enum sink_health (*drain) (struct sink *sink);

	/*
	 * NULL: no need.  No more records come for now: lets go of what may, at
	 * once if none will come.
	 */
	void		(*forward) (struct sink *sink, bool at_once);

	/* Fills in what to poll for. */
	void		(*poll_fd) (const struct sink *sink, struct pollfd *fd);

	/* ms until send() or drain() should be called again; -1: when polled */
	int			(*timeout) (const struct sink *sink);

	/* Starts to let go of every record, delivered or not. */
	void		(*abandon) (struct sink *sink);

	/* Whether it has let go, so that the ledger may free the bytes. */
	bool		(*abandoned) (struct sink *sink);

	/* Frees it; only when nothing is outstanding or it has let go. */
	void		(*close) (struct sink *sink);
};

/* Each begins with this. */
struct sink
{
	const struct sink_ops *ops;
};

static inline enum sink_stage
sink_stage(const struct sink *sink)
{
	return sink->ops->stage == NULL ? SINK_READY : sink->ops->stage(sink);
}

/* The sink that the config names. */
extern struct sink *sink_open(const struct config *config,
							  struct ledger *ledger);

/* The largest record that it takes, 0 for any. */
extern size_t sink_max_record(const struct config *config);

#endif							/* SINK_H */
