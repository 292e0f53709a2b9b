/*
 * run.c
 *		The loop that ships: slot to sink, until asked to stop.
 *
 * One thread, one poll() over the replication socket, the sink's descriptor
 * and the signal pipe.  The connection is opened only when the ledger is
 * empty, at what is confirmable then, so a reconnect repeats nothing that is
 * still on its way.  Whatever breaks is closed and tried again after a
 * growing delay (retry.c), here and nowhere else.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "claim.h"
#include "clock.h"
#include "cursor.h"
#include "feedback.h"
#include "keeper.h"
#include "ledger.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "monitor.h"
#include "ready.h"
#include "retry.h"
#include "server.h"
#include "sink.h"
#include "stream.h"

#define RECORDS_MAX			65536	/* bounds what librdkafka holds of each */
#define STATISTICS_MS		60000
#define STALLED_MS			5000	/* nothing acknowledged for so long */
#define STATE_AGAIN_MS		1000	/* Kafka, or a standby, is to be asked */
#define ABANDON_MS			5000	/* at the end, for threads to let go */

struct run
{
	const struct config *config;	/* borrowed */
	struct ledger ledger;
	struct cursor cursor;
	struct claim claim;			/* on the slot */
	struct stream *stream;		/* owned */
	struct monitor *monitor;	/* owned */
	struct sink *sink;			/* owned; NULL between two of them */
	bool		abandoning;		/* the sink is letting go */

	struct keeper *keeper;		/* owned */
	struct retry retry;
	struct feedback feedback;
	uint64_t	last_outstanding;
	int64_t		progress_at;	/* ms; last delivery, or ledger was empty */
	int64_t		statistics_at;

	bool		stopping;
	enum exit_status stop_status;	/* once all is delivered */
	int64_t		stop_deadline;
	bool		done;
	enum exit_status status;	/* when done */
};

/* signal handlers reach no other way */
static volatile sig_atomic_t stop_asked = 0;
static int	signal_pipe[2] = {-1, -1};

static void catch_signals(void);
static void on_signal(int number);
static void wait_for_events(struct run *run);
static int	next_timeout(const struct run *run);
static int64_t status_due(const struct run *run);
static bool is_full(const struct run *run);
static void serve_sink(struct run *run);
static void receive(struct run *run);
static bool receive_one(struct run *run);
static void heed_question(struct run *run);
static void advance(struct run *run);
static void confirm(struct run *run);
static lsn_t on_record(const struct run *run);
static lsn_t confirmable(const struct run *run);
static void keep_state(struct run *run);
static struct keeper_facts facts(const struct run *run);
static bool admitted(struct run *run);
static bool heed_options(struct run *run);
static uint64_t outstanding(const struct run *run);
static void watch_progress(struct run *run);
static void mend(struct run *run);
static void open_stream(struct run *run);
static void prepare_sink(struct run *run);
static void start_stream(struct run *run, const char *routes);
static void heed_claim(struct run *run, enum claim_answer answer);
static bool reopen_sink(struct run *run);
static void lose_stream(struct run *run);
static void restart_all(struct run *run);
static void drop_sink(struct run *run);
static void begin_stop(struct run *run, enum exit_status status);
static void leave(struct run *run, enum exit_status status);
static void stop_gently(struct run *run);
static bool state_is_final(struct run *run);
static void statistics(struct run *run);
static void confirm_late(struct run *run);
static void finish(struct run *run);

enum exit_status
run(const struct config *config)
{
	struct run *run = mem_zalloc(sizeof(*run));
	enum exit_status status;

	/* one arena is enough, and each more costs memory for good */
	mallopt(M_ARENA_MAX, 2);
	catch_signals();
	server_watch(&stop_asked);
	srandom((unsigned) clock_ms() ^ (unsigned) getpid());	/* retry.c's jitter */
	run->config = config;
	ledger_init(&run->ledger, stream_free_buffer);
	run->ledger.done = metrics_frame_done;
	run->ledger.hold = config->processing_guarantee == EXACTLY_ONCE;
	cursor_init(&run->cursor, &run->ledger);
	claim_init(&run->claim, config, &run->ledger);
	run->stream = stream_init(config, sink_max_record(config), &stop_asked);
	run->statistics_at = clock_ms() + STATISTICS_MS;
	run->monitor = monitor_open(config, signal_pipe[1]);
	run->keeper = keeper_open(config, &stop_asked);
	if (run->monitor == NULL || run->keeper == NULL || !reopen_sink(run))
		leave(run, EXIT_USAGE);

	while (!run->done)
	{
		serve_sink(run);
		receive(run);
		advance(run);
		keep_state(run);
		confirm(run);
		watch_progress(run);
		mend(run);
		stop_gently(run);
		statistics(run);
		if (run->done)
			break;
		monitor_turn(run->monitor, &run->ledger, &run->cursor);
		wait_for_events(run);
	}
	finish(run);
	monitor_close(run->monitor);
	status = run->status;
	free(run);
	return status;
}

/* The second signal does not wait: nothing unconfirmed is lost by it. */
static void
on_signal(int number)
{
	int			saved = errno;

	(void) number;
	if (stop_asked)
		_exit(EXIT_ASKED);
	stop_asked = 1;
	if (write(signal_pipe[1], "s", 1) < 0)
		stop_asked = 1;			/* poll() is interrupted anyway */
	errno = saved;
}

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		abort();
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

/* A full ledger stops reading: TCP then stalls the walsender. */
static void
wait_for_events(struct run *run)
{
	struct pollfd fds[4] = {
		{signal_pipe[0], POLLIN, 0},
		{stream_fd(run->stream), 0, 0},
		{-1, 0, 0},
		{-1, 0, 0},
	};
	char		bytes[16];

	if (!is_full(run))
		fds[1].events |= POLLIN;
	if (stream_wants_write(run->stream))
		fds[1].events |= POLLOUT;
	if (fds[1].events == 0)
		fds[1].fd = -1;
	if (run->sink != NULL)
		run->sink->ops->poll_fd(run->sink, &fds[2]);
	keeper_poll_fd(run->keeper, &fds[3]);

	if (poll(fds, 4, next_timeout(run)) <= 0)
		return;
	while (read(signal_pipe[0], bytes, sizeof(bytes)) > 0)
		continue;
	if ((fds[1].revents & ~POLLOUT) != 0)
		stream_read(run->stream);
	if ((fds[1].revents & POLLOUT) != 0 && !stream_flush(run->stream))
		lose_stream(run);
}

static int
next_timeout(const struct run *run)
{
	int64_t		now = clock_ms();
	int64_t		next = now + MONITOR_TURN_MS;
	int			sink_ms = -1;
	int			keeper_ms = keeper_timeout(run->keeper);

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
	return next > now ? (int) (next - now) : 0;
}

static int64_t
status_due(const struct run *run)
{
	return feedback_due(&run->feedback, on_record(run),
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
			restart_all(run);
			break;
		case HEALTH_HOPELESS:
			leave(run, EXIT_PERSON);
			break;
	}
}

/* What one read brought may be many frames, and each goes on at once. */
static void
receive(struct run *run)
{
	while (!run->done && stream_is_open(run->stream))
	{
		advance(run);
		if (is_full(run) || !receive_one(run))
			break;
	}
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
			if (ledger_is_empty(&run->ledger))
				run->progress_at = clock_ms();
			if (cursor_begin(&run->cursor, message.buffer, message.size,
							 message.frame, message.frame_size))
				return heed_options(run);
			metrics.restarts[RESTART_FRAME]++;
			restart_all(run);
			return false;
		case STREAM_ANSWER:
			heed_question(run);
			return true;
		case STREAM_KEEPALIVE:
			return true;
		case STREAM_WAIT:
			return false;
		case STREAM_LOST:
			lose_stream(run);
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
		on_record(run) != run->feedback.confirmed ||
		(on_record(run) != confirmable(run) &&
		 keeper_delay(run->keeper) < run->config->release_after * 1000))
		return;
	log_info("the server is stopping: letting go of it");
	stream_close(run->stream);
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
		restart_all(run);
	}
}

static void
confirm(struct run *run)
{
	if (!stream_is_open(run->stream) || clock_ms() < status_due(run))
		return;
	feedback_sent(&run->feedback, on_record(run));
	if (!stream_confirm(run->stream, run->feedback.confirmed))
		lose_stream(run);
}

/* Delivered, and on record. */
static lsn_t
on_record(const struct run *run)
{
	return keeper_bound(run->keeper, confirmable(run));
}

static lsn_t
confirmable(const struct run *run)
{
	return run->ledger.confirmable;
}

static struct keeper_facts
facts(const struct run *run)
{
	return (struct keeper_facts) {
		.confirmable = confirmable(run),
		.delivered = run->ledger.acked,
		.sent = run->ledger.sent,
		.wanted = run->feedback.wanted,
	};
}

static void
keep_state(struct run *run)
{
	struct keeper_facts now = facts(run);

	if (!run->done && keeper_serve(run->keeper, &now) == KEEPER_PERSON)
		leave(run, EXIT_PERSON);
}

/* What the frame at the cursor told; no record of it was sent yet. */
static bool
heed_options(struct run *run)
{
	if (!run->cursor.frame.first ||
		keeper_fingerprint(run->keeper, run->cursor.fingerprint) == KEEPER_GO)
		return true;
	leave(run, EXIT_PERSON);
	return false;
}

/* Deliveries; while the cursor holds a frame the ledger counts one more. */
static uint64_t
outstanding(const struct run *run)
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

	if (stream_is_open(run->stream) &&
		now - run->progress_at >= run->config->release_after * 1000)
	{
		log_warning("nothing was delivered for %d s: letting go of the "
					"replication connection until it is",
					run->config->release_after);
		stream_close(run->stream);
		retry_at_once(&run->retry, now);
	}
}

/* Opens what is closed, once its time has come. */
static void
mend(struct run *run)
{
	if (run->done)
		return;
	if (run->abandoning)
	{
		if (!run->sink->ops->abandoned(run->sink))
			return;
		run->sink->ops->close(run->sink);
		run->sink = run->cursor.sink = NULL;
		run->abandoning = false;
		cursor_drop(&run->cursor);
		cursor_connect(&run->cursor);
		ledger_reset(&run->ledger);
	}
	if (run->stopping || clock_ms() < run->retry.at)
		return;
	if (run->sink == NULL && !reopen_sink(run))
	{
		metrics.restarts[RESTART_OPEN]++;
		retry_plan(&run->retry, 0);
		return;
	}
	if (!stream_is_open(run->stream) && ledger_is_empty(&run->ledger) &&
		sink_stage(run->sink) != SINK_PREPARING)
		open_stream(run);
	else if (stream_is_open(run->stream))
		retry_steady(&run->retry, confirmable(run));
}

static bool
reopen_sink(struct run *run)
{
	run->sink = run->cursor.sink = sink_open(run->config, &run->ledger);
	return run->sink != NULL;
}

static void
open_stream(struct run *run)
{
	char	   *routes = NULL;
	enum claim_answer answer = claim_ask(&run->claim,
										 keeper_keeps(run->keeper), &routes);

	if (stop_asked)
		log_debug("asked to stop while connecting");
	else if (answer != CLAIM_GRANTED)
		heed_claim(run, answer);
	else if (sink_stage(run->sink) == SINK_UNPREPARED)
		prepare_sink(run);
	else
		start_stream(run, routes);
	free(routes);
}

static void
prepare_sink(struct run *run)
{
	enum keeper_answer answer = keeper_prepare(run->keeper);

	if (answer == KEEPER_GO)
		run->sink->ops->prepare(run->sink, run->keeper);
	else if (answer == KEEPER_LATER)
		retry_at_once(&run->retry, clock_ms() + STATE_AGAIN_MS);
	else
		leave(run, EXIT_PERSON);
}

/* From what is confirmable, or where the log goes on otherwise before that. */
static void
start_stream(struct run *run, const char *routes)
{
	lsn_t		start = run->ledger.confirmable;
	lsn_t		left_at;

	if (!stream_open(run->stream, start, run->ledger.sent.commit))
	{
		lose_stream(run);
		return;
	}
	left_at = stream_left_at(run->stream);
	if (left_at != LSN_INVALID)
		claim_cut(&run->claim, left_at);
	if (!admitted(run))
		return;
	start = run->ledger.confirmable;
	cursor_connect(&run->cursor);
	if (!stream_start(run->stream, start, routes, run->retry.careful))
	{
		lose_stream(run);
		return;
	}
	heed_claim(run, claim_have(&run->claim, stream_process(run->stream),
							   keeper_recorded(run->keeper)));
	if (!stream_is_open(run->stream))
		return;
	if (start == LSN_INVALID)
		log_info("streaming slot \"%s\" from where it stands",
				 run->config->slot);
	else
		log_info("streaming slot \"%s\" from " LSN_FORMAT,
				 run->config->slot, LSN_ARGS(start));
	metrics.streams++;
	retry_opened(&run->retry, confirmable(run));
	feedback_restart(&run->feedback, stream_patience(run->stream));
	run->progress_at = clock_ms();
}

/* Whether the state record knows nothing against this server and slot. */
static bool
admitted(struct run *run)
{
	switch (keeper_admit(run->keeper, run->stream))
	{
		case KEEPER_GO:
			return true;
		case KEEPER_BUSY:
			heed_claim(run, CLAIM_TAKEN);
			break;
		case KEEPER_LATER:
			stream_close(run->stream);
			retry_at_once(&run->retry, clock_ms() + STATE_AGAIN_MS);
			break;
		case KEEPER_LOST:
			lose_stream(run);
			break;
		case KEEPER_PERSON:
			leave(run, EXIT_PERSON);
			break;
	}
	return false;
}

/* Anything but a grant: no stream now. */
static void
heed_claim(struct run *run, enum claim_answer answer)
{
	if (answer != CLAIM_GRANTED)
		stream_close(run->stream);
	ready_set(READY_STANDBY, answer == CLAIM_TAKEN);
	switch (answer)
	{
		case CLAIM_GRANTED:
			break;
		case CLAIM_TAKEN:
			/* a place in the sink that was prepared went with the slot */
			if (run->sink->ops->stage != NULL &&
				sink_stage(run->sink) == SINK_READY)
				drop_sink(run);
			retry_at_once(&run->retry, clock_ms() +
						  run->config->standby_check_interval * 1000);
			break;
		case CLAIM_LATER:
			metrics.losses[REACTION_RETRY]++;
			retry_plan(&run->retry, 0);
			break;
		case CLAIM_LOGIN:
			metrics.losses[REACTION_CONFIG]++;
			if (!retry_after(&run->retry, REACTION_CONFIG,
							 run->ledger.confirmable, false))
				leave(run, run->claim.status);
			break;
		case CLAIM_REFUSED:
			leave(run, run->claim.status);
			break;
	}
}

/* The connection is gone; what the ledger holds is delivered all the same. */
static void
lose_stream(struct run *run)
{
	bool		streaming = stream_is_open(run->stream);

	stream_close(run->stream);
	claim_free(&run->claim);
	if (run->stopping || stop_asked || run->done)
		return;
	metrics.losses[stream_reaction(run->stream)]++;
	if (stream_reaction(run->stream) == REACTION_STANDBY)
	{
		claim_cut(&run->claim, LSN_INVALID);
		heed_claim(run, CLAIM_TAKEN);
	}
	else if (!retry_after(&run->retry, stream_reaction(run->stream),
					 run->ledger.confirmable, streaming))
		begin_stop(run, EXIT_PERSON);
}

/* Nothing of the ledger can be relied on: all of it is sent again, anew. */
static void
restart_all(struct run *run)
{
	if (run->abandoning || run->done)
		return;
	if (stream_is_open(run->stream))
		stream_confirm(run->stream, on_record(run));
	stream_close(run->stream);
	drop_sink(run);
	retry_plan(&run->retry, 0);
}

/* Once it has let go, mend() opens another. */
static void
drop_sink(struct run *run)
{
	run->sink->ops->abandon(run->sink);
	run->abandoning = true;
	ready_set(READY_RESTART, true);
}

static void
leave(struct run *run, enum exit_status status)
{
	if (run->done)
		return;
	run->done = true;
	run->status = status;
	ready_set(READY_STOPPING, true);
}

/* Nothing new is read, what is on its way may arrive. */
static void
begin_stop(struct run *run, enum exit_status status)
{
	if (run->done || run->stopping)
		return;
	log_info("stopping: %" PRIu64 " records are on their way",
			 outstanding(run));
	run->stopping = true;
	ready_set(READY_STOPPING, true);
	run->stop_status = status;
	run->stop_deadline = clock_ms() + run->config->shutdown_timeout * 1000;
}

/* Asked to stop, or what comes next needs a person. */
static void
stop_gently(struct run *run)
{
	if (stop_asked)
		begin_stop(run, EXIT_ASKED);
	if (!run->stopping || run->done)
		return;
	if (run->abandoning || (ledger_is_empty(&run->ledger) &&
							state_is_final(run)))
		leave(run, run->stop_status);
	else if (clock_ms() >= run->stop_deadline)
	{
		log_warning("gave up on %" PRIu64 " records after %d s: they will be "
					"sent again", outstanding(run),
					run->config->shutdown_timeout);
		leave(run, run->stop_status);
	}
}

/* The record comes before the last confirmation. */
static bool
state_is_final(struct run *run)
{
	struct keeper_facts last = facts(run);

	return keeper_finish(run->keeper, &last) ||
		clock_ms() >= run->stop_deadline;
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
			 metrics.produced, metrics.repeated, outstanding(run),
			 LSN_ARGS(run->ledger.confirmable));
	if (metrics.truncates + metrics.no_identity + metrics.stubs +
		metrics.dropped + metrics.no_messages > 0)
		log_info("truncates skipped %" PRIu64 ", changes that name no row %"
				 PRIu64 ", stubs %" PRIu64 ", dropped %" PRIu64
				 ", messages ignored %" PRIu64, metrics.truncates,
				 metrics.no_identity, metrics.stubs, metrics.dropped,
				 metrics.no_messages);
}

/* A consumer that had some of it takes other records for repeats. */
static void
warn_of_part(const struct ledger *ledger)
{
	if (ledger->sent.commit != LSN_INVALID &&
		ledger->sent.commit >= ledger->confirmable)
		log_warning("left off inside the transaction with the commit LSN "
					LSN_FORMAT ": until it is through, keep the settings that "
					"decide which records there are",
					LSN_ARGS(ledger->sent.commit));
}

/*
 * What lay before a change that halts the stream was delivered after the
 * stream broke; it need not be sent again by each start until the change is
 * mended.
 */
static void
confirm_late(struct run *run)
{
	lsn_t		lsn = on_record(run);

	if (lsn > run->feedback.confirmed &&
		stream_open(run->stream, lsn, run->ledger.sent.commit) &&
		stream_left_at(run->stream) == LSN_INVALID)
		stream_advance(run->stream, lsn);
}

/*
 * The server learns what was delivered, then all is freed.  A sink whose
 * threads do not let go in time is left to the end of the process, and the
 * bytes it points to with it.
 */
static void
finish(struct run *run)
{
	int64_t		deadline = clock_ms() + ABANDON_MS;

	warn_of_part(&run->ledger);
	if (stream_is_open(run->stream) &&
		stream_confirm(run->stream, on_record(run)))
		stream_finish(run->stream);
	else if (run->stop_status == EXIT_PERSON && !stop_asked)
		confirm_late(run);
	stream_free(run->stream);
	claim_free(&run->claim);
	keeper_close(run->keeper);
	if (run->sink != NULL)
	{
		run->sink->ops->abandon(run->sink);
		while (!run->sink->ops->abandoned(run->sink) && clock_ms() < deadline)
			poll(NULL, 0, 10);
		if (!run->sink->ops->abandoned(run->sink))
			return;
		run->sink->ops->close(run->sink);
	}
	cursor_drop(&run->cursor);
	cursor_free(&run->cursor);
	ledger_reset(&run->ledger);
	log_info("left off at " LSN_FORMAT, LSN_ARGS(run->ledger.confirmable));
}
