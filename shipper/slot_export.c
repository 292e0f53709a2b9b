/*
 * slot_export.c
 *		A new slot, and a database snapshot of exactly where it begins.
 */
#include "slot_export.h"

#include <stdlib.h>

#include <libpq-fe.h>

#include "connect.h"
#include "mem.h"
#include "names.h"

#define BLOCKED_MS		3000	/* then those in the way are named */

static volatile sig_atomic_t never = 0;

static PGresult *create(PGconn *conn, const struct config *cfg,
						struct server *server,
						void (*name_blockers) (struct server *server));

enum slot_refusal
slot_export_create(struct server *server, const struct config *cfg,
				   void (*name_blockers) (struct server *server),
				   struct slot_export *made, char **error)
{
	enum slot_refusal refusal = SLOT_OTHER;
	enum reaction reaction;
	PGresult   *result = NULL;

	*made = (struct slot_export) {.conn = connect_open(cfg, &never, &reaction)};
	if (made->conn != NULL)
		result = create(made->conn, cfg, server, name_blockers);
	if (PQresultStatus(result) == PGRES_TUPLES_OK &&
		PQntuples(result) == 1 && PQnfields(result) >= 3 &&
		lsn_parse(PQgetvalue(result, 0, 1), &made->point))
	{
		made->snapshot = mem_strdup(PQgetvalue(result, 0, 2));
		refusal = SLOT_MADE;
	}
	else
	{
		const char *text = PQresultErrorField(result,
											  PG_DIAG_MESSAGE_PRIMARY);
		const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

		*error = mem_strdup(text != NULL ? text : "the connection is lost");
		refusal = slot_refusal_of(server, state != NULL ? state : "");
		slot_export_free(made);
	}
	PQclear(result);
	return refusal;
}

static PGresult *
create(PGconn *conn, const struct config *cfg, struct server *server,
	   void (*name_blockers) (struct server *server))
{
	char	   *slot = names_quote(cfg->slot);
	char	   *command = mem_format("CREATE_REPLICATION_SLOT %s LOGICAL "
									 SLOT_PLUGIN " (SNAPSHOT 'export'%s)",
									 slot, cfg->failover ? ", FAILOVER true" :
									 "");
	PGresult   *result = NULL;
	bool		late = false;

	if (PQsendQuery(conn, command) == 1)
		result = connect_await(conn, &never, BLOCKED_MS, &late);
	if (late)
	{
		name_blockers(server);
		result = connect_await(conn, &never, INT64_MAX / 2, &late);
	}
	free(command);
	free(slot);
	return result;
}

void
slot_export_free(struct slot_export *made)
{
	PQfinish(made->conn);
	free(made->snapshot);
	*made = (struct slot_export) {.conn = NULL};
}
