/*
 * recovery.c
 *		What is closed is opened, and what breaks is closed: stream and sink.
 *
 * The connection is opened only when the ledger is empty, at what is
 * confirmable then, so a reconnect repeats nothing that is still on its way.
 */
#include "run_state.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "ready.h"
#include "signals.h"

#define STATE_AGAIN_MS		1000	/* Kafka, or a standby, is to be asked */

static void open_stream(struct run *run);
static bool is_once(const struct run *run);
static void prepare_sink(struct run *run);
static void start_stream(struct run *run, const char *routes);
static bool admitted(struct run *run);
static void heed_claim(struct run *run, enum claim_answer answer);
static void drop_sink(struct run *run);

/* Opens what is closed, once its time has come. */
void
run_mend(struct run *run)
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
		snapshot_restart(run->snapshot);
	}
	if (run->stopping || clock_ms() < run->retry.at)
		return;
	if (run->sink == NULL && !run_open_sink(run))
	{
		metrics.restarts[RESTART_OPEN]++;
		retry_plan(&run->retry, 0);
		return;
	}
	if (!stream_is_open(run->stream) && ledger_is_empty(&run->ledger) &&
		sink_stage(run->sink) != SINK_PREPARING)
		open_stream(run);
	else if (stream_is_open(run->stream))
		retry_steady(&run->retry, run->ledger.confirmable);
}

bool
run_open_sink(struct run *run)
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

	if (signals_asked())
		log_debug("asked to stop while connecting");
	else if (answer != CLAIM_GRANTED)
		heed_claim(run, answer);
	else if (sink_stage(run->sink) == SINK_UNPREPARED)
		prepare_sink(run);
	else if (run->claim.passed && is_once(run))
	{
		log_info("another program has had the slot meanwhile: asking Kafka "
				 "for the position anew");
		drop_sink(run);
	}
	else
		start_stream(run, routes);
	free(routes);
}

static bool
is_once(const struct run *run)
{
	return run->config->processing_guarantee == EXACTLY_ONCE;
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
		run_leave(run, EXIT_PERSON);
}

/* From what is confirmable, or where the log goes on otherwise before that. */
static void
start_stream(struct run *run, const char *routes)
{
	lsn_t		start = run->ledger.confirmable;
	lsn_t		left_at;

	/* what the sink told may be of an earlier timeline: the keeper judges it */
	if (!stream_open(run->stream, keeper_is_told(run->keeper) ? LSN_INVALID :
					 start, run->ledger.sent.commit))
	{
		run_lose_stream(run);
		return;
	}
	left_at = stream_left_at(run->stream);
	if (left_at != LSN_INVALID)
		claim_cut(&run->claim, left_at);
	if (!admitted(run))
		return;
	if (keeper_is_told(run->keeper))
		claim_cut(&run->claim, keeper_recorded(run->keeper));
	start = run->ledger.confirmable;
	cursor_connect(&run->cursor);
	if (!stream_start(run->stream, start, routes, run->retry.careful))
	{
		run_lose_stream(run);
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
	snapshot_stream_opened(run->snapshot, run->stream, routes,
						   keeper_keeps(run->keeper) &&
						   keeper_recorded(run->keeper) == LSN_INVALID);
	retry_opened(&run->retry, run->ledger.confirmable);
	feedback_restart(&run->feedback, stream_patience(run->stream));
	run->progress_at = clock_ms();
}

/* Whether the state record knows nothing against this server and slot. */
static bool
admitted(struct run *run)
{
	if (run->claim.passed)
		keeper_doubt(run->keeper);
	switch (keeper_admit(run->keeper, run->stream))
	{
		case KEEPER_GO:
			return true;
		case KEEPER_BUSY:
			heed_claim(run, CLAIM_TAKEN);
			break;
		case KEEPER_LATER:
			run_close_stream(run);
			retry_at_once(&run->retry, clock_ms() + STATE_AGAIN_MS);
			break;
		case KEEPER_LOST:
			run_lose_stream(run);
			break;
		case KEEPER_PERSON:
			run_leave(run, EXIT_PERSON);
			break;
	}
	return false;
}

/* Anything but a grant: no stream now. */
static void
heed_claim(struct run *run, enum claim_answer answer)
{
	if (answer != CLAIM_GRANTED)
		run_close_stream(run);
	ready_set(READY_STANDBY, answer == CLAIM_TAKEN);
	switch (answer)
	{
		case CLAIM_GRANTED:
			break;
		case CLAIM_TAKEN:
			keeper_doubt(run->keeper);
			/* a place in the sink that was prepared went with the slot */
			if (is_once(run) && sink_stage(run->sink) == SINK_READY)
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
				run_leave(run, run->claim.status);
			break;
		case CLAIM_REFUSED:
			run_leave(run, run->claim.status);
			break;
	}
}

void
run_close_stream(struct run *run)
{
	snapshot_stream_lost(run->snapshot);
	stream_close(run->stream);
}

/* The connection is gone; what the ledger holds is delivered all the same. */
void
run_lose_stream(struct run *run)
{
	bool		streaming = stream_is_open(run->stream);

	run_close_stream(run);
	claim_free(&run->claim);
	if (run->stopping || signals_asked() || run->done)
		return;
	metrics.losses[stream_reaction(run->stream)]++;
	if (stream_reaction(run->stream) == REACTION_STANDBY)
	{
		claim_cut(&run->claim, LSN_INVALID);
		heed_claim(run, CLAIM_TAKEN);
	}
	else if (!retry_after(&run->retry, stream_reaction(run->stream),
					 run->ledger.confirmable, streaming))
		run_begin_stop(run, EXIT_PERSON);
}

/* Nothing of the ledger can be relied on: all of it is sent again, anew. */
void
run_restart(struct run *run)
{
	if (run->abandoning || run->done)
		return;
	if (stream_is_open(run->stream))
		stream_confirm(run->stream, run_on_record(run));
	run_close_stream(run);
	drop_sink(run);
	retry_plan(&run->retry, 0);
}

/* Once it has let go, run_mend() opens another. */
static void
drop_sink(struct run *run)
{
	run->sink->ops->abandon(run->sink);
	run->abandoning = true;
	ready_set(READY_RESTART, true);
}
