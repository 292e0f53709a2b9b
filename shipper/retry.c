/*
 * retry.c
 *		When to try again, and when to stop trying.
 */
#include "retry.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"

#define DELAY_MIN_MS		1000
#define DELAY_MAX_MS		60000
#define DELAY_STANDBY_MS	2000
#define DELAY_SHUTDOWN_MS	10000	/* a server going down wants to be left */
#define DELAY_LOGIN_MS		10000	/* some count what they refuse */
#define STEADY_MS			60000	/* a stream this old starts delays anew */
#define REPEATS_MAX			3	/* of an error at one place */

static bool keeps_coming(struct retry *retry, enum reaction reaction,
						 lsn_t lsn);
static int64_t jitter(int64_t delay);

/* Growing, and never quite the same as that of others who lost it too. */
void
retry_plan(struct retry *retry, int64_t least)
{
	int64_t		delay = DELAY_MIN_MS;

	for (unsigned i = 0; i < retry->attempts && delay < DELAY_MAX_MS; i++)
		delay *= 2;
	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	delay -= jitter(delay);
	if (delay < least)
		delay = least + jitter(least);
	retry->attempts++;
	retry->at = clock_ms() + delay;
	log_info("trying again in %" PRId64 ".%" PRId64 " s", delay / 1000,
			 delay % 1000 / 100);
}

void
retry_opened(struct retry *retry, lsn_t lsn)
{
	retry->worked = true;
	retry->opened_at = clock_ms();
	retry->opened_lsn = lsn;
}

/* A stream that brings nothing on has proven nothing, unless it lasts. */
void
retry_steady(struct retry *retry, lsn_t lsn)
{
	bool		lasts = clock_ms() - retry->opened_at > STEADY_MS;

	if (lasts || lsn > retry->opened_lsn)
		retry->attempts = 0;
	if (lasts)
	{
		retry->careful = false;
		retry->repeats = 0;
	}
}

bool
retry_after(struct retry *retry, enum reaction reaction, lsn_t lsn,
			bool streaming)
{
	if (streaming && !retry->careful &&
		(reaction == REACTION_PERSON || reaction == REACTION_REPEAT))
	{
		/*
		 * what the plugin held when it failed is complete, and waits for no
		 * one
		 */
		retry->careful = true;
		log_info("reading once more, for what lies before");
		retry_at_once(retry, clock_ms());
		return true;
	}
	if (keeps_coming(retry, reaction, lsn))
		return false;

	switch (reaction)
	{
		case REACTION_PERSON:
			return false;
		case REACTION_CONFIG:
			if (!retry->worked)
				return false;
			retry_plan(retry, DELAY_LOGIN_MS);
			break;
		case REACTION_STANDBY:
			retry->at = clock_ms() + DELAY_STANDBY_MS;
			break;
		case REACTION_WAIT:
			retry_plan(retry, DELAY_SHUTDOWN_MS);
			break;
		case REACTION_RETRY:
		case REACTION_REPEAT:
		case REACTION_TRANSIENT:
			retry_plan(retry, 0);
			break;
	}
	return true;
}

/* The same place again and again is no accident; true to give up. */
static bool
keeps_coming(struct retry *retry, enum reaction reaction, lsn_t lsn)
{
	if (reaction != REACTION_REPEAT && reaction != REACTION_TRANSIENT)
		return false;
	retry->repeats = lsn == retry->repeat_lsn ? retry->repeats + 1 : 1;
	retry->repeat_lsn = lsn;
	if (retry->repeats < REPEATS_MAX)
		return false;
	log_error("the server fails at the same place every time, after "
			  LSN_FORMAT, LSN_ARGS(lsn));
	return reaction == REACTION_REPEAT;
}

/* Up to a quarter. */
static int64_t
jitter(int64_t delay)
{
	return (int64_t) (random() % (delay / 4 + 1));
}
