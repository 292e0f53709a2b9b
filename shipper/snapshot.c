/*
 * snapshot.c
 *		Copies the rows that tables have already, between the changes: what
 *		people ask of it, and what the loop does.
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
#include "replcommand.h"

#define TELL_MS		10000

static char *plain_name(const char *written);
static bool is_plain(const char *name);
static void tell(struct snapshot *snapshot);
static void tell_people(struct snapshot *snapshot);
static void count_hold(struct snapshot *snapshot);
static void drop_kept(struct snapshot *snapshot);
static const char *state_name(const struct snapshot *snapshot);
static uint64_t rate_of(const struct snapshot *snapshot);
static json_t *time_left(const struct snapshot *snapshot, int64_t estimate,
						 uint64_t rows);

struct snapshot *
snapshot_open(const struct config *config, size_t max_record,
			  const struct sight_sent *sent)
{
	struct snapshot *snapshot = mem_zalloc(sizeof(*snapshot));

	snapshot->config = config;
	snapshot->max_record = max_record;
	snapshot->sent = sent;
	return snapshot;
}

void
snapshot_wish(struct snapshot *snapshot, const struct slot_export *made,
			  bool all)
{
	snapshot->made = *made;
	snapshot->all = all;
	if (made->conn != NULL)
		snapshot_plan_add(&snapshot->plan, SNAPSHOT_ALL);
}

bool
snapshot_is_initial(const struct snapshot *snapshot)
{
	return snapshot->made.conn != NULL || snapshot->initial;
}

bool
snapshot_has_ended(const struct snapshot *snapshot)
{
	return snapshot->stream != NULL &&
		!snapshot_plan_is_open(&snapshot->plan) &&
		snapshot->plan.oldest == NULL;
}

bool
snapshot_has_failed(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->plan.count; i++)
		if (snapshot->plan.tables[i].state == SNAPSHOT_FAILED)
			return true;
	return false;
}

bool
snapshot_sent(const struct snapshot *snapshot, struct position position)
{
	return snapshot->lsn != LSN_INVALID && position.commit == snapshot->lsn;
}

void
snapshot_close(struct snapshot *snapshot)
{
	snapshot_stream_lost(snapshot);
	slot_export_free(&snapshot->made);
	snapshot_plan_free(&snapshot->plan);
	free(snapshot->options);
	free(snapshot);
}

struct snapshot_plan *
snapshot_plan(struct snapshot *snapshot)
{
	return &snapshot->plan;
}

/* --- people's wishes --------------------------------------------------- */

char *
snapshot_want(struct snapshot *snapshot, size_t count,
			  const char *const *tables, char **hint)
{
	static const char *const all[] = {SNAPSHOT_ALL};
	bool		added = false;

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
	for (size_t i = 0; i < count; i++)
	{
		char	   *name = plain_name(tables[i]);

		if (name == NULL)
		{
			*hint = mem_strdup("Write SCHEMA.TABLE, in double quotes what SQL "
							   "needs in them.");
			return mem_format("\"%s\" is no name of a table", tables[i]);
		}
		free(name);
	}
	snapshot_plan_tidy(&snapshot->plan);
	for (size_t i = 0; i < count; i++)
	{
		char	   *name = plain_name(tables[i]);

		added |= snapshot_plan_add(&snapshot->plan, name);
		free(name);
	}
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
	int64_t		estimate = 0;
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
		estimate += snapshot_table_estimate(table);
	}
	json_object_set_new(status, "state", json_string(state_name(snapshot)));
	json_object_set_new(status, "tables", tables);
	json_object_set_new(status, "rows", json_integer((json_int_t) rows));
	json_object_set_new(status, "estimate", json_integer(estimate));
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
time_left(const struct snapshot *snapshot, int64_t estimate, uint64_t rows)
{
	uint64_t	rate = rate_of(snapshot);

	if (rate == 0 || !snapshot_plan_is_open(&snapshot->plan) ||
		snapshot->plan.paused || estimate < (int64_t) rows)
		return json_null();
	return json_integer((json_int_t) (((uint64_t) estimate - rows) / rate));
}

/* Only when something has changed: there may be thousands of tables. */
static void
tell(struct snapshot *snapshot)
{
	const struct snapshot_plan *plan = &snapshot->plan;

	metrics.snapshot_running = snapshot->phase != SNAPSHOT_OFF;
	metrics.snapshot_rows = plan->acked_rows;
	if (snapshot->told_version == plan->version)
		return;
	snapshot->told_version = plan->version;
	metrics.snapshot_estimate = 0;
	memset(metrics.snapshot_tables, 0, sizeof(metrics.snapshot_tables));
	for (size_t i = 0; i < plan->count; i++)
	{
		metrics.snapshot_tables[plan->tables[i].state]++;
		metrics.snapshot_estimate += (uint64_t)
			snapshot_table_estimate(&plan->tables[i]);
	}
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
tell_people(struct snapshot *snapshot)
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
				 metrics.snapshot_estimate, rate_of(snapshot));
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

/* --- the loop ---------------------------------------------------------- */

void
snapshot_stream_opened(struct snapshot *snapshot, struct stream *stream,
					   const char *routes, bool fresh)
{
	snapshot_stream_lost(snapshot);
	if (snapshot->all && fresh && snapshot->made.conn == NULL)
		snapshot_plan_add(&snapshot->plan, SNAPSHOT_ALL);
	snapshot->all = false;
	free(snapshot->options);
	snapshot->options = replcommand_array(snapshot->config,
										  snapshot->max_record, routes);
	snapshot->stream = stream;
	snapshot->not_before = 0;
}

void
snapshot_stream_lost(struct snapshot *snapshot)
{
	if (snapshot->stream != NULL)
		snapshot_abandon(snapshot, 0);
	drop_kept(snapshot);
	snapshot->stream = NULL;
	snapshot->safe = LSN_INVALID;
	snapshot->cut = false;
}

void
snapshot_restart(struct snapshot *snapshot)
{
	snapshot_stream_lost(snapshot);
	snapshot_plan_unsent(&snapshot->plan);
}

void
snapshot_serve(struct snapshot *snapshot, struct position acked,
			   struct position sent, bool idle)
{
	snapshot_plan_acked(&snapshot->plan, acked);
	snapshot_step(snapshot, sent, idle);
	tell(snapshot);
	tell_people(snapshot);
	count_hold(snapshot);
}

static void
count_hold(struct snapshot *snapshot)
{
	int64_t		now;

	if (!snapshot_holds(snapshot) && snapshot->held_since == 0)
		return;
	now = metrics_now();
	if (snapshot->held_since > 0)
		metrics.snapshot_hold_us += now - snapshot->held_since;
	snapshot->held_since = snapshot_holds(snapshot) ? now : 0;
}

bool
snapshot_holds(const struct snapshot *snapshot)
{
	if (snapshot_is_initial(snapshot))
		return true;
	switch (snapshot->phase)
	{
		case SNAPSHOT_LOOK:
		case SNAPSHOT_COPY:
			return true;
		case SNAPSHOT_STILL:
			return !snapshot->cut;
		case SNAPSHOT_GATHER:
			return snapshot->kept;
		default:
			return false;
	}
}

/*
 * A frame that ends in the middle of a transaction is not let through either:
 * the chunks could not go in behind it.
 */
bool
snapshot_admits(struct snapshot *snapshot,
				const struct stream_message *message)
{
	struct frame_error error;
	struct frame frame;

	if (snapshot->phase != SNAPSHOT_GATHER ||
		!frame_parse(&frame, message->frame, message->frame_size, &error) ||
		(!frame.cut && sight_sees_frame(&snapshot->sight, &frame)))
		return true;
	snapshot->kept = true;
	snapshot->message = *message;
	return false;
}

void
snapshot_note(struct snapshot *snapshot, const struct frame *frame)
{
	if (frame->safe > snapshot->safe)
		snapshot->safe = frame->safe;
	snapshot->cut = frame->cut;
	snapshot->frame_at = clock_ms();
}

enum snapshot_next
snapshot_next(struct snapshot *snapshot, struct stream_message *message)
{
	if (snapshot->phase == SNAPSHOT_COPY)
		return snapshot_round_frame(snapshot, message) ? SNAPSHOT_CHUNK :
			SNAPSHOT_NOTHING;
	if (!snapshot->kept || snapshot_holds(snapshot))
		return SNAPSHOT_NOTHING;
	snapshot->kept = false;
	*message = snapshot->message;
	return SNAPSHOT_KEPT;
}

void
snapshot_took(struct snapshot *snapshot, const struct frame *frame)
{
	struct snapshot_range *chunk =
		&snapshot->round.chunks[snapshot->round.current];

	chunk->rows += frame->records;
	chunk->last = (struct position) {frame->last_commit, frame->last_ordinal};
}

int
snapshot_poll_fds(const struct snapshot *snapshot, struct pollfd *fds)
{
	for (int i = 0; i < snapshot->reader_count; i++)
		fds[i] = (struct pollfd) {reader_fd(snapshot->readers[i]), POLLIN, 0};
	return snapshot->reader_count;
}

/* What waits for a time, or for the stream to be quiet. */
int
snapshot_timeout(const struct snapshot *snapshot)
{
	switch (snapshot->phase)
	{
		case SNAPSHOT_OFF:
			return snapshot->stream != NULL && !snapshot->plan.paused &&
				snapshot_plan_next(&snapshot->plan) != NULL ? 10 : -1;
		case SNAPSHOT_WRITERS:
		case SNAPSHOT_DROP:
		case SNAPSHOT_STILL:
		case SNAPSHOT_GATHER:
		case SNAPSHOT_REST:
			return 1;
		default:
			return -1;
	}
}

static void
drop_kept(struct snapshot *snapshot)
{
	if (snapshot->kept)
		stream_free_buffer(snapshot->message.buffer);
	snapshot->kept = false;
}
