/*
 * metrics.h
 *		What an operator can ask: one struct of counters and gauges.
 *
 * Plain fields that whoever knows better increments or sets, in the loop's
 * thread only.  Nothing in the product decides by them.  How each is called
 * outside stands in exposition.c: a field that has no row there is not told.
 *
 * Counters only grow, from the start of the process.  Times are Unix time in
 * microseconds, 0: never.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lsn.h"
#include "reaction.h"
#include "snapshot_table.h"

#define METRICS_TABLES_MAX	1000	/* all others share one more */
#define METRICS_KINDS_MAX	32	/* of Kafka errors; likewise */
#define METRICS_BUCKETS		17

/* Why all that was not acknowledged is sent again, by a new producer. */
enum metrics_restart
{
	RESTART_DELIVERY,			/* a delivery failed */
	RESTART_REFUSED,			/* librdkafka refused a record */
	RESTART_FATAL,				/* librdkafka gave up */
	RESTART_LIMIT,				/* smaller batches are needed */
	RESTART_TOPIC,				/* a topic vanished */
	RESTART_TRANSACTION,		/* a Kafka transaction failed or is in doubt */
	RESTART_FILE,				/* could not write to a file */
	RESTART_FRAME,				/* the plugin sent what is no frame */
	RESTART_OPEN,				/* the sink could not be opened */
	RESTART_COUNT,
};

/*
 * How many took how long.  A frame counts once, when it and all before it are
 * acknowledged: it costs a record nothing.
 */
struct metrics_histogram
{
	uint64_t	buckets[METRICS_BUCKETS + 1];	/* each alone; last: longer */
	uint64_t	sum;			/* us */
};

struct metrics_table
{
	char	   *schema;			/* owned, as long as the process runs; UTF-8 */
	char	   *name;			/* owned */
	uint64_t	records;		/* taken for sending, repeats left out */
};

struct metrics_kind
{
	char	   *name;			/* owned, as long as the process lives */
	uint64_t	count;
};

struct metrics
{
	int64_t		started_at;		/* the process */

	/* --- from the server --- */
	uint64_t	frames;
	uint64_t	frame_bytes;
	uint64_t	received;		/* records in them */
	uint64_t	repeated;		/* of those, not sent: acknowledged before */
	uint64_t	truncates;		/* skipped */
	uint64_t	stubs;
	uint64_t	dropped;		/* records */
	uint64_t	no_identity;	/* updates and deletes that name no row */
	uint64_t	no_messages;	/* ignored: they cannot be read */
	lsn_t		server_end;		/* end of the log, as far as known */
	bool		streaming;
	int64_t		caught_up_at;	/* when the log last held nothing more for us,
								 * as far as the slot told; 0: never */

	/* --- into the sink; a record for all partitions is many deliveries --- */
	uint64_t	produced;		/* deliveries begun, again after a restart */
	uint64_t	acknowledged;	/* deliveries done */
	uint64_t	failed;			/* deliveries reported as failed */
	uint64_t	outstanding;	/* records received, not acknowledged */
	uint64_t	outstanding_bytes;	/* of the frames they are in */
	int64_t		oldest;			/* of what is outstanding, when it was
								 * committed here, or else received */
	lsn_t		confirmed;		/* last told to the server as flushed */
	int64_t		acknowledged_at;	/* when the last one was */
	int64_t		commit_time;	/* of the last acknowledged transaction that
								 * was made here: origins have other clocks */
	struct metrics_histogram receive_latency;	/* received to acknowledged */
	struct metrics_histogram commit_latency;	/* committed to acknowledged */

	/* --- what went wrong --- */
	uint64_t	streams;		/* replication started: reconnects, plus one */
	uint64_t	losses[REACTION_COUNT]; /* of it, or attempts, by reaction */
	uint64_t	restarts[RESTART_COUNT];
	struct metrics_kind kafka_errors[METRICS_KINDS_MAX + 1];

	/* --- the slot, as the server last told; see watch.h --- */
	struct metrics_slot
	{
		int64_t		told_at;	/* 0: never; the rest then means nothing */
		lsn_t		end;		/* of the log */
		lsn_t		confirmed;
		int64_t		retained;	/* bytes of log kept for it; -1: unknown */
		int64_t		safe;		/* bytes until it may be lost; -1: no limit */
		bool		exists;
		bool		active;
		char		wal_status[16]; /* "": unknown */
	}			slot;
	uint64_t	slot_failures;	/* the server could not be asked */

	/* --- the snapshot --- */
	bool		snapshot_running;
	uint64_t	snapshot_rows;	/* acknowledged */
	uint64_t	snapshot_rounds;
	int64_t		snapshot_hold_us;	/* for so long the stream was held */
	uint64_t	snapshot_estimate;	/* rows of all tables of the snapshot */
	uint64_t	snapshot_tables[SNAPSHOT_STATES];

	/* --- for others --- */
	bool		standby;		/* waits for another to leave the slot */
	uint64_t	takeovers;		/* times it ceased to wait */
	uint64_t	state_writes;	/* of the state record */
	uint64_t	state_failures; /* attempts at it */
	int64_t		state_written_at;
	uint64_t	transactions_committed; /* Kafka's, with exactly_once */
	uint64_t	transactions_failed;	/* of which a commit or begin failed */

	struct metrics_table tables[METRICS_TABLES_MAX + 1];	/* last: others */
	size_t		table_count;
};

/* One process ships one slot. */
extern struct metrics metrics;

/*
 * The counter of a table's records, to be kept: it lives as long as the
 * process.  The names are borrowed and may hold anything; bytes that are no
 * UTF-8 are kept as the LATIN1 characters of their numbers, as in records.
 */
extern uint64_t *metrics_table(const char *schema, size_t schema_len,
							   const char *name, size_t name_len);

/*
 * Counts an error of Kafka under librdkafka's name for it, which is borrowed:
 * those of errors that it does not know share one buffer.
 */
extern void metrics_kafka_error(const char *name);

/*
 * A frame and all before it are acknowledged.  received and committed: when
 * that was, 0 if that is not known; committed only of what was written on
 * this server.
 */
extern void metrics_frame_done(int64_t received, int64_t committed);

/* Unix time, us. */
extern int64_t metrics_now(void);

/* Upper bounds of the buckets, us, growing. */
extern const int64_t metrics_bounds[METRICS_BUCKETS];

#endif							/* METRICS_H */
