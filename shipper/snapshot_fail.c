/*
 * snapshot_fail.c
 *		What becomes of a snapshot when the server refuses.
 */
#include "snapshot_state.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define DELAY_MS		1000	/* after the first failure, then doubled */
#define DELAY_MAX_MS	60000

static bool is_passing(const char *sqlstate);
static void give_up(struct snapshot *snapshot, const struct reader *reader);
static const char *remedy(const struct reader *reader);

void
snapshot_abandon(struct snapshot *snapshot, int64_t delay)
{
	while (snapshot->reader_count > 0)
		reader_close(snapshot->readers[--snapshot->reader_count]);
	snapshot_round_free(&snapshot->round);
	sight_free(&snapshot->sight);
	free(snapshot->writers);
	snapshot->writers = NULL;
	snapshot->phase = SNAPSHOT_OFF;
	snapshot->not_before = clock_ms() + delay;
	snapshot->blind_since = 0;
}

void
snapshot_refused(struct snapshot *snapshot, const struct reader *reader,
				 bool lost)
{
	/* whoever waits for a lock goes first, and is soon through */
	if (!lost && strcmp(reader_sqlstate(reader), "55P03") == 0)
		snapshot->failures = 0;
	if (lost)
		snapshot_again(snapshot, "the connection is lost");
	else if (is_passing(reader_sqlstate(reader)))
		snapshot_again(snapshot, reader_error(reader));
	else
		give_up(snapshot, reader);
}

void
snapshot_end_initial(struct snapshot *snapshot)
{
	if (snapshot_plan_next(&snapshot->plan, false) != NULL)
		log_warning("snapshot: what is left of it is copied while changes are "
					"streamed: consumers must take an Insert of a row that "
					"they have as its new state");
	slot_export_free(&snapshot->made);
}

/* Locks, cancelled queries, memory, a server that stops. */
static bool
is_passing(const char *sqlstate)
{
	static const char *const passing[] = {
		"08", "25", "40", "53", "55P03", "55006", "57", "58", "XX",
	};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strncmp(sqlstate, passing[i], strlen(passing[i])) == 0)
			return true;
	return false;
}

void
snapshot_again(struct snapshot *snapshot, const char *reason)
{
	int64_t		delay = DELAY_MS << (snapshot->failures < 6 ?
									 snapshot->failures : 6);

	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	snapshot->failures++;
	log_warning("snapshot: %s%s%s; it goes on in %d s",
				snapshot->round.table != NULL ? snapshot->round.table : "",
				snapshot->round.table != NULL ? ": " : "", reason,
				(int) (delay / 1000));
	snapshot_abandon(snapshot, delay);
}

static void
give_up(struct snapshot *snapshot, const struct reader *reader)
{
	const char *only = snapshot->round.table;
	struct snapshot_plan *plan = &snapshot->plan;

	if (snapshot->phase == SNAPSHOT_IMPORT)
	{
		snapshot_end_initial(snapshot);
		snapshot_again(snapshot, reader_error(reader));
		return;
	}
	if (only != NULL)
		log_error("snapshot: could not copy table %s: %s", only,
				  reader_error(reader));
	else
		log_error("snapshot: %s", reader_error(reader));
	if (*remedy(reader) != '\0')
		log_hint("%s", remedy(reader));
	for (size_t i = 0; i < plan->count; i++)
	{
		struct snapshot_table *table = &plan->tables[i];

		if (table->state <= SNAPSHOT_COPYING &&
			(only == NULL || strcmp(table->name, only) == 0))
			snapshot_plan_end(plan, table, SNAPSHOT_FAILED,
							  reader_error(reader));
	}
	snapshot_abandon(snapshot, 0);
}

static const char *
remedy(const struct reader *reader)
{
	const char *sqlstate = reader_sqlstate(reader);

	if (*reader_hint(reader) != '\0')
		return reader_hint(reader);
	if (strcmp(sqlstate, "3F000") == 0 || strcmp(sqlstate, "42883") == 0)
		return "Run CREATE EXTENSION wal2kafka in the database: snapshots "
			"need its functions.";
	if (strcmp(sqlstate, "42501") == 0)
		return "Grant the shipper's role USAGE on the schema and SELECT on the "
			"table, and BYPASSRLS if row security is on; neither is needed "
			"once the snapshot is done.";
	return "";
}
