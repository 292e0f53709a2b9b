/*
 * state_judge.h
 *		What the state record says about the server that is about to be read.
 *
 * Decides, and words it; no I/O.
 */
#ifndef STATE_JUDGE_H
#define STATE_JUDGE_H

#include "standing.h"
#include "state.h"

enum judgement
{
	JUDGEMENT_GO,
	JUDGEMENT_WAIT,				/* a standby that lags */
	JUDGEMENT_REFUSE,			/* needs a person */
};

/* What to say, each to be freed; NULL: nothing. */
struct judgement_words
{
	char	   *what;
	char	   *how;
};

/*
 * "where" names the place of the record for messages.  What is worth knowing
 * is said with JUDGEMENT_GO too, without a remedy.
 */
extern enum judgement state_judge(const struct state *stored,
								  const struct standing *now,
								  const char *where,
								  struct judgement_words *words);

/*
 * How far this server is confirmed: what lies behind the place where it left
 * the record's timeline was of another history.
 */
extern lsn_t state_judge_confirmed(const struct state *stored,
								   const struct standing *now);

/* As state_judge(), of the plugin's options, as its first frame tells them. */
extern enum judgement state_judge_fingerprint(const struct state *stored,
											  uint64_t fingerprint,
											  struct judgement_words *words);

#endif							/* STATE_JUDGE_H */
