/*
 * failover.c
 *		A slot that standbys have too, so that one that is promoted goes on.
 */
#include "failover.h"

#include <stdlib.h>

#include "mem.h"

#define FIRST_VERSION	170000

char *
failover_difference(const struct config *cfg, const struct server *server,
					const struct slot *slot, char **remedy)
{
	*remedy = NULL;
	if (!cfg->failover)
		return NULL;
	if (server_version(server) < FIRST_VERSION)
	{
		*remedy = mem_strdup("Unset \"failover\" in [postgres].  After a "
							 "promotion there is no slot on the new primary: "
							 "make one and bring the tables over again.");
		return mem_format("failover slots exist from PostgreSQL 17 on, and "
						  "the server is %d", server_version(server) / 10000);
	}
	if (!slot->exists || slot->failover)
		return NULL;
	*remedy = mem_format("Stop the shipper and run: psql "
						 "\"dbname=%s replication=database\" -c "
						 "'ALTER_REPLICATION_SLOT \"%s\" (FAILOVER true)'",
						 server_database(server), cfg->slot);
	return mem_format("replication slot \"%s\" is not a failover slot",
					  cfg->slot);
}

/*
 * What the shipper sent before a standby had it would be lost with the primary
 * and stay in Kafka.
 */
static void
check_waiting(struct server *server, struct report *report)
{
	struct rows *rows = server_query(server, "SELECT current_setting("
									 "'synchronized_standby_slots')",
									 0, NULL);

	if (rows != NULL && *rows_text(rows, 0, 0) != '\0')
		report_ok(report, "failover slot, which waits for standbys: %s",
				  rows_text(rows, 0, 0));
	else if (rows != NULL)
	{
		report_warning(report, "the slot is a failover slot, and "
					   "synchronized_standby_slots is empty: changes may "
					   "reach Kafka that a standby, once promoted, lacks");
		report_remedy(report, "ALTER SYSTEM SET synchronized_standby_slots = "
					  "'...' with the physical slots of the standbys that may "
					  "be promoted; then reload.");
	}
	rows_free(rows);
}

void
failover_check(struct server *server, const struct config *cfg,
			   const struct slot *slot, struct report *report)
{
	char	   *remedy;
	char	   *difference = failover_difference(cfg, server, slot, &remedy);

	if (difference != NULL)
	{
		report_problem(report, "%s", difference);
		report_remedy(report, "%s", remedy);
	}
	else if (slot->exists && slot->failover && !slot->standby)
		check_waiting(server, report);
	free(difference);
	free(remedy);
}
