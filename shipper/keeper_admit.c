/*
 * keeper_admit.c
 *		The state record, compared with the server that is about to be read.
 */
#include "keeper_state.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "state_judge.h"

static enum keeper_answer compare(struct keeper *keeper,
								  struct stream *stream,
								  const struct standing *standing);
static enum store_answer find(struct keeper *keeper, struct state *found,
							  bool *lost);
static enum keeper_answer look_again(struct stream *stream,
									 const struct state *found,
									 struct standing *standing);
static enum keeper_answer judge_found(struct keeper *keeper,
									  struct stream *stream,
									  const struct state *found,
									  struct standing *standing);
static void adopt(struct keeper *keeper, const struct state *found,
				  const struct standing *standing);
static enum keeper_answer tell(enum judgement judgement,
							   struct judgement_words *words);

/*
 * The slot's position is read before the record: another program could
 * otherwise write and confirm in between.  While one has the slot, its record
 * is about to change.
 */
enum keeper_answer
keeper_admit(struct keeper *keeper, struct stream *stream)
{
	struct standing standing;

	if (keeper->store == NULL)
		return KEEPER_GO;
	keeper->admitted = false;
	if (!stream_standing(stream, &standing))
		return KEEPER_LOST;
	return standing.active ? KEEPER_BUSY :
		compare(keeper, stream, &standing);
}

void
keeper_doubt(struct keeper *keeper)
{
	keeper->doubted = true;
}

lsn_t
keeper_recorded(const struct keeper *keeper)
{
	return keeper->known ? keeper->stored.confirmed : LSN_INVALID;
}

enum keeper_answer
keeper_fingerprint(struct keeper *keeper, uint64_t fingerprint)
{
	struct judgement_words words;
	enum judgement judgement;

	if (keeper->store == NULL)
		return KEEPER_GO;
	if (keeper->known && !keeper->has_fingerprint)
	{
		judgement = state_judge_fingerprint(&keeper->stored, fingerprint,
											&words);
		if (tell(judgement, &words) != KEEPER_GO)
			return KEEPER_PERSON;
		if (keeper->stored.has_fingerprint &&
			keeper->stored.fingerprint != fingerprint)
			snapshot_plan_rewind_all(keeper->plan);
	}
	keeper->has_fingerprint = true;
	keeper->fingerprint = fingerprint;
	return KEEPER_GO;
}

enum keeper_answer
keeper_prepare(struct keeper *keeper)
{
	/* its own open transaction ends when the sink has the transactional id */
	switch (store_read(keeper->store, NULL, true))
	{
		case STORE_FOUND:
		case STORE_NONE:
		case STORE_FORGOTTEN:
			return KEEPER_GO;
		case STORE_LATER:
			return KEEPER_LATER;
		case STORE_PERSON:
			break;
	}
	return KEEPER_PERSON;
}

void
keeper_found(struct keeper *keeper, const struct state *state)
{
	state_free(&keeper->told);
	keeper->has_told = state != NULL;
	if (state != NULL)
		keeper->told = *state;
}

bool
keeper_is_told(const struct keeper *keeper)
{
	return keeper->has_told;
}

/* What this process knows is enough for a slot that did not move on. */
static enum keeper_answer
compare(struct keeper *keeper, struct stream *stream,
		const struct standing *standing)
{
	struct standing now = *standing;
	enum keeper_answer answer = KEEPER_PERSON;
	struct state found;
	bool		lost;

	if (keeper->writing)
		return KEEPER_LATER;	/* of the last connection; it ends soon */
	if (keeper->known && keeper->worked && !keeper->doubted &&
		!keeper->transactional &&
		strcmp(now.system, keeper->stored.system) == 0 &&
		now.timeline == keeper->stored.timeline &&
		now.slot <= keeper->stored.confirmed)
	{
		keeper->admitted = true;
		return KEEPER_GO;
	}
	switch (find(keeper, &found, &lost))
	{
		case STORE_FOUND:
			answer = look_again(stream, &found, &now);
			if (answer == KEEPER_GO)
				answer = judge_found(keeper, stream, &found, &now);
			if (answer == KEEPER_GO)
			{
				adopt(keeper, &found, &now);
				keeper->known = !lost;
			}
			state_free(&found);
			break;
		case STORE_NONE:
		case STORE_FORGOTTEN:
			log_info("there is no state record of slot \"%s\" in %s yet",
					 keeper->config->slot, store_where(keeper->store));
			adopt(keeper, NULL, &now);
			return KEEPER_GO;
		case STORE_LATER:
			answer = KEEPER_LATER;
			break;
		case STORE_PERSON:
			break;
	}
	return answer;
}

/*
 * "lost": what the store had is gone, without anybody having dropped it, and
 * what this process knows of it takes its place until it is written again.
 */
static enum store_answer
find(struct keeper *keeper, struct state *found, bool *lost)
{
	enum store_answer answer = STORE_NONE;

	if (!keeper->transactional)
		answer = store_read(keeper->store, found, true);
	else if (keeper->has_told)
	{
		*found = keeper->told;
		json_incref(found->snapshot);
		answer = STORE_FOUND;
	}
	*lost = answer == STORE_NONE && *keeper->stored.system != '\0';
	if (!*lost)
		return answer;
	log_warning("the state record of slot \"%s\" is gone from %s: it is "
				"written anew", keeper->config->slot,
				store_where(keeper->store));
	*found = keeper->stored;
	return STORE_FOUND;
}

/*
 * Reading the record takes as long as Kafka wants, and another shipper may have
 * gone on meanwhile: the log then ends later than it did before.
 */
static enum keeper_answer
look_again(struct stream *stream, const struct state *found,
		   struct standing *standing)
{
	struct standing later;

	if (standing->end >= found->confirmed &&
		standing->end >= state_needs(found))
		return KEEPER_GO;
	if (!stream_standing(stream, &later))
		return KEEPER_LOST;
	standing->end = later.end;
	return later.active ? KEEPER_BUSY : KEEPER_GO;
}

static enum keeper_answer
judge_found(struct keeper *keeper, struct stream *stream,
			const struct state *found, struct standing *standing)
{
	struct judgement_words words;
	enum judgement judgement;

	if (!keeper->worked)
		log_info("state record in %s: delivered up to " LSN_FORMAT
				 ", timeline %u, %s", store_where(keeper->store),
				 LSN_ARGS(found->confirmed), found->timeline,
				 found->clean ? "stopped cleanly" : found->stopped ?
				 "stopped inside a transaction" : "not stopped in order");
	if (strcmp(found->system, standing->system) == 0 &&
		!stream_find_fork(stream, found->timeline, standing))
		return KEEPER_LOST;
	judgement = state_judge(found, standing, store_where(keeper->store),
							&words);
	return tell(judgement, &words);
}

/* NULL: what the store holds is nothing. */
static void
adopt(struct keeper *keeper, const struct state *found,
	  const struct standing *standing)
{
	struct state *stored = &keeper->stored;

	keeper->standing = *standing;
	keeper->admitted = true;
	keeper->doubted = false;
	keeper->known = found != NULL;
	keeper->unsure = LSN_INVALID;
	if (found == NULL)
	{
		*stored = (struct state) {.confirmed = standing->slot};
		return;
	}
	if (found->snapshot != NULL)
	{
		snapshot_plan_load(keeper->plan, found->snapshot);
		keeper->stored_plan = keeper->plan->version;
	}
	*stored = *found;
	stored->snapshot = NULL;
	if (!found->stopped)
		keeper->unsure = standing->end;
	stored->confirmed = state_judge_confirmed(found, standing);
}

/* Logs the words and frees them. */
static enum keeper_answer
tell(enum judgement judgement, struct judgement_words *words)
{
	if (words->what != NULL && judgement == JUDGEMENT_REFUSE)
		log_error("%s", words->what);
	else if (words->what != NULL)
		log_warning("%s", words->what);
	if (words->how != NULL)
		log_hint("%s", words->how);
	free(words->what);
	free(words->how);
	switch (judgement)
	{
		case JUDGEMENT_GO:
			return KEEPER_GO;
		case JUDGEMENT_WAIT:
			return KEEPER_LATER;
		case JUDGEMENT_REFUSE:
			break;
	}
	return KEEPER_PERSON;
}
