/*
 * claim.h
 *		The slot as this program holds it.
 *
 * Before each start of the stream the slot is looked at: whether it can be
 * read, whether another program reads it, and whether it still stands where
 * this program left it.  A slot that stands further was moved by somebody, or
 * dropped and made anew, and what lies between would never reach Kafka.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "ledger.h"
#include "lsn.h"
#include "server.h"

struct claim
{
	const struct config *config;	/* borrowed */
	struct ledger *ledger;		/* borrowed */
	struct server *server;		/* owned; open from asking to having */
	lsn_t		held;			/* the slot stands no further; LSN_INVALID:
								 * not known */
	bool		passed;			/* when granted: another program has moved the
								 * slot on, as was not known before */
	lsn_t		passed_at;		/* to there */
	int64_t		own;			/* process of the last stream; 0: none */
	int64_t		holder;			/* who reads it instead; 0: nobody seen */
	enum exit_status status;	/* when refused */
};

enum claim_answer
{
	CLAIM_GRANTED,				/* start streaming */
	CLAIM_TAKEN,				/* another reads it: ask again soon */
	CLAIM_LATER,				/* the server cannot tell or cannot do now */
	CLAIM_LOGIN,				/* it refuses the login: leave with
								 * claim->status, or ask again slowly */
	CLAIM_REFUSED,				/* leave with claim->status */
};

extern void claim_init(struct claim *claim, const struct config *config,
					   struct ledger *ledger);
extern void claim_free(struct claim *claim);

/*
 * Whether the slot can be read, with an empty ledger.  What is in the way is
 * logged.  "recorded": a state record will judge one that stands further than
 * this program left it.  When granted, *routes is the plugin's option, to be
 * freed.  Waits for the server, seconds at most.
 */
extern enum claim_answer claim_ask(struct claim *claim, bool recorded,
								   char **routes);

/*
 * The stream has begun, in that process of the server: from now on nobody else
 * can move the slot.  "recorded" is how far it stands at most by the state
 * record; LSN_INVALID: there is none.  Granted, or refused or later as above;
 * later too when it stands further, since another program may have had it after
 * the record was read.
 */
extern enum claim_answer claim_have(struct claim *claim, int64_t process,
									lsn_t recorded);

/*
 * With an empty ledger: what this program knows of the log ends at that LSN,
 * where the server that was promoted goes on otherwise, or, with LSN_INVALID,
 * another program has had the slot, and reading begins where it stands.
 */
extern void claim_cut(struct claim *claim, lsn_t lsn);

#endif							/* CLAIM_H */
