/*
 * identity.c
 *		Who the server is: system, timeline, and how far its log goes.
 *
 * What a server does not hold of what is in Kafka was lost with another one.
 * Its next changes would carry the same LSNs: consumers would take them for
 * repeats, and a slot asked to start in the future skips all up to there.
 */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "pgerror.h"

static PGresult *ask(PGconn *conn, const char *command, int fields,
					 const volatile sig_atomic_t *stop,
					 enum reaction *reaction);
static bool check_system(struct identity *identity, const char *system,
						 enum reaction *reaction);
static bool check_timeline(struct identity *identity, PGconn *conn,
						   unsigned timeline, lsn_t sent,
						   const volatile sig_atomic_t *stop,
						   enum reaction *reaction);
static bool check_end(bool standby, const char *text, lsn_t needed,
					  enum reaction *reaction);
static void say_what_helps(void);

bool
identity_ask(struct identity *identity, PGconn *conn, lsn_t confirmed,
			 lsn_t sent, const volatile sig_atomic_t *stop,
			 enum reaction *reaction)
{
	const char *standby = PQparameterStatus(conn, "in_hot_standby");
	PGresult   *result;
	unsigned	timeline;
	bool		ok;

	/* as it was before the question: what is none now never will be one */
	identity->standby = standby != NULL && strcmp(standby, "on") == 0;
	result = ask(conn, "IDENTIFY_SYSTEM", 3, stop, reaction);
	if (result == NULL)
		return false;
	timeline = (unsigned) strtoul(PQgetvalue(result, 0, 1), NULL, 10);
	ok = check_system(identity, PQgetvalue(result, 0, 0), reaction) &&
		check_timeline(identity, conn, timeline, sent, stop, reaction);
	if (ok && identity->left_at != LSN_INVALID &&
		confirmed > identity->left_at)
		confirmed = identity->left_at;
	ok = ok && check_end(identity->standby, PQgetvalue(result, 0, 2),
						 sent >= confirmed && sent != LSN_INVALID ?
						 sent + 1 : confirmed, reaction);
	if (ok)
		identity->timeline = timeline;
	PQclear(result);
	return ok;
}

void
identity_free(struct identity *identity)
{
	free(identity->system);
	identity->system = NULL;
}

lsn_t
identity_left_at(const char *history, unsigned timeline)
{
	while (*history != '\0')
	{
		unsigned	number;
		unsigned	hi;
		unsigned	lo;

		if (sscanf(history, "%u %8X/%8X", &number, &hi, &lo) == 3 &&
			number == timeline)
			return (lsn_t) hi << 32 | lo;
		history += strcspn(history, "\n");
		history += *history == '\n';
	}
	return LSN_INVALID;
}

/* A command that returns one row of at least so many fields, else NULL. */
static PGresult *
ask(PGconn *conn, const char *command, int fields,
	const volatile sig_atomic_t *stop, enum reaction *reaction)
{
	PGresult   *result = connect_query(conn, command, stop, reaction);

	if (result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK &&
		PQntuples(result) == 1 && PQnfields(result) >= fields)
		return result;
	if (result != NULL)
		*reaction = pgerror_result(conn, "could not identify the server",
								   result);
	PQclear(result);
	return NULL;
}

static bool
check_system(struct identity *identity, const char *system,
			 enum reaction *reaction)
{
	if (identity->system == NULL)
		identity->system = mem_strdup(system);
	if (strcmp(identity->system, system) == 0)
		return true;
	log_error("the server is another one: system identifier %s, was %s",
			  system, identity->system);
	log_hint("If that is meant, start wal2kafka anew.");
	*reaction = REACTION_PERSON;
	return false;
}

/*
 * After a promotion the log goes on from where the standby was.  What the old
 * primary wrote behind that place, and we sent, exists in Kafka alone.
 */
static bool
check_timeline(struct identity *identity, PGconn *conn, unsigned timeline,
			   lsn_t sent, const volatile sig_atomic_t *stop,
			   enum reaction *reaction)
{
	char		command[40];
	PGresult   *result;

	identity->left_at = LSN_INVALID;
	if (identity->timeline == 0 || identity->timeline == timeline)
		return true;
	if (timeline < identity->timeline)
	{
		log_error("the server's timeline is %u, and was %u: it was left "
				  "behind by a promotion", timeline, identity->timeline);
		log_hint("Connect to the new primary.");
		*reaction = REACTION_RETRY;
		return false;
	}
	snprintf(command, sizeof(command), "TIMELINE_HISTORY %u", timeline);
	result = ask(conn, command, 2, stop, reaction);
	if (result == NULL)
		return false;
	identity->left_at = identity_left_at(PQgetvalue(result, 0, 1),
										 identity->timeline);
	PQclear(result);
	log_warning("the server's timeline is %u, and was %u up to " LSN_FORMAT,
				timeline, identity->timeline, LSN_ARGS(identity->left_at));
	if (identity->left_at != LSN_INVALID &&
		(sent == LSN_INVALID || sent < identity->left_at))
		return true;
	log_error("records up to the commit LSN " LSN_FORMAT " are in Kafka, and "
			  "the server that was promoted knows nothing from " LSN_FORMAT
			  " on", LSN_ARGS(sent), LSN_ARGS(identity->left_at));
	say_what_helps();
	*reaction = REACTION_PERSON;
	return false;
}

/* A server whose log ends too early lags, or was put back. */
static bool
check_end(bool standby, const char *text, lsn_t needed,
		  enum reaction *reaction)
{
	lsn_t		end;

	if (!lsn_parse(text, &end))
		return true;
	metrics.server_end = end;
	if (end >= needed)
		return true;
	log_error("the server's log ends at %s, before " LSN_FORMAT
			  ", up to where everything is delivered", text,
			  LSN_ARGS(needed));
	if (standby)
		return false;			/* it lags */
	log_hint("It was restored from an older copy.");
	say_what_helps();
	*reaction = REACTION_PERSON;
	return false;
}

static void
say_what_helps(void)
{
	log_hint("Make a new slot, bring the tables over again into new topics, "
			 "and see doc/consumer.md about positions.");
}
