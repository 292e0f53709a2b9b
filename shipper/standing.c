/*
 * standing.c
 *		Where the server and the slot stand.
 */
#include "standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "identity.h"
#include "mem.h"
#include "pgerror.h"

static PGresult *ask(PGconn *conn, const char *sql, int columns,
					 const volatile sig_atomic_t *stop,
					 enum reaction *reaction);
static bool read_system(const PGresult *result, struct standing *standing);
static void read_slot(const PGresult *result, struct standing *standing);

bool
standing_read(PGconn *conn, const char *slot,
			  const volatile sig_atomic_t *stop, enum reaction *reaction,
			  struct standing *standing)
{
	const char *standby = PQparameterStatus(conn, "in_hot_standby");
	char	   *sql = mem_format("SELECT confirmed_flush_lsn, active"
								 " FROM pg_replication_slots"
								 " WHERE slot_name = '%s'", slot);
	PGresult   *system;
	PGresult   *result = NULL;
	bool		done = false;

	*standing = (struct standing) {.timeline = 0};
	standing->standby = standby != NULL && strcmp(standby, "on") == 0;
	system = ask(conn, "IDENTIFY_SYSTEM", 3, stop, reaction);
	if (system != NULL && read_system(system, standing))
		result = ask(conn, sql, 2, stop, reaction);
	if (result != NULL)
	{
		read_slot(result, standing);
		done = true;
	}
	PQclear(system);
	PQclear(result);
	free(sql);
	return done;
}

bool
standing_find_fork(PGconn *conn, uint32_t timeline,
				   const volatile sig_atomic_t *stop, enum reaction *reaction,
				   struct standing *standing)
{
	char		command[64];
	PGresult   *result;

	if (timeline >= standing->timeline)
		return true;
	snprintf(command, sizeof(command), "TIMELINE_HISTORY %u",
			 standing->timeline);
	result = ask(conn, command, 2, stop, reaction);
	if (result == NULL)
		return false;
	if (PQntuples(result) == 1)
		standing->fork = identity_left_at(PQgetvalue(result, 0, 1),
										  timeline);
	PQclear(result);
	return true;
}

static PGresult *
ask(PGconn *conn, const char *sql, int columns,
	const volatile sig_atomic_t *stop, enum reaction *reaction)
{
	PGresult   *result = connect_query(conn, sql, stop, reaction);

	if (result == NULL)
		return NULL;
	if (PQresultStatus(result) == PGRES_TUPLES_OK &&
		PQnfields(result) >= columns)
		return result;
	*reaction = pgerror_result(conn, "could not ask where the server stands",
							   result);
	PQclear(result);
	return NULL;
}

static bool
read_system(const PGresult *result, struct standing *standing)
{
	if (PQntuples(result) != 1 ||
		PQgetlength(result, 0, 0) >= STATE_SYSTEM_SIZE ||
		!lsn_parse(PQgetvalue(result, 0, 2), &standing->end))
		return false;
	strcpy(standing->system, PQgetvalue(result, 0, 0));
	standing->timeline = (uint32_t) strtoul(PQgetvalue(result, 0, 1), NULL,
											10);
	return true;
}

static void
read_slot(const PGresult *result, struct standing *standing)
{
	if (PQntuples(result) != 1)
		return;
	lsn_parse(PQgetvalue(result, 0, 0), &standing->slot);
	standing->active = strcmp(PQgetvalue(result, 0, 1), "t") == 0;
}
