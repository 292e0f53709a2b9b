/*
 * run.c
 *		The loop that ships: slot to sink, until asked to stop.
 *
 * One thread, one poll() over the replication socket, the sink's descriptors
 * and the signal pipe.  Whatever breaks is closed and tried again after a
 * growing delay, in recovery.c and nowhere else.
 */
#include "run.h"

#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "control_command.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "ready.h"
#include "run_state.h"
#include "server.h"
#include "signals.h"

#define FD_COUNT			4		/* signals, stream, sink, state record */

/*
 * librdkafka keeps some 240 bytes of its own for each record in flight.  More
 * records are no faster: they only leave the processor's caches meanwhile.
 */
#define RECORDS_MAX			16384

/* After so many the loop looks at all else, delivery reports to begin with. */
#define RECORDS_TURN		256

#define STATISTICS_MS		60000
#define STALLED_MS			5000	/* nothing acknowledged for so long */

static void wait_for_events(struct run *run);
static json_t *answer(void *context, const json_t *request);
static int	next_timeout(const struct run *run);
static int64_t status_due(const struct run *run);
static bool is_full(const struct run *run);
static void serve_sink(struct run *run);
static void serve_snapshot(struct run *run);
static void receive(struct run *run);
static bool take_snapshot(struct run *run);
static void leave_copied(struct run *run);
static bool take_frame(struct run *run, const struct stream_message *message);
static bool receive_one(struct run *run);
static void heed_question(struct run *run);
static void advance(struct run *run);
static void forward(struct run *run);
static void confirm(struct run *run);
static lsn_t confirmable(const struct run *run);
static void keep_state(struct run *run);
static bool heed_options(struct run *run);
static void watch_progress(struct run *run);
static void statistics(struct run *run);

enum exit_status
run(const struct config *config, const struct run_wish *wish)
{
	struct run *run = mem_zalloc(sizeof(*run));
	enum exit_status status;

	/* one arena is enough, and each more costs memory for good */
	mallopt(M_ARENA_MAX, 2);
	signals_catch();
	server_watch(signals_stop());
	srandom((unsigned) clock_ms() ^ (unsigned) getpid());	/* retry.c's jitter */
	run->config = config;
	ledger_init(&run->ledger, stream_free_buffer);
	run->ledger.done = metrics_frame_done;
	run->ledger.hold = config->processing_guarantee == EXACTLY_ONCE;
	cursor_init(&run->cursor, &run->ledger);
	claim_init(&run->claim, config, &run->ledger);
	run->stream = stream_init(config, sink_max_record(config), signals_stop());
	run->statistics_at = clock_ms() + STATISTICS_MS;
	run->monitor = monitor_open(config, signals_wake_fd());
	run->snapshot = snapshot_open(config, sink_max_record(config),
								  &run->cursor.sent);
	snapshot_wish(run->snapshot, &wish->made, wish->all);
	run->keeper = keeper_open(config, signals_stop(),
							  snapshot_plan(run->snapshot));
	run->control = control_open(config);
	if (run->monitor == NULL || run->keeper == NULL || run->control == NULL ||
		!run_open_sink(run))
		run_leave(run, EXIT_USAGE);

	while (!run->done)
	{
		serve_sink(run);
		serve_snapshot(run);
		receive(run);
		advance(run);
		forward(run);
		keep_state(run);
		confirm(run);
		watch_progress(run);
		run_mend(run);
		if (wish->leave)
			leave_copied(run);
		run_stop_gently(run);
		statistics(run);
		if (run->done)
			break;
		monitor_turn(run->monitor, &run->ledger, &run->cursor);
		wait_for_events(run);
	}
	control_close(run->control);
	run_finish(run);
	monitor_close(run->monitor);
	status = run->status;
	free(run);
	return status;
}

/* A full ledger stops reading: TCP then stalls the walsender. */
static void
wait_for_events(struct run *run)
{
	struct pollfd fds[FD_COUNT + CONTROL_FDS + SNAPSHOT_CONNECTIONS_MAX] = {
		{signals_fd(), POLLIN, 0},
		{stream_fd(run->stream), 0, 0},
		{-1, 0, 0},
		{-1, 0, 0},
	};
	nfds_t		count = FD_COUNT + CONTROL_FDS;
	int			ready;

	if (!is_full(run) && !snapshot_holds(run->snapshot))
		fds[1].events |= POLLIN;
	if (stream_wants_write(run->stream))
		fds[1].events |= POLLOUT;
	if (fds[1].events == 0)
		fds[1].fd = -1;
	if (run->sink != NULL)
		run->sink->ops->poll_fd(run->sink, &fds[2]);
	keeper_poll_fd(run->keeper, &fds[3]);
	control_poll(run->control, &fds[FD_COUNT]);
	if (!is_full(run))
		count += (nfds_t) snapshot_poll_fds(run->snapshot, &fds[count]);

	ready = poll(fds, count, next_timeout(run));
	control_serve(run->control, &fds[FD_COUNT], answer, run);
	if (ready <= 0)
		return;
	if (fds[0].revents != 0)
		signals_drain();
	if ((fds[1].revents & ~POLLOUT) != 0)
		stream_read(run->stream);
	if ((fds[1].revents & POLLOUT) != 0 && !stream_flush(run->stream))
		run_lose_stream(run);
}

static json_t *
answer(void *context, const json_t *request)
{
	struct run *run = context;

	return control_command(request, run->config->slot, run->snapshot,
						   run->keeper);
}

static int
next_timeout(const struct run *run)
{
	int64_t		now = clock_ms();
	int64_t		next = now + MONITOR_TURN_MS;
	int			sink_ms = -1;
	int			keeper_ms = keeper_timeout(run->keeper);
	int			snapshot_ms = snapshot_timeout(run->snapshot);

	if (stream_is_open(run->stream))
	{
		if (status_due(run) < next)
			next = status_due(run);
	}
	else if (run->retry.at > now && run->retry.at < next)
		next = run->retry.at;
	if (run->stopping && run->stop_deadline < next)
		next = run->stop_deadline;
	if (!ledger_is_empty(&run->ledger) &&
		run->progress_at + run->config->release_after * 1000 > now &&
		run->progress_at + run->config->release_after * 1000 < next)
		next = run->progress_at + run->config->release_after * 1000;
	if (run->sink != NULL)
		sink_ms = run->sink->ops->timeout(run->sink);
	if (sink_ms >= 0 && now + sink_ms < next)
		next = now + sink_ms;
	if (keeper_ms >= 0 && now + keeper_ms < next)
		next = now + keeper_ms;
	if (snapshot_ms >= 0 && now + snapshot_ms < next)
		next = now + snapshot_ms;
	return next > now && !run->more ? (int) (next - now) : 0;
}

static int64_t
status_due(const struct run *run)
{
	return feedback_due(&run->feedback, run_on_record(run),
						ledger_is_empty(&run->ledger));
}

/* An empty ledger takes a frame of any size. */
static bool
is_full(const struct run *run)
{
	return run->cursor.entry != NULL || run->stopping ||
		run->ledger.size >= run->config->max_in_flight ||
		run->ledger.outstanding >= RECORDS_MAX;
}

static void
serve_sink(struct run *run)
{
	enum sink_health health;

	if (run->sink == NULL)
		return;
	health = run->sink->ops->drain(run->sink);
	if (run->abandoning)
		return;
	switch (health)
	{
		case HEALTH_FINE:
			break;
		case HEALTH_BROKEN:
			run_restart(run);
			break;
		case HEALTH_HOPELESS:
			run_leave(run, EXIT_PERSON);
			break;
	}
}

static void
serve_snapshot(struct run *run)
{
	if (!run->stopping && !run->abandoning && !run->done)
		snapshot_serve(run->snapshot, run->ledger.acked, run->ledger.sent,
					   run->cursor.entry == NULL);
}

/*
 * What one read brought may be many frames: nothing wakes the loop for those
 * that are left.  The snapshot's go in first, while it holds the stream.
 */
static void
receive(struct run *run)
{
	uint64_t	before = metrics.received;

	run->more = false;
	while (!run->done && stream_is_open(run->stream))
	{
		advance(run);
		if (is_full(run))
			break;
		if (!take_snapshot(run) &&
			(snapshot_holds(run->snapshot) || !receive_one(run)))
			break;
		if (metrics.received - before >= RECORDS_TURN)
		{
			run->more = true;
			break;
		}
	}
}

/* Whether there was anything. */
static bool
take_snapshot(struct run *run)
{
	struct stream_message message;

	switch (snapshot_next(run->snapshot, &message))
	{
		case SNAPSHOT_NOTHING:
			return false;
		case SNAPSHOT_KEPT:
			return take_frame(run, &message);
		case SNAPSHOT_CHUNK:
			break;
	}
	if (cursor_begin_alone(&run->cursor, message.buffer, message.size,
						   message.frame, message.frame_size))
	{
		snapshot_took(run->snapshot, &run->cursor.frame);
		return true;
	}
	metrics.restarts[RESTART_FRAME]++;
	run_restart(run);
	return false;
}

/* That was all that was asked for, well or not. */
static void
leave_copied(struct run *run)
{
	if (!run->stopping && snapshot_has_ended(run->snapshot))
		run_begin_stop(run, snapshot_has_failed(run->snapshot) ? EXIT_PERSON :
					   EXIT_ASKED);
}

static bool
take_frame(struct run *run, const struct stream_message *message)
{
	if (ledger_is_empty(&run->ledger))
		run->progress_at = clock_ms();
	if (cursor_begin(&run->cursor, message->buffer, message->size,
					 message->frame, message->frame_size))
	{
		snapshot_note(run->snapshot, &run->cursor.frame);
		return heed_options(run);
	}
	metrics.restarts[RESTART_FRAME]++;
	run_restart(run);
	return false;
}

/* Whether it is worth asking for more. */
static bool
receive_one(struct run *run)
{
	struct stream_message message;

	switch (stream_receive(run->stream, &message))
	{
		case STREAM_FRAME:
			feedback_got_frame(&run->feedback);
			return snapshot_admits(run->snapshot, &message) &&
				take_frame(run, &message);
		case STREAM_ANSWER:
			heed_question(run);
			return true;
		case STREAM_KEEPALIVE:
			return true;
		case STREAM_WAIT:
			return false;
		case STREAM_LOST:
			run_lose_stream(run);
			return false;
	}
	return false;
}

/*
 * A server that stops asks without a pause until all it sent is confirmed.
 * When nothing is left to confirm it may still ask: for what was there before
 * the first frame.  It then stops only if it is left.
 */
static void
heed_question(struct run *run)
{
	if (!feedback_asked(&run->feedback) || !ledger_is_empty(&run->ledger) ||
		run_on_record(run) != run->feedback.confirmed ||
		(run_on_record(run) != confirmable(run) &&
		 keeper_delay(run->keeper) < run->config->release_after * 1000))
		return;
	log_info("the server is stopping: letting go of it");
	run_close_stream(run);
	retry_after(&run->retry, REACTION_WAIT, run->ledger.confirmable, true);
}

static void
advance(struct run *run)
{
	if (run->sink == NULL || run->abandoning || run->done ||
		keeper_holds(run->keeper))
		return;
	if (cursor_advance(&run->cursor) == CURSOR_BROKEN)
	{
		metrics.restarts[RESTART_FRAME]++;
		run_restart(run);
	}
}

static void
forward(struct run *run)
{
	if (run->sink != NULL && run->sink->ops->forward != NULL &&
		!run->abandoning && !run->done)
		run->sink->ops->forward(run->sink, run->stopping);
}

static void
confirm(struct run *run)
{
	if (!stream_is_open(run->stream) || clock_ms() < status_due(run))
		return;
	feedback_sent(&run->feedback, run_on_record(run));
	if (!stream_confirm(run->stream, run->feedback.confirmed))
		run_lose_stream(run);
}

/* Delivered, and on record. */
lsn_t
run_on_record(const struct run *run)
{
	return keeper_bound(run->keeper, confirmable(run));
}

static lsn_t
confirmable(const struct run *run)
{
	return run->ledger.confirmable;
}

struct keeper_facts
run_facts(const struct run *run)
{
	return (struct keeper_facts) {
		.confirmable = confirmable(run),
		.delivered = run->ledger.acked,
		.sent = run->ledger.sent,
		.wanted = run->feedback.wanted,
	};
}

/* Nothing wakes the loop for what was held and is here already. */
static void
keep_state(struct run *run)
{
	struct keeper_facts now = run_facts(run);
	bool		held = keeper_holds(run->keeper);

	if (!run->done && keeper_serve(run->keeper, &now) == KEEPER_PERSON)
		run_leave(run, EXIT_PERSON);
	if (held && !keeper_holds(run->keeper))
		run->more = true;
}

/* What the frame at the cursor told; no record of it was sent yet. */
static bool
heed_options(struct run *run)
{
	if (!run->cursor.frame.first ||
		keeper_fingerprint(run->keeper, run->cursor.fingerprint) == KEEPER_GO)
		return true;
	run_leave(run, EXIT_PERSON);
	return false;
}

/* Deliveries; while the cursor holds a frame the ledger counts one more. */
uint64_t
run_outstanding(const struct run *run)
{
	return run->ledger.outstanding - (run->cursor.entry != NULL);
}

/*
 * A server that stops waits for its walsenders, and they for us: when nothing
 * is delivered for long, the connection is let go and the ledger kept.
 */
static void
watch_progress(struct run *run)
{
	int64_t		now = clock_ms();

	if (ledger_is_empty(&run->ledger) ||
		run->ledger.outstanding < run->last_outstanding)
		run->progress_at = now;
	run->last_outstanding = run->ledger.outstanding;
	ready_set(READY_STALLED, now - run->progress_at >= STALLED_MS);

	if (stream_is_open(run->stream) && !snapshot_is_initial(run->snapshot) &&
		now - run->progress_at >= run->config->release_after * 1000)
	{
		log_warning("nothing was delivered for %d s: letting go of the "
					"replication connection until it is",
					run->config->release_after);
		run_close_stream(run);
		retry_at_once(&run->retry, now);
	}
}

static void
statistics(struct run *run)
{
	if (!run->done && clock_ms() < run->statistics_at)
		return;
	run->statistics_at = clock_ms() + STATISTICS_MS;
	log_info("received %" PRIu64 " records in %" PRIu64 " frames, sent %"
			 PRIu64 ", not sent again %" PRIu64 ", outstanding %" PRIu64
			 ", safe " LSN_FORMAT, metrics.received, metrics.frames,
			 metrics.produced, metrics.repeated, run_outstanding(run),
			 LSN_ARGS(run->ledger.confirmable));
	if (metrics.truncates + metrics.no_identity + metrics.stubs +
		metrics.dropped + metrics.no_messages > 0)
		log_info("truncates skipped %" PRIu64 ", changes that name no row %"
				 PRIu64 ", stubs %" PRIu64 ", dropped %" PRIu64
				 ", messages ignored %" PRIu64, metrics.truncates,
				 metrics.no_identity, metrics.stubs, metrics.dropped,
				 metrics.no_messages);
}
