/*
 * capture.h
 *		The tables that are captured now, with the topic and key of each and
 *		where these come from.
 *
 * The plugin decides by the catalog of each change's own time; this is what
 * it would decide today.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "../plugin/topicname.h"
#include "config.h"
#include "names.h"
#include "report.h"
#include "server.h"

struct captured
{
	char	   *oid;
	char	   *shown;			/* schema.table, quoted where SQL needs it */
	char		topic[TOPIC_NAME_MAX + 1];
	char	   *topic_from;		/* "default", "label", "config" ... */
	struct names key;			/* empty: none */
	char	   *key_from;
	bool		full;			/* REPLICA IDENTITY FULL */
	struct names identity;		/* its columns; those of the primary key under
								 * FULL */
	bool		changes;		/* updates or deletes are captured */
	bool		unlisted;		/* they need columns that a list leaves out */
	struct names columns;		/* that are published; empty: every one */
	char	   *toast;			/* columns an update may leave out; "" */
};

struct capture
{
	struct captured *table;
	size_t		count;
};

/*
 * Reads them; problems with routes and labels go to the report.  False when a
 * query failed, which is reported too.
 */
extern bool capture_read(struct server *server, const struct config *cfg,
						 struct report *report, struct capture *capture);
extern void capture_free(struct capture *capture);

/* Whether every column of the key is in each record. */
extern bool captured_key_is_published(const struct captured *table);

/* Whether every column of the key is known of a deleted row, if any are. */
extern bool captured_key_is_kept(const struct captured *table);

#endif							/* CAPTURE_H */
