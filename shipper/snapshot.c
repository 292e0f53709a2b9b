/*
 * snapshot.c
 *		Copies the rows that tables have already, between the changes.
 */
#include "snapshot_state.h"

#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "metrics.h"
#include "replcommand.h"

#define WAIT_MS		100		/* people may cancel meanwhile */

static void count_hold(struct snapshot *snapshot);
static void drop_kept(struct snapshot *snapshot);

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
	return snapshot->made.conn != NULL;
}

struct snapshot_table *
snapshot_next_table(const struct snapshot *snapshot)
{
	return snapshot_plan_next(&snapshot->plan, snapshot_is_initial(snapshot));
}

bool
snapshot_has_work(const struct snapshot *snapshot)
{
	return snapshot->stream != NULL && !snapshot->plan.paused &&
		snapshot_next_table(snapshot) != NULL;
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

/* --- the loop ---------------------------------------------------------- */

void
snapshot_stream_opened(struct snapshot *snapshot, struct stream *stream,
					   const char *routes, bool fresh)
{
	snapshot_stream_lost(snapshot);
	if (snapshot->all && fresh && !snapshot_is_initial(snapshot))
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
	{
		snapshot_abandon(snapshot, 0);
		if (snapshot_is_initial(snapshot))
			snapshot_end_initial(snapshot);
	}
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
	snapshot_tell(snapshot);
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
	int64_t		left = snapshot->not_before - clock_ms();

	switch (snapshot->phase)
	{
		case SNAPSHOT_OFF:
			if (!snapshot_has_work(snapshot))
				return -1;
			break;
		case SNAPSHOT_WRITERS:
		case SNAPSHOT_DROP:
		case SNAPSHOT_REST:
			break;
		case SNAPSHOT_STILL:
		case SNAPSHOT_GATHER:
			return 1;
		default:
			return -1;
	}
	return left <= 1 ? 1 : left < WAIT_MS ? (int) left : WAIT_MS;
}

static void
drop_kept(struct snapshot *snapshot)
{
	if (snapshot->kept)
		stream_free_buffer(snapshot->message.buffer);
	snapshot->kept = false;
}
