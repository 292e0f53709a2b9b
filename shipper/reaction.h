/*
 * reaction.h
 *		What to do when the server refuses: one table of SQLSTATEs.
 */
#ifndef REACTION_H
#define REACTION_H

#include <stdbool.h>

enum reaction
{
	REACTION_RETRY,				/* time mends it: growing delay */
	REACTION_REPEAT,			/* perhaps: give up if it keeps coming back */
	REACTION_TRANSIENT,			/* so far it always did: an alarm if not */
	REACTION_WAIT,				/* it is going down: stay away for a while */
	REACTION_STANDBY,			/* another has the slot: ask now and then */
	REACTION_CONFIG,			/* a person at the first start, else retried
								 * slowly: passwords and rights change */
	REACTION_PERSON,			/* no retry mends it */
};

#define REACTION_COUNT	(REACTION_PERSON + 1)

/*
 * The reaction to an error, and a hint that names the remedy or NULL; in it
 * "{role}" and "{database}" stand for those of the connection.  sqlstate is ""
 * when the server said nothing; message may be in any language and only
 * refines.  "streaming": it ended a stream that had begun, by the server's
 * word.
 */
extern enum reaction reaction_find(const char *sqlstate, const char *message,
								   bool streaming, const char **hint);

#endif							/* REACTION_H */
