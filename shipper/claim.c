/*
 * claim.c
 *		The slot as this program holds it.
 *
 * The connection on which the slot was looked at stays open until the stream
 * has begun, to look once more when nobody else can move the slot, and while
 * another program reads it, to ask again without the cost of a new one.
 */
#include "claim.h"

#include <inttypes.h>
#include <stdlib.h>

#include "earlier.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "slot.h"
#include "start.h"

static enum claim_answer moved(struct claim *claim, const struct slot *slot);
static enum claim_answer overtaken(struct claim *claim,
								   const struct slot *slot);
static enum claim_answer judge(struct claim *claim, const struct slot *slot,
							   bool recorded);
static enum claim_answer refuse(struct claim *claim, const struct slot *slot,
								const char *what, const char *how);
static enum claim_answer is_taken(struct claim *claim,
								  const struct slot *slot);
static enum claim_answer take(struct claim *claim, char **routes);
static enum claim_answer give_up(struct claim *claim, enum exit_status status);
static bool not_yet(const struct claim *claim, const struct slot *slot);
static lsn_t position(const struct slot *slot);

void
claim_init(struct claim *claim, const struct config *config,
		   struct ledger *ledger)
{
	*claim = (struct claim) {.config = config, .ledger = ledger};
}

void
claim_free(struct claim *claim)
{
	server_close(claim->server);
	claim->server = NULL;
}

void
claim_cut(struct claim *claim, lsn_t lsn)
{
	if (claim->held > lsn)
		claim->held = lsn;
	ledger_cut(claim->ledger, lsn);
}

enum claim_answer
claim_ask(struct claim *claim, bool recorded, char **routes)
{
	enum exit_status status = EXIT_ASKED;
	enum claim_answer answer;
	struct slot slot;

	*routes = NULL;
	claim->passed = false;
	if (claim->ledger->confirmable > claim->held)
		claim->held = claim->ledger->confirmable;
	if (claim->server == NULL)
		claim->server = server_open(claim->config, &status);
	if (claim->server == NULL)
	{
		answer = give_up(claim, status);
		return status == EXIT_PERSON ? CLAIM_LOGIN : answer;
	}
	if (!slot_read(claim->server, claim->config->slot, &slot))
		return give_up(claim, server_status(claim->server));
	answer = judge(claim, &slot, recorded);
	slot_free(&slot);
	return answer == CLAIM_GRANTED ? take(claim, routes) : answer;
}

enum claim_answer
claim_have(struct claim *claim, int64_t process, lsn_t recorded)
{
	struct slot slot;
	enum claim_answer answer = CLAIM_GRANTED;

	claim->own = process;
	claim->holder = 0;
	if (!slot_read(claim->server, claim->config->slot, &slot))
		return give_up(claim, server_status(claim->server));
	if (claim->held == LSN_INVALID)
		claim->held = recorded;
	if (claim->held == LSN_INVALID)
		claim->held = position(&slot);
	else if (position(&slot) > claim->held)
		answer = recorded == LSN_INVALID ? moved(claim, &slot) :
			overtaken(claim, &slot);
	slot_free(&slot);
	claim_free(claim);
	return answer;
}

static enum claim_answer
moved(struct claim *claim, const struct slot *slot)
{
	char	   *what = mem_format("replication slot \"%s\" stands at %s, and "
								  "this program confirmed no more than "
								  LSN_FORMAT ": somebody moved it, or made it "
								  "anew", claim->config->slot, slot->confirmed,
								  LSN_ARGS(claim->held));
	enum claim_answer answer = refuse(claim, slot, what, "Changes between "
									  "the two are not in Kafka: bring the "
									  "tables over again, then start "
									  "wal2kafka anew.");

	free(what);
	return answer;
}

/* The state record was read before that, and another one will judge it. */
static enum claim_answer
overtaken(struct claim *claim, const struct slot *slot)
{
	log_info("slot \"%s\" was moved to %s just before the stream began: "
			 "looking at the state record again", claim->config->slot,
			 slot->confirmed);
	return give_up(claim, EXIT_RESTART);
}

/*
 * While this program was frozen, or cut off, another may have had the slot and
 * left it: its record tells.
 */
static enum claim_answer
judge(struct claim *claim, const struct slot *slot, bool recorded)
{
	enum claim_answer answer;
	char	   *remedy;
	char	   *fault;

	if (not_yet(claim, slot))
		return give_up(claim, EXIT_RESTART);
	fault = slot_fault(slot, claim->config->slot, claim->server, &remedy);
	if (fault == NULL && slot->active)
		return is_taken(claim, slot);
	if (fault == NULL && claim->held != LSN_INVALID &&
		position(slot) > claim->held)
	{
		if (!recorded)
			return moved(claim, slot);
		claim->passed = position(slot) != claim->passed_at;
		claim->passed_at = position(slot);
		claim_cut(claim, LSN_INVALID);
	}
	if (fault == NULL)
		return CLAIM_GRANTED;
	answer = refuse(claim, slot, fault, remedy);
	free(fault);
	free(remedy);
	return answer;
}

/* A standby that is about to be promoted is no reason to leave. */
static bool
not_yet(const struct claim *claim, const struct slot *slot)
{
	if (!slot->standby || (slot->exists && !slot->synced))
		return false;
	log_warning(slot->exists ? "the server is a standby, and its replication "
				"slot \"%s\" a copy of the primary's" : "the server is a "
				"standby, without the replication slot \"%s\"",
				claim->config->slot);
	log_hint("Connect to the primary: several hosts and "
			 "target_session_attrs=read-write in the conninfo.");
	return true;
}

/* What is wrong, what to do, and how much is in Kafka all the same. */
static enum claim_answer
refuse(struct claim *claim, const struct slot *slot, const char *what,
	   const char *how)
{
	log_error("%s", what);
	log_hint("%s", how);
	if (claim->held != LSN_INVALID)
		log_hint("Everything up to " LSN_FORMAT " is delivered.",
				 LSN_ARGS(claim->held));
	else if (position(slot) != LSN_INVALID && !slot->ahead)
		log_hint("Everything up to %s was confirmed to it as delivered.",
				 slot->confirmed);
	else if (earlier_vanished(claim->config) == EXIT_ASKED)
		log_hint("How far a stream of before came is told by the \"lsn\" of "
				 "the last records in the topics.");
	return give_up(claim, EXIT_PERSON);
}

/*
 * The last stream's process may live on for a while, when the connection broke
 * without a word.  Of any other: what it confirms is delivered by it.
 */
static enum claim_answer
is_taken(struct claim *claim, const struct slot *slot)
{
	if (slot->pid == claim->holder)
		return CLAIM_TAKEN;
	claim->holder = slot->pid;
	if (slot->pid == claim->own)
		log_info("the server still serves the connection that was lost: "
				 "asking every %d s", claim->config->standby_check_interval);
	else
	{
		claim_cut(claim, LSN_INVALID);
		metrics.standby = true;
		log_info("standing by: process %" PRId64 " of the server reads slot "
				 "\"%s\" for another program; asking every %d s", slot->pid,
				 claim->config->slot,
				 claim->config->standby_check_interval);
	}
	return CLAIM_TAKEN;
}

static enum claim_answer
take(struct claim *claim, char **routes)
{
	enum exit_status status;

	if (claim->holder != 0)
		log_info("slot \"%s\" is free: taking over", claim->config->slot);
	if (metrics.standby)
		metrics.takeovers++;
	metrics.standby = false;
	claim->holder = 0;
	status = start_check(claim->server, claim->config, routes);
	return status == EXIT_ASKED ? CLAIM_GRANTED : give_up(claim, status);
}

static enum claim_answer
give_up(struct claim *claim, enum exit_status status)
{
	claim_free(claim);
	claim->status = status;
	return status == EXIT_RESTART ? CLAIM_LATER : CLAIM_REFUSED;
}

static lsn_t
position(const struct slot *slot)
{
	lsn_t		lsn = LSN_INVALID;

	if (slot->exists && !lsn_parse(slot->confirmed, &lsn))
		lsn = LSN_INVALID;
	return lsn;
}
