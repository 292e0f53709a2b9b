/*
 * snapshot_steps.c
 *		The steps of a snapshot, each taken when the one before has its answer.
 */
#include "snapshot_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "snapshot_sql.h"

#define GATHER_MS		100		/* at most, for what the snapshot sees */
#define QUIET_MS		5		/* then the stream has nothing for now */
#define BLIND_MS		5		/* from a look in vain to the next */
#define WRITERS_MS		50		/* from one question about them to the next */
#define BLIND_TELL_MS	10000

static bool has_all_initial(const struct snapshot *snapshot);
static void begin(struct snapshot *snapshot);
static void imported(struct snapshot *snapshot);
static void ask_tables(struct snapshot *snapshot);
static void locked(struct snapshot *snapshot);
static void marked(struct snapshot *snapshot);
static void ask_writers(struct snapshot *snapshot);
static void wait_writers(struct snapshot *snapshot);
static void lock(struct snapshot *snapshot);
static void look(struct snapshot *snapshot);
static void put_off(struct snapshot *snapshot);
static bool is_same(const struct snapshot *snapshot);
static void looked(struct snapshot *snapshot);
static void looked_at(struct snapshot *snapshot);
static void looked_in_vain(struct snapshot *snapshot);
static void rollback(struct snapshot *snapshot, enum snapshot_phase phase);
static bool at_point(struct snapshot *snapshot, struct position sent,
					 bool idle);
static void leave_round(struct snapshot *snapshot);
static bool is_quiet(const struct snapshot *snapshot, int64_t now);
static bool answered(struct snapshot *snapshot, int count);
static const char *answer(const struct snapshot *snapshot, int column);

/* One that read no answer yet stays where it is. */
void
snapshot_step(struct snapshot *snapshot, struct position sent, bool idle)
{
	int64_t		now = clock_ms();

	switch (snapshot->phase)
	{
		case SNAPSHOT_OFF:
			if (has_all_initial(snapshot))
				snapshot_end_initial(snapshot);
			else if (now >= snapshot->not_before &&
					 snapshot_has_work(snapshot))
				begin(snapshot);
			break;
		case SNAPSHOT_IMPORT:
			if (answered(snapshot, snapshot->reader_count))
				imported(snapshot);
			break;
		case SNAPSHOT_MARK:
			if (answered(snapshot, 1))
				marked(snapshot);
			break;
		case SNAPSHOT_TABLES:
			if (answered(snapshot, 1))
			{
				snapshot_take_tables(&snapshot->plan,
									 reader_answer(snapshot->readers[0]));
				if (snapshot_is_initial(snapshot))
					lock(snapshot);
				else
					ask_writers(snapshot);
			}
			break;
		case SNAPSHOT_WRITERS:
			if (now >= snapshot->not_before && answered(snapshot, 1))
				wait_writers(snapshot);
			break;
		case SNAPSHOT_AWAIT:
			if (snapshot->safe > snapshot->mark)
				lock(snapshot);
			break;
		case SNAPSHOT_LOCK:
			if (answered(snapshot, snapshot->reader_count))
				locked(snapshot);
			break;
		case SNAPSHOT_STILL:
			if (idle && !snapshot->cut)
				look(snapshot);
			break;
		case SNAPSHOT_LOOK:
			if (answered(snapshot, 1))
				looked(snapshot);
			break;
		case SNAPSHOT_DROP:
			if (now >= snapshot->not_before &&
				answered(snapshot, snapshot->reader_count))
				lock(snapshot);
			break;
		case SNAPSHOT_GATHER:
			if (answered(snapshot, snapshot->reader_count) &&
				at_point(snapshot, sent, idle))
			{
				snapshot_round_copy(snapshot);
				snapshot->phase = SNAPSHOT_COPY;
			}
			break;
		case SNAPSHOT_COPY:
			if (snapshot->round.current == snapshot->round.count)
				leave_round(snapshot);
			else
				answered(snapshot, snapshot->round.count);
			break;
		case SNAPSHOT_LEAVE:
			if (answered(snapshot, snapshot->reader_count))
				snapshot->phase = SNAPSHOT_REST;
			break;
		case SNAPSHOT_REST:
			if (!snapshot_has_work(snapshot))
				snapshot_abandon(snapshot, 0);
			else if (now >= snapshot->not_before &&
					 (now >= snapshot->rest_until || is_quiet(snapshot, now)))
				lock(snapshot);
			break;
	}
}

static bool
has_all_initial(const struct snapshot *snapshot)
{
	return snapshot->stream != NULL && snapshot_is_initial(snapshot) &&
		snapshot_next_table(snapshot) == NULL;
}

/*
 * A transaction that changes nothing puts its commit behind the mark, so that
 * the stream gets there even if nobody else writes.  Whatever an earlier start
 * or connection sent lies before the mark.
 */
static void
begin(struct snapshot *snapshot)
{
	enum reaction reaction;
	PGconn	   *conn;

	while (snapshot->reader_count < snapshot->config->snapshot_connections &&
		   (conn = stream_beside(snapshot->stream, &reaction)) != NULL)
		snapshot->readers[snapshot->reader_count++] = reader_open(conn);
	if (snapshot->reader_count == 0)
	{
		snapshot_again(snapshot, "no connection can be made");
		return;
	}
	if (snapshot->started_at == 0)
	{
		snapshot->started_at = clock_ms();
		snapshot->started_rows = snapshot->plan.acked_rows;
	}
	if (snapshot_is_initial(snapshot))
	{
		snapshot_round_import(snapshot, 0, snapshot->made.snapshot);
		snapshot->phase = SNAPSHOT_IMPORT;
		return;
	}
	reader_ask(snapshot->readers[0], "SELECT pg_current_wal_insert_lsn(),"
			   " pg_current_xact_id()");
	snapshot->phase = SNAPSHOT_MARK;
}

/* All transactions of the slot lie at or behind the point. */
static void
imported(struct snapshot *snapshot)
{
	snapshot->lsn = snapshot->made.point - 1;
	ask_tables(snapshot);
}

static void
marked(struct snapshot *snapshot)
{
	if (!lsn_parse(answer(snapshot, 0), &snapshot->mark))
		snapshot->mark = UINT64_MAX;
	ask_tables(snapshot);
}

static void
ask_tables(struct snapshot *snapshot)
{
	char	   *sql;

	for (size_t i = 0; i < snapshot->plan.count; i++)
		snapshot->plan.tables[i].known = false;
	sql = snapshot_sql_tables(snapshot->config, &snapshot->plan);
	reader_ask(snapshot->readers[0], sql);
	free(sql);
	snapshot->phase = SNAPSHOT_TABLES;
}

/*
 * Who changed a table before it was published, and commits only now, brings
 * rows that the stream leaves out and a database snapshot does not see yet.
 */
static void
ask_writers(struct snapshot *snapshot)
{
	char	   *sql = snapshot_sql_writers(&snapshot->plan, snapshot->writers);

	reader_ask(snapshot->readers[0], sql);
	free(sql);
	snapshot->phase = SNAPSHOT_WRITERS;
}

/* The first answer is who they are, later ones are who of them is left. */
static void
wait_writers(struct snapshot *snapshot)
{
	const char *writers = answer(snapshot, 0);

	if (*writers == '\0')
	{
		snapshot->phase = SNAPSHOT_AWAIT;
		return;
	}
	if (snapshot->writers == NULL)
		log_info("snapshot: waits until who writes to the tables now has "
				 "ended");
	free(snapshot->writers);
	snapshot->writers = mem_strdup(writers);
	snapshot->not_before = clock_ms() + WRITERS_MS;
	ask_writers(snapshot);
}

static void
lock(struct snapshot *snapshot)
{
	if (snapshot_round_begin(snapshot))
		snapshot->phase = SNAPSHOT_LOCK;
	else
		snapshot_abandon(snapshot, 0);
}

/* An initial one has its database snapshot already. */
static void
locked(struct snapshot *snapshot)
{
	if (snapshot_is_initial(snapshot))
		look(snapshot);
	else
		snapshot->phase = SNAPSHOT_STILL;
}

static void
look(struct snapshot *snapshot)
{
	char	   *sql = snapshot_sql_look(snapshot->round.table,
										snapshot_is_initial(snapshot));

	reader_ask(snapshot->readers[0], sql);
	free(sql);
	snapshot->phase = SNAPSHOT_LOOK;
}

/* Whether the table that is locked is the one that was asked about. */
static bool
is_same(const struct snapshot *snapshot)
{
	const struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, snapshot->round.table);

	return table != NULL && table->what != NULL &&
		strcmp(answer(snapshot, SNAPSHOT_LOOK_WHAT), table->what) == 0;
}

static void
looked(struct snapshot *snapshot)
{
	if (!is_same(snapshot))
	{
		log_info("snapshot: table %s was changed meanwhile",
				 snapshot->round.table);
		put_off(snapshot);
	}
	else if (!snapshot_is_initial(snapshot))
		looked_at(snapshot);
	else if (*answer(snapshot, SNAPSHOT_LOOK_SAME) == 't')
	{
		snapshot_round_bound(snapshot, NULL);
		snapshot->phase = SNAPSHOT_GATHER;
	}
	else
	{
		log_warning("snapshot: table %s was rewritten or emptied since the "
					"slot was made", snapshot->round.table);
		put_off(snapshot);
	}
}

/* The table cannot be read as it was, now or ever. */
static void
put_off(struct snapshot *snapshot)
{
	struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, snapshot->round.table);

	if (table != NULL)
		table->later = snapshot_is_initial(snapshot);
	snapshot_abandon(snapshot, 0);
}

/*
 * One that does not see what was sent would bring rows as they were before:
 * behind the change, and for good.  What was sent is known as far as it was
 * sent by this program and lately.  Else a transaction that is committed and
 * not seen may have been, if it was so at the last look too; the first look
 * has none before it to tell, nor one so long after it that some of what was
 * sent meanwhile is forgotten.
 */
static void
looked_at(struct snapshot *snapshot)
{
	struct sight before = snapshot->sight;
	bool		first = before.xmax == 0 ||
		sight_has_forgotten(snapshot->sent, snapshot->look_count,
							snapshot->look_time);
	bool		usable;
	char	   *name;

	snapshot->look_time = clock_ms();
	snapshot->look_count = snapshot->sent->count;

	if (!sight_parse(&snapshot->sight, answer(snapshot, SNAPSHOT_LOOK_XMIN),
					 answer(snapshot, SNAPSHOT_LOOK_XMAX),
					 answer(snapshot, SNAPSHOT_LOOK_RUNNING),
					 answer(snapshot, SNAPSHOT_LOOK_UNSEEN)) ||
		!lsn_parse(answer(snapshot, SNAPSHOT_LOOK_LSN), &snapshot->looked_at))
	{
		sight_free(&before);
		snapshot_again(snapshot, "the server tells no database snapshot");
		return;
	}
	usable = sight_sees_sent(&snapshot->sight, snapshot->sent) &&
		!sight_is_stuck(&snapshot->sight, &before) &&
		(!first || snapshot->sight.unseen.count == 0);
	sight_free(&before);
	if (!usable)
	{
		looked_in_vain(snapshot);
		return;
	}
	snapshot->blind_since = 0;
	snapshot->gather_until = clock_ms() + GATHER_MS;
	snapshot->phase = SNAPSHOT_GATHER;
	name = mem_strdup(answer(snapshot, SNAPSHOT_LOOK_NAME));
	snapshot_round_bound(snapshot, name);
	free(name);
}

static void
looked_in_vain(struct snapshot *snapshot)
{
	int64_t		now = clock_ms();

	if (snapshot->blind_since == 0)
		snapshot->blind_since = now;
	else if (now - snapshot->blind_since >= BLIND_TELL_MS)
	{
		log_warning("snapshot: waits for a transaction that is in the log and "
					"that no query sees yet: does it wait for a synchronous "
					"standby?");
		snapshot->blind_since = now;
	}
	snapshot->not_before = now + BLIND_MS;
	snapshot_round_free(&snapshot->round);
	rollback(snapshot, SNAPSHOT_DROP);
}

/* Ends the transaction of every connection. */
static void
rollback(struct snapshot *snapshot, enum snapshot_phase phase)
{
	for (int i = 0; i < snapshot->reader_count; i++)
		reader_ask(snapshot->readers[i], "ROLLBACK");
	snapshot->phase = phase;
}

/*
 * Whether the chunks go in here: at what is not seen or where the database
 * snapshot was taken, if the stream gets there soon.  It need not: what comes
 * later and is seen is applied again, to rows that have it already.  But where
 * standbys are to take over, the server sends what these have, and no row may
 * be copied that they have not.
 */
static bool
at_point(struct snapshot *snapshot, struct position sent, bool idle)
{
	int64_t		now = clock_ms();

	if (snapshot->round.count == 0)
		snapshot_round_divide(snapshot);
	if (snapshot_is_initial(snapshot))
		return true;
	if (!idle || snapshot->cut ||
		(!snapshot->kept && snapshot->safe < snapshot->looked_at &&
		 (snapshot->config->failover ||
		  (!is_quiet(snapshot, now) && now < snapshot->gather_until))))
		return false;
	snapshot->lsn = snapshot->safe - 1;
	return position_is_after((struct position) {
							 snapshot->lsn, snapshot->seq}, sent);
}

/* The stream gets as much time as the round took, if it has use for it. */
static void
leave_round(struct snapshot *snapshot)
{
	const struct snapshot_round *round = &snapshot->round;
	int64_t		now = clock_ms();
	int64_t		rate = snapshot->config->snapshot_rate;

	log_debug("snapshot: %" PRIu64 " rows of %s in %d chunks, %" PRId64 " ms",
			  round->rows, round->table, round->count,
			  now - round->began_at);
	snapshot->failures = 0;
	snapshot->rest_until = now + (now - round->began_at);
	snapshot->not_before = rate == 0 ? now :
		round->began_at + (int64_t) round->rows * 1000 / rate;
	snapshot_round_free(&snapshot->round);
	if (snapshot_is_initial(snapshot))
		snapshot->phase = SNAPSHOT_REST;
	else
		rollback(snapshot, SNAPSHOT_LEAVE);
}

/* The stream has nothing for now. */
static bool
is_quiet(const struct snapshot *snapshot, int64_t now)
{
	return now - snapshot->frame_at >= QUIET_MS;
}

/* Reads on; true when the first so many have their answers. */
static bool
answered(struct snapshot *snapshot, int count)
{
	bool		all = true;

	for (int i = 0; i < count; i++)
	{
		enum reader_state state = reader_step(snapshot->readers[i]);

		if (state == READER_REFUSED || state == READER_LOST)
		{
			snapshot_refused(snapshot, snapshot->readers[i],
							 state == READER_LOST);
			return false;
		}
		all &= state == READER_DONE;
	}
	return all;
}

static const char *
answer(const struct snapshot *snapshot, int column)
{
	const PGresult *result = reader_answer(snapshot->readers[0]);

	if (PQntuples(result) != 1 || column >= PQnfields(result))
		return "";
	return PQgetvalue(result, 0, column);
}
