/*
 * snapshot_state.h
 *		What the files of the snapshot share, and nobody else.
 */
#ifndef SNAPSHOT_STATE_H
#define SNAPSHOT_STATE_H

#include "snapshot.h"
#include "snapshot_reader.h"

/* What it is doing, in this order. */
enum snapshot_phase
{
	SNAPSHOT_OFF,				/* nothing to do, or it may not */
	SNAPSHOT_IMPORT,			/* takes over the slot's database snapshot */
	SNAPSHOT_MARK,				/* asks where the log ends */
	SNAPSHOT_TABLES,			/* asks about the tables */
	SNAPSHOT_WRITERS,			/* until those who write now have ended */
	SNAPSHOT_AWAIT,				/* until the stream is past the mark */
	SNAPSHOT_LOCK,				/* keeps the table from being rewritten */
	SNAPSHOT_STILL,				/* holds it, as soon as nothing is half sent */
	SNAPSHOT_LOOK,				/* holds it: takes a database snapshot */
	SNAPSHOT_DROP,				/* which was of no use */
	SNAPSHOT_GATHER,			/* asks for bounds of chunks; the stream goes
								 * on as far as the database snapshot sees */
	SNAPSHOT_COPY,				/* holds it: the chunks go in */
	SNAPSHOT_LEAVE,				/* ends the transactions */
	SNAPSHOT_REST,				/* until the next round */
};

/* A range of a table, read by one connection. */
struct snapshot_range
{
	json_t	   *upto;			/* its last key; NULL: the table's end */
	uint64_t	rows;			/* given to the cursor */
	struct position last;		/* of those */
};

/* Chunks that go in at one point. */
struct snapshot_round
{
	char	   *table;			/* its name; owned; NULL: no round */
	json_t	   *after;			/* key that it begins behind; NULL: begin */
	int64_t		chunk_rows;		/* of a chunk at most */
	struct snapshot_range chunks[SNAPSHOT_CONNECTIONS_MAX];
	int			count;			/* of chunks; 0: not known yet */
	int			current;		/* the one that goes in */
	uint64_t	rows;
	int64_t		began_at;		/* ms; of its copying */
};

struct snapshot
{
	const struct config *config;	/* borrowed */
	size_t		max_record;
	const struct sight_sent *sent;	/* borrowed */
	struct snapshot_plan plan;
	enum snapshot_phase phase;
	int64_t		not_before;		/* ms; OFF, WRITERS, DROP and REST wait for
								 * it */
	int64_t		rest_until;		/* ms; REST, unless the stream is quiet */
	int			failures;		/* in a row */

	/* with a new slot, all goes in before its first transaction */
	struct slot_export made;	/* owned; until all that can be is copied */
	bool		all;			/* wished for, if the slot was never read */

	/* the stream */
	struct stream *stream;		/* borrowed; NULL: it is not open */
	char	   *options;		/* the plugin's, an SQL array; owned */
	lsn_t		safe;			/* greatest of its frames */
	bool		cut;			/* the last one ended in a transaction */
	int64_t		frame_at;		/* ms; when it came */
	bool		kept;			/* a frame waits here */
	struct stream_message message;

	/* this session's, from MARK on */
	struct reader *readers[SNAPSHOT_CONNECTIONS_MAX];
	int			reader_count;
	lsn_t		mark;			/* chunks go in behind it */
	char	   *writers;		/* SQL array of those; owned, or NULL */
	struct sight sight;			/* what the database snapshot sees */
	lsn_t		looked_at;		/* end of the log after it was taken */
	int64_t		look_time;		/* ms; of the last look */
	uint64_t	look_count;		/* transactions noted by then */
	int64_t		gather_until;	/* ms */
	int64_t		blind_since;	/* ms; looks are in vain since; 0: not */
	uint64_t	seq;			/* "seq_id" of the next record */
	lsn_t		lsn;			/* "lsn" of the round's records */
	struct snapshot_round round;

	/* for people */
	int64_t		held_since;		/* us; 0: the stream is not held */
	int64_t		started_at;		/* ms; the rate is counted from here */
	uint64_t	started_rows;
	uint64_t	rate;			/* rows/s, of the last that has ended */
	uint64_t	told_version;	/* of the plan, in the metrics */
	int64_t		told_at;		/* ms; people, in the log; 0: not yet */
};

/* --- snapshot.c -------------------------------------------------------- */

/* The table to go on with; NULL: there is none for now. */
extern struct snapshot_table *
snapshot_next_table(const struct snapshot *snapshot);

/* Whether there is one, a stream to copy it into, and nobody paused it. */
extern bool snapshot_has_work(const struct snapshot *snapshot);

/* --- people, snapshot_people.c ----------------------------------------- */

/* Metrics, and a line of the log now and then. */
extern void snapshot_tell(struct snapshot *snapshot);

/* --- what comes next, snapshot_steps.c --------------------------------- */

extern void snapshot_step(struct snapshot *snapshot, struct position sent,
						  bool idle);

/* --- tables, snapshot_tables.c ----------------------------------------- */

/* Takes the server's answer about tables into the plan. */
extern void snapshot_take_tables(struct snapshot_plan *plan,
								 const PGresult *answer);

/* --- rounds, snapshot_round.c ------------------------------------------ */

/*
 * Begins one of the next table that can be copied, in a transaction that locks
 * it against rewriting: a rewritten table is empty to whoever looks at it as
 * it was before.  False: there is no table.
 */
extern bool snapshot_round_begin(struct snapshot *snapshot);

/*
 * Asks for its bounds; the other connections take over the database snapshot
 * of that name, unless it is NULL.
 */
extern void snapshot_round_bound(struct snapshot *snapshot,
								 const char *database_snapshot);

/*
 * Connections from that one on take it over: all, or those whose transaction
 * has begun.
 */
extern void snapshot_round_import(struct snapshot *snapshot, int first,
								  const char *name);

/* The bounds are there: so many chunks it has. */
extern void snapshot_round_divide(struct snapshot *snapshot);

/* Asks for the chunks. */
extern void snapshot_round_copy(struct snapshot *snapshot);

/* The next frame, if there is one; false also at the end of the round. */
extern bool snapshot_round_frame(struct snapshot *snapshot,
								 struct stream_message *message);

extern void snapshot_round_free(struct snapshot_round *round);

/* --- failures, snapshot_fail.c ----------------------------------------- */

/* Ends the session; another begins after so many ms. */
extern void snapshot_abandon(struct snapshot *snapshot, int64_t delay);

/* The slot's database snapshot is given up: the stream may begin. */
extern void snapshot_end_initial(struct snapshot *snapshot);

/* The same as snapshot_abandon(), for longer with each failure in a row. */
extern void snapshot_again(struct snapshot *snapshot, const char *reason);

/*
 * A reader was refused or lost.  What time can mend is tried again; else it is
 * the end of the round's table or, outside of a round, of all.
 */
extern void snapshot_refused(struct snapshot *snapshot,
							 const struct reader *reader, bool lost);

#endif							/* SNAPSHOT_STATE_H */
