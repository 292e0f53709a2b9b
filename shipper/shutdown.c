/*
 * shutdown.c
 *		The end: what is on its way arrives, the server learns of it.
 */
#include "run_state.h"

#include <inttypes.h>
#include <poll.h>

#include "clock.h"
#include "log.h"
#include "ready.h"
#include "signals.h"

#define ABANDON_MS			5000	/* for threads to let go */

static bool state_is_final(struct run *run);
static void warn_of_part(const struct ledger *ledger);
static void confirm_late(struct run *run);

void
run_leave(struct run *run, enum exit_status status)
{
	if (run->done)
		return;
	run->done = true;
	run->status = status;
	ready_set(READY_STOPPING, true);
}

/* Nothing new is read, what is on its way may arrive. */
void
run_begin_stop(struct run *run, enum exit_status status)
{
	if (run->done || run->stopping)
		return;
	log_info("stopping: %" PRIu64 " records are on their way",
			 run_outstanding(run));
	run->stopping = true;
	ready_set(READY_STOPPING, true);
	run->stop_status = status;
	run->stop_deadline = clock_ms() + run->config->shutdown_timeout * 1000;
}

/* Asked to stop, or what comes next needs a person. */
void
run_stop_gently(struct run *run)
{
	if (signals_asked())
		run_begin_stop(run, EXIT_ASKED);
	if (!run->stopping || run->done)
		return;
	if (run->abandoning || (ledger_is_empty(&run->ledger) &&
							state_is_final(run)))
		run_leave(run, run->stop_status);
	else if (clock_ms() >= run->stop_deadline)
	{
		log_warning("gave up on %" PRIu64 " records after %d s: they will be "
					"sent again", run_outstanding(run),
					run->config->shutdown_timeout);
		run_leave(run, run->stop_status);
	}
}

/* The record comes before the last confirmation. */
static bool
state_is_final(struct run *run)
{
	struct keeper_facts last = run_facts(run);

	return keeper_finish(run->keeper, &last) ||
		clock_ms() >= run->stop_deadline;
}

/*
 * The server learns what was delivered, then all is freed.  A sink whose
 * threads do not let go in time is left to the end of the process, and the
 * bytes it points to with it.
 */
void
run_finish(struct run *run)
{
	int64_t		deadline = clock_ms() + ABANDON_MS;

	if (!snapshot_sent(run->snapshot, run->ledger.sent))
		warn_of_part(&run->ledger);
	if (stream_is_open(run->stream) &&
		stream_confirm(run->stream, run_on_record(run)))
		stream_finish(run->stream);
	else if (run->stop_status == EXIT_PERSON && !signals_asked())
		confirm_late(run);
	stream_free(run->stream);
	claim_free(&run->claim);
	keeper_close(run->keeper);
	snapshot_close(run->snapshot);
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
 * mended.  Asked to stop, nobody waits for one more connection, which may take
 * minutes: the next start sends it once more.
 */
static void
confirm_late(struct run *run)
{
	lsn_t		lsn = run_on_record(run);

	if (lsn > run->feedback.confirmed &&
		stream_open(run->stream, lsn, run->ledger.sent.commit) &&
		stream_left_at(run->stream) == LSN_INVALID)
		stream_advance(run->stream, lsn);
}
