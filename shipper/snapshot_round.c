/*
 * snapshot_round.c
 *		Chunks of a table, read at the same time under one database snapshot,
 *		going in one behind the other.
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
#include "sqltext.h"

#define CHUNK_BYTES		(8 * 1024 * 1024)	/* in the table, at most */
#define CHUNK_ROWS_MIN	100

#define BEGIN	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"

static struct snapshot_table *next_table(struct snapshot *snapshot);
static bool has_key(const struct snapshot *snapshot);
static int64_t chunk_rows(const struct snapshot *snapshot,
						  const struct snapshot_table *table);
static json_t *read_key(const PGresult *answer, int row);
static bool end_chunk(struct snapshot *snapshot);

bool
snapshot_round_begin(struct snapshot *snapshot)
{
	const struct snapshot_table *table = next_table(snapshot);
	char	   *lock;

	if (table == NULL)
		return false;
	snapshot->round = (struct snapshot_round) {
		.table = mem_strdup(table->name),
		.after = json_incref(table->sent_after),
		.chunk_rows = chunk_rows(snapshot, table),
	};
	lock = mem_format("%s LOCK TABLE ONLY %s IN ACCESS SHARE MODE",
					  snapshot_is_initial(snapshot) ? "" : BEGIN, table->name);
	/* all of them, or an ALTER TABLE that waits for one would stop the next */
	for (int i = 0; i < snapshot->reader_count; i++)
		reader_ask(snapshot->readers[i], lock);
	free(lock);
	return true;
}

void
snapshot_round_bound(struct snapshot *snapshot, const char *database_snapshot)
{
	const struct snapshot_round *round = &snapshot->round;
	const struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, round->table);
	char	   *bounds;

	if (database_snapshot != NULL)
		snapshot_round_import(snapshot, 1, database_snapshot);
	if (json_array_size(table->key) == 0)
		return;
	bounds = snapshot_sql_bounds(table, round->after, round->chunk_rows,
								 snapshot->reader_count);
	reader_ask(snapshot->readers[0], bounds);
	free(bounds);
}

void
snapshot_round_import(struct snapshot *snapshot, int first, const char *name)
{
	char	   *literal = sqltext_literal(name);
	char	   *sql = mem_format("%s SET TRANSACTION SNAPSHOT %s", first > 0 ?
								 "" : BEGIN, literal);

	for (int i = first; i < snapshot->reader_count; i++)
		reader_ask(snapshot->readers[i], sql);
	free(sql);
	free(literal);
}

/* Without a key a row might arrive twice, and nobody could tell. */
static struct snapshot_table *
next_table(struct snapshot *snapshot)
{
	struct snapshot_table *table;

	while ((table = snapshot_next_table(snapshot)) != NULL)
	{
		if (!table->known)
			return NULL;		/* wished for just now: asked about first */
		if (json_array_size(table->key) > 0 || snapshot_is_initial(snapshot))
			return table;
		log_error("snapshot: table %s has no primary key: a row could arrive "
				  "twice, and nobody could tell", table->name);
		log_hint("Give it one. Rows of such tables are sent only by \"wal2kafka "
				 "init --snapshot\", before the stream begins.");
		snapshot_plan_end(&snapshot->plan, table, SNAPSHOT_FAILED,
						  "it has no primary key");
	}
	return NULL;
}

static int64_t
chunk_rows(const struct snapshot *snapshot, const struct snapshot_table *table)
{
	int64_t		rows = snapshot->config->snapshot_chunk_rows;

	if (table->width > 0 && rows > CHUNK_BYTES / table->width)
		rows = CHUNK_BYTES / table->width;
	return rows > CHUNK_ROWS_MIN ? rows : CHUNK_ROWS_MIN;
}

/* A table without one is a single chunk. */
static bool
has_key(const struct snapshot *snapshot)
{
	const struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, snapshot->round.table);

	return table != NULL && json_array_size(table->key) > 0;
}

/* A key for each chunk that is full; what is behind them is less than one. */
void
snapshot_round_divide(struct snapshot *snapshot)
{
	const PGresult *answer = reader_answer(snapshot->readers[0]);
	struct snapshot_round *round = &snapshot->round;
	int			keys = has_key(snapshot) ? PQntuples(answer) : 0;

	round->count = 0;
	for (int i = 0; i < keys; i++)
		round->chunks[round->count++].upto = read_key(answer, i);
	if (round->count < snapshot->reader_count)
		round->chunks[round->count++].upto = NULL;
}

static json_t *
read_key(const PGresult *answer, int row)
{
	json_t	   *key = json_array();

	for (int i = 0; i < PQnfields(answer); i++)
		json_array_append_new(key, json_string(PQgetvalue(answer, row, i)));
	return key;
}

/* Numbers are given out for full chunks: the next round's are above all. */
void
snapshot_round_copy(struct snapshot *snapshot)
{
	struct snapshot_round *round = &snapshot->round;
	const struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, round->table);
	const json_t *after = round->after;

	round->began_at = clock_ms();
	round->current = 0;
	for (int i = 0; i < round->count; i++)
	{
		char	   *sql = snapshot_sql_copy(table, after,
											round->chunks[i].upto,
											snapshot->lsn, snapshot->seq,
											snapshot->options);

		log_debug("%s", sql);
		reader_copy(snapshot->readers[i], sql);
		free(sql);
		snapshot->seq += (uint64_t) round->chunk_rows;
		after = round->chunks[i].upto;
	}
	metrics.snapshot_rounds++;
}

bool
snapshot_round_frame(struct snapshot *snapshot, struct stream_message *message)
{
	struct snapshot_round *round = &snapshot->round;

	while (round->current < round->count)
	{
		struct reader *reader = snapshot->readers[round->current];
		enum reader_state state = reader_step(reader);

		if (reader_frame(reader, message))
			return true;
		if (state != READER_DONE || !end_chunk(snapshot))
			return false;
	}
	return false;
}

/* All of its frames were taken. */
static bool
end_chunk(struct snapshot *snapshot)
{
	struct snapshot_round *round = &snapshot->round;
	struct snapshot_range *chunk = &round->chunks[round->current++];
	struct snapshot_table *table =
		snapshot_plan_find(&snapshot->plan, round->table);

	round->rows += chunk->rows;
	if (chunk->last.ordinal >= snapshot->seq)
		snapshot->seq = chunk->last.ordinal + 1;	/* a chunk without bounds */
	if (table == NULL || table->state > SNAPSHOT_COPYING)
		return false;			/* it was cancelled meanwhile */
	snapshot_plan_sent(&snapshot->plan, table, chunk->last, chunk->upto,
					   chunk->rows);
	chunk->upto = NULL;
	return true;
}

void
snapshot_round_free(struct snapshot_round *round)
{
	for (int i = 0; i < SNAPSHOT_CONNECTIONS_MAX; i++)
		json_decref(round->chunks[i].upto);
	json_decref(round->after);
	free(round->table);
	*round = (struct snapshot_round) {.table = NULL};
}
