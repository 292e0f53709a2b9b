/*
 * snapshot_people.c
 *		What people ask of a snapshot, and are told about it.
 */
#include "snapshot_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "names.h"

#define TELL_MS		10000

static char *plain_name(const char *written);
static bool is_plain(const char *name);
static const char *state_name(const struct snapshot *snapshot);
static uint64_t rate_of(const struct snapshot *snapshot);
static json_t *time_left(const struct snapshot *snapshot, uint64_t estimate,
						 uint64_t rows);
static void tell_log(struct snapshot *snapshot);

/* --- people's wishes --------------------------------------------------- */

char *
snapshot_want(struct snapshot *snapshot, size_t count,
			  const char *const *tables, char **hint)
{
	static const char *const all[] = {SNAPSHOT_ALL};
	bool		added = false;
	char	   *error = NULL;
	char	  **names;

	*hint = NULL;
	if (snapshot->stream == NULL)
	{
		*hint = mem_strdup("It is not streaming now; see its log.");
		return mem_strdup("this wal2kafka does not read the slot");
	}
	if (count == 0)
	{
		tables = all;
		count = 1;
	}
	names = mem_zalloc(count * sizeof(*names));
	for (size_t i = 0; i < count && error == NULL; i++)
	{
		names[i] = plain_name(tables[i]);
		if (names[i] == NULL)
			error = mem_format("\"%s\" is no name of a table", tables[i]);
	}
	if (error != NULL)
		*hint = mem_strdup("Write SCHEMA.TABLE, in double quotes what SQL "
						   "needs in them.");
	else
		snapshot_plan_tidy(&snapshot->plan);
	for (size_t i = 0; i < count; i++)
	{
		if (error == NULL)
			added |= snapshot_plan_add(&snapshot->plan, names[i]);
		free(names[i]);
	}
	free(names);
	if (error != NULL)
		return error;
	if (!added)
	{
		*hint = mem_strdup("\"wal2kafka snapshot --status\" tells how far it "
						   "is; --cancel ends it.");
		return mem_strdup("a snapshot of this is going on already");
	}
	snapshot->started_at = 0;
	if (snapshot->phase == SNAPSHOT_OFF)
		snapshot->not_before = 0;
	log_info("snapshot: %zu table%s wished for%s", count,
			 count == 1 ? "" : "s",
			 snapshot->plan.paused ? "; it is paused" : "");
	return NULL;
}

/* As it is in SQL, with its schema; NULL if it is none. To be freed. */
static char *
plain_name(const char *written)
{
	struct names names;
	char	   *parts[2] = {NULL, NULL};
	char	   *name = NULL;

	if (strcmp(written, SNAPSHOT_ALL) == 0)
		return mem_strdup(written);
	if (!names_parse(&names, written, '.'))
		return NULL;
	if (names.count <= 2)
	{
		for (size_t i = 0; i < names.count; i++)
			parts[i] = is_plain(names.name[i]) ? mem_strdup(names.name[i]) :
				names_quote(names.name[i]);
		name = names.count == 2 ? mem_format("%s.%s", parts[0], parts[1]) :
			mem_format("public.%s", parts[0]);
		free(parts[0]);
		free(parts[1]);
	}
	names_free(&names);
	return name;
}

static bool
is_plain(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") ==
		strlen(name) && (*name < '0' || *name > '9');
}

char *
snapshot_pause(struct snapshot *snapshot, char **hint)
{
	*hint = NULL;
	if (!snapshot_plan_is_open(&snapshot->plan))
		return mem_strdup("no snapshot is going on");
	snapshot_plan_pause(&snapshot->plan, true);
	log_info("snapshot: paused");
	return NULL;
}

char *
snapshot_resume(struct snapshot *snapshot, char **hint)
{
	*hint = NULL;
	if (!snapshot->plan.paused)
		return mem_strdup("no snapshot is paused");
	snapshot_plan_pause(&snapshot->plan, false);
	snapshot->started_at = 0;
	log_info("snapshot: resumed");
	return NULL;
}

char *
snapshot_cancel(struct snapshot *snapshot, char **hint)
{
	struct snapshot_plan *plan = &snapshot->plan;

	*hint = NULL;
	if (!snapshot_plan_is_open(plan))
		return mem_strdup("no snapshot is going on");
	for (size_t i = 0; i < plan->count; i++)
		if (plan->tables[i].state <= SNAPSHOT_COPYING)
			snapshot_plan_end(plan, &plan->tables[i], SNAPSHOT_CANCELLED,
							  NULL);
	snapshot_plan_pause(plan, false);
	snapshot_abandon(snapshot, 0);
	log_info("snapshot: cancelled; what was sent stays");
	return NULL;
}

/* --- where it stands --------------------------------------------------- */

json_t *
snapshot_status(const struct snapshot *snapshot)
{
	const struct snapshot_plan *plan = &snapshot->plan;
	json_t	   *tables = json_array();
	json_t	   *status = json_object();
	uint64_t	estimate = snapshot_plan_estimate(plan);
	uint64_t	rows = snapshot_plan_rows(plan);

	for (size_t i = 0; i < plan->count; i++)
	{
		const struct snapshot_table *table = &plan->tables[i];
		json_t	   *entry = json_object();

		json_object_set_new(entry, "name", json_string(table->name));
		json_object_set_new(entry, "state", json_string(
			snapshot_state_name(table->state)));
		json_object_set_new(entry, "rows", json_integer(
			(json_int_t) table->rows));
		json_object_set_new(entry, "estimate", table->estimate >= 0 ?
							json_integer(table->estimate) : json_null());
		if (table->error != NULL)
			json_object_set_new(entry, "error", json_string(table->error));
		json_array_append_new(tables, entry);
	}
	json_object_set_new(status, "state", json_string(state_name(snapshot)));
	json_object_set_new(status, "tables", tables);
	json_object_set_new(status, "rows", json_integer((json_int_t) rows));
	json_object_set_new(status, "estimate",
						json_integer((json_int_t) estimate));
	json_object_set_new(status, "rate", json_integer(
		(json_int_t) rate_of(snapshot)));
	json_object_set_new(status, "seconds_left", time_left(snapshot, estimate,
														  rows));
	return status;
}

static const char *
state_name(const struct snapshot *snapshot)
{
	const struct snapshot_plan *plan = &snapshot->plan;
	enum snapshot_table_state worst = SNAPSHOT_DONE;

	if (plan->count == 0)
		return "none";
	if (snapshot_plan_is_open(plan))
		return plan->paused ? "paused" : "running";
	for (size_t i = 0; i < plan->count; i++)
		if (plan->tables[i].state == SNAPSHOT_FAILED ||
			worst == SNAPSHOT_DONE)
			worst = plan->tables[i].state;
	return snapshot_state_name(worst);
}

static json_t *
time_left(const struct snapshot *snapshot, uint64_t estimate, uint64_t rows)
{
	uint64_t	rate = rate_of(snapshot);

	if (rate == 0 || !snapshot_plan_is_open(&snapshot->plan) ||
		snapshot->plan.paused || estimate < rows)
		return json_null();
	return json_integer((json_int_t) ((estimate - rows) / rate));
}

/* Counts only when something has changed: there may be thousands of tables. */
void
snapshot_tell(struct snapshot *snapshot)
{
	const struct snapshot_plan *plan = &snapshot->plan;

	metrics.snapshot_running = snapshot->phase != SNAPSHOT_OFF;
	metrics.snapshot_rows = plan->acked_rows;
	tell_log(snapshot);
	if (snapshot->told_version == plan->version)
		return;
	snapshot->told_version = plan->version;
	metrics.snapshot_estimate = snapshot_plan_estimate(plan);
	memset(metrics.snapshot_tables, 0, sizeof(metrics.snapshot_tables));
	for (size_t i = 0; i < plan->count; i++)
		metrics.snapshot_tables[plan->tables[i].state]++;
}

/* Rows a second, while one is going on. */
static uint64_t
rate_of(const struct snapshot *snapshot)
{
	int64_t		took = clock_ms() - snapshot->started_at;

	if (snapshot->started_at == 0)
		return snapshot->rate;
	return (snapshot->plan.acked_rows - snapshot->started_rows) * 1000 /
		(uint64_t) (took > 0 ? took : 1);
}

/* A line now and then, and one at the end. */
static void
tell_log(struct snapshot *snapshot)
{
	const struct snapshot_plan *plan = &snapshot->plan;
	bool		open = snapshot_plan_is_open(plan);
	int64_t		now = clock_ms();
	int64_t		took = now - snapshot->started_at;

	if (snapshot->started_at == 0 ||
		(open && now - snapshot->told_at < TELL_MS))
		return;
	if (open && snapshot->told_at > 0)
		log_info("snapshot: %" PRIu64 " of about %" PRIu64 " rows, %" PRIu64
				 " rows/s", snapshot_plan_rows(plan),
				 snapshot_plan_estimate(plan), rate_of(snapshot));
	else if (!open)
	{
		log_info("snapshot: %s, %" PRIu64 " rows in %" PRId64 ".%" PRId64
				 " s", state_name(snapshot),
				 plan->acked_rows - snapshot->started_rows, took / 1000,
				 took % 1000 / 100);
		snapshot->rate = rate_of(snapshot);
	}
	snapshot->told_at = now;
	if (!open)
		snapshot->started_at = snapshot->told_at = 0;
}
