/*
 * control_client.h
 *		Commands to the running shipper, through its socket.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

#include "config.h"

enum control_outcome
{
	CONTROL_ANSWERED,			/* whatever the answer says */
	CONTROL_OFF,				/* the config wants no socket */
	CONTROL_NOBODY,				/* no shipper is there, or it is gone */
	CONTROL_FORBIDDEN,
	CONTROL_BROKEN,				/* no answer in time, or not ours */
};

/*
 * Asks the shipper of the config's slot.  The request is an object whose
 * reference is taken.  Waits ten seconds at most.  With CONTROL_ANSWERED
 * *answer is an object, to be released; else *error, to be freed, says why
 * there is none.
 */
extern enum control_outcome control_ask(const struct config *config,
										json_t *request, json_t **answer,
										char **error);

/* Logs why there is no answer, and frees that text; returns how to leave. */
extern enum exit_status control_fail(enum control_outcome outcome,
									 char *error);

/* Whether an answer says yes; if not, *error and *hint (or NULL) are its. */
extern bool control_agreed(const json_t *answer, const char **error,
						   const char **hint);

#endif							/* CONTROL_CLIENT_H */
