/*
 * keeper.c
 *		Keeps the state record up to date, and holds the slot to it.
 */
#include "keeper_state.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"

#define INTERVAL_MS		1000	/* between two records, on the average */
#define BURST_MS		10000	/* so many of these may go ahead of it */
#define AGAIN_MS		2000	/* after a record could not be written */
#define COMPLAIN_MS		60000

static enum keeper_answer drain(struct keeper *keeper);
static enum keeper_answer write_failed(struct keeper *keeper);
static void compose(const struct keeper *keeper,
					const struct keeper_facts *facts, bool last,
					struct state *state);
static struct position later(struct position a, struct position b);
static bool differs(const struct keeper *keeper, const struct state *state);
static bool must_begin(const struct keeper *keeper);
static void begin_writing(struct keeper *keeper, const struct state *state);

struct keeper *
keeper_open(const struct config *config, const volatile sig_atomic_t *stop,
			struct snapshot_plan *plan)
{
	struct keeper *keeper = mem_zalloc(sizeof(*keeper));
	bool		failed;

	keeper->config = config;
	keeper->plan = plan;
	keeper->transactional = config->processing_guarantee == EXACTLY_ONCE;
	keeper->store = store_open(config, stop, &failed);
	if (failed)
	{
		free(keeper);
		return NULL;
	}
	if (keeper->store == NULL)
		log_info("no state record is kept: a slot that was moved or made "
				 "anew, another server or one that was restored, and changed "
				 "settings cannot be noticed at the next start");
	return keeper;
}

bool
keeper_keeps(const struct keeper *keeper)
{
	return keeper->store != NULL;
}

bool
keeper_holds(const struct keeper *keeper)
{
	return keeper->store != NULL && !keeper->transactional &&
		must_begin(keeper);
}

enum keeper_answer
keeper_serve(struct keeper *keeper, const struct keeper_facts *facts)
{
	int64_t		now = clock_ms();
	enum keeper_answer answer;
	struct state state;

	if (keeper->store == NULL || keeper->transactional)
		return KEEPER_GO;
	answer = drain(keeper);
	if (!keeper->admitted || answer != KEEPER_GO)
		return answer;

	if (keeper_bound(keeper, facts->confirmable) == facts->confirmable)
		keeper->behind_since = 0;
	else if (keeper->behind_since == 0)
		keeper->behind_since = now;
	if (facts->sent.commit <= keeper->stored.sent.commit)
		keeper->unknown_since = 0;
	else if (keeper->unknown_since == 0)
		keeper->unknown_since = now;

	if (keeper->writing || keeper->finish_by != 0 ||
		now < keeper->retry_at ||
		(now < keeper->paid_until - BURST_MS && !facts->wanted &&
		 !must_begin(keeper)))
		return KEEPER_GO;
	compose(keeper, facts, false, &state);
	if (differs(keeper, &state) || (keeper->unknown_since > 0 &&
									now - keeper->unknown_since >= INTERVAL_MS))
		begin_writing(keeper, &state);
	return KEEPER_GO;
}

lsn_t
keeper_bound(const struct keeper *keeper, lsn_t confirmable)
{
	if (keeper->store == NULL)
		return confirmable;
	if (!keeper->known || !keeper->admitted)
		return LSN_INVALID;
	return confirmable < keeper->stored.confirmed ? confirmable :
		keeper->stored.confirmed;
}

bool
keeper_plan(const struct keeper *keeper, uint64_t *version)
{
	*version = keeper->stored_plan;
	return keeper->store != NULL;
}

int64_t
keeper_delay(const struct keeper *keeper)
{
	return keeper->behind_since > 0 ? clock_ms() - keeper->behind_since : 0;
}

bool
keeper_finish(struct keeper *keeper, const struct keeper_facts *facts)
{
	int64_t		now = clock_ms();
	struct state state;

	if (keeper->store == NULL || !keeper->admitted || keeper->transactional)
		return true;
	if (keeper->finish_by == 0)
		keeper->finish_by = now + keeper->config->release_after * 1000;
	drain(keeper);
	compose(keeper, facts, true, &state);
	if (!keeper->writing && !differs(keeper, &state))
		return true;
	if (now >= keeper->finish_by)
	{
		log_warning("could not write the state record to %s within %d s",
					store_where(keeper->store),
					keeper->config->release_after);
		return true;
	}
	if (!keeper->writing && now >= keeper->retry_at)
		begin_writing(keeper, &state);
	return false;
}

bool
keeper_has_news(const struct keeper *keeper)
{
	return keeper->admitted && keeper->stored_plan != keeper->plan->version;
}

char *
keeper_record(struct keeper *keeper, lsn_t confirmable,
			  struct position position)
{
	struct keeper_facts facts = {
		.confirmable = confirmable,
		.delivered = position,
		.sent = position,
	};

	compose(keeper, &facts, true, &keeper->next);
	keeper->next_plan = keeper->plan->version;
	return state_encode(&keeper->next,
						snapshot_plan_record(keeper->plan, position));
}

void
keeper_committed(struct keeper *keeper)
{
	keeper->stored = keeper->next;
	keeper->stored_plan = keeper->next_plan;
	keeper->known = keeper->worked = true;
	keeper_found(keeper, &keeper->stored);
	metrics.state_writes++;
	metrics.state_written_at = metrics_now();
}

void
keeper_poll_fd(const struct keeper *keeper, struct pollfd *fd)
{
	*fd = (struct pollfd) {-1, 0, 0};
	if (keeper->store != NULL)
		store_poll_fd(keeper->store, fd);
}

int
keeper_timeout(const struct keeper *keeper)
{
	int64_t		at = keeper->paid_until - BURST_MS;

	if (keeper->store == NULL || keeper->writing || keeper->transactional ||
		!keeper->admitted ||
		(keeper->behind_since == 0 && keeper->finish_by == 0 &&
		 !must_begin(keeper)))
		return -1;
	if (keeper->retry_at > at || keeper->finish_by != 0)
		at = keeper->retry_at;
	at -= clock_ms();
	return at > 0 ? (int) at : 0;
}

void
keeper_close(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	store_close(keeper->store);
	free(keeper);
}

static enum keeper_answer
drain(struct keeper *keeper)
{
	switch (store_drain(keeper->store))
	{
		case STORE_IDLE:
		case STORE_WRITING:
			return KEEPER_GO;
		case STORE_WRITTEN:
			keeper->stored = keeper->next;
			keeper->stored_plan = keeper->next_plan;
			keeper->known = keeper->worked = true;
			keeper->writing = false;
			metrics.state_writes++;
			metrics.state_written_at = metrics_now();
			if (keeper->complained_at > 0)
				log_info("the state record is written again");
			keeper->complained_at = 0;
			return KEEPER_GO;
		case STORE_FAILED:
			break;
	}
	keeper->writing = false;
	metrics.state_failures++;
	keeper->retry_at = clock_ms() + AGAIN_MS;
	return write_failed(keeper);
}

/*
 * At the start it is a matter of rights, for a person.  Later records go on
 * and are delivered; only the slot stays where it is, and keeps its WAL.
 */
static enum keeper_answer
write_failed(struct keeper *keeper)
{
	int64_t		now = clock_ms();
	bool		person;
	const char *error = store_error(keeper->store, &person);

	if (person && !keeper->worked)
	{
		log_error("could not write the state record to %s: %s",
				  store_where(keeper->store), error);
		log_hint("Allow the shipper's principal WRITE there; or do without "
				 "(state = none): see wal2kafka(1) for what cannot be noticed "
				 "then.");
		return KEEPER_PERSON;
	}
	if (keeper->complained_at == 0 ||
		now - keeper->complained_at >= COMPLAIN_MS)
	{
		log_warning("could not write the state record to %s: %s; records are "
					"sent, and the slot is not confirmed until it can be",
					store_where(keeper->store), error);
		keeper->complained_at = now;
	}
	return KEEPER_GO;
}

/* "last": nothing more is sent, whatever is delivered by now. */
static void
compose(const struct keeper *keeper, const struct keeper_facts *facts,
		bool last, struct state *state)
{
	*state = keeper->stored;
	strcpy(state->system, keeper->standing.system);
	strcpy(state->slot, keeper->config->slot);
	state->timeline = keeper->standing.timeline;
	if (facts->confirmable > state->confirmed)
		state->confirmed = facts->confirmable;
	state->delivered = later(state->delivered, facts->delivered);
	state->sent = later(state->sent, facts->sent);
	if (keeper->has_fingerprint)
	{
		state->has_fingerprint = true;
		state->fingerprint = keeper->fingerprint;
		state->stopped = state->clean = false;
	}
	if (last)
	{
		state->stopped = keeper->unsure == LSN_INVALID ||
			facts->confirmable >= keeper->unsure;
		state->clean = state->stopped &&
			state->sent.commit < state->confirmed &&
			!position_is_after(state->sent, state->delivered);
	}
}

static struct position
later(struct position a, struct position b)
{
	return position_is_after(a, b) ? a : b;
}

/*
 * A position alone is worth no record, unless it stays behind: a promoted
 * standby that lacks what was sent is known by it.
 */
static bool
differs(const struct keeper *keeper, const struct state *state)
{
	const struct state *stored = &keeper->stored;

	return !keeper->known || keeper->stored_plan != keeper->plan->version ||
		state->confirmed != stored->confirmed ||
		state->timeline != stored->timeline ||
		state->stopped != stored->stopped || state->clean != stored->clean ||
		state->has_fingerprint != stored->has_fingerprint ||
		state->fingerprint != stored->fingerprint;
}

/* Records are about to be sent that the record on file knows nothing of. */
static bool
must_begin(const struct keeper *keeper)
{
	return keeper->has_fingerprint &&
		(!keeper->known || keeper->stored.stopped ||
		 !keeper->stored.has_fingerprint ||
		 keeper->stored.fingerprint != keeper->fingerprint);
}

static void
begin_writing(struct keeper *keeper, const struct state *state)
{
	int64_t		now = clock_ms();
	char	   *text =
		state_encode(state, snapshot_plan_record(keeper->plan,
												 state->delivered));

	keeper->next = *state;
	keeper->next_plan = keeper->plan->version;
	keeper->writing = true;
	keeper->paid_until = (keeper->paid_until > now ? keeper->paid_until :
						  now) + INTERVAL_MS;
	/* those that the server asked for are not to be waited for later */
	if (keeper->paid_until > now + BURST_MS + INTERVAL_MS)
		keeper->paid_until = now + BURST_MS + INTERVAL_MS;
	store_write(keeper->store, text);
	free(text);
	drain(keeper);				/* a file is written by now */
}
