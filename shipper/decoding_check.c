/*
 * decoding_check.c
 *		What decoding needs of the server, as "check" judges it: settings,
 *		role, slot and plugin.
 */
#include "decoding_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failover.h"
#include "mem.h"
#include "slot.h"

/* making a slot waits for transactions; far enough is far enough */
#define PROBE_TIMEOUT	"3s"

/* --- server ---------------------------------------------------------- */

static int64_t
setting_int(struct server *server, const char *sql)
{
	struct rows *rows = server_query(server, sql, 0, NULL);
	int64_t		value = rows ? rows_int(rows, 0, 0) : -1;

	rows_free(rows);
	return value;
}

/* Whether WAL has what decoding needs. */
static bool
check_wal_level(struct server *server, struct report *report)
{
	bool		late = server_version(server) >= 190000;
	struct rows *rows = server_query(server,
									 "SELECT current_setting('wal_level')",
									 0, NULL);
	const char *level = rows ? rows_text(rows, 0, 0) : "unknown";

	/* from 19 on a logical slot raises effective_wal_level by itself */
	bool		enough = strcmp(level, "logical") == 0 ||
		(late && strcmp(level, "replica") == 0);

	if (enough)
		report_ok(report, "wal_level is %s", level);
	else
	{
		report_problem(report, "wal_level is %s; it must be %s", level,
					   late ? "replica or logical" : "logical");
		report_remedy(report, "ALTER SYSTEM SET wal_level = logical; then "
					  "restart the server.");
	}
	rows_free(rows);
	return enough;
}

/* Up to 15 a standby cannot decode at all. */
static void
check_recovery(struct server *server, struct report *report)
{
	struct rows *rows = server_query(server, "SELECT pg_is_in_recovery()", 0,
									 NULL);

	if (rows != NULL && rows_bool(rows, 0, 0) &&
		server_version(server) < 160000)
	{
		char	   *remedy = slot_remedy(server, SLOT_STANDBY);

		report_problem(report, "the server is a standby, and PostgreSQL %d "
					   "does not decode on one",
					   server_version(server) / 10000);
		report_remedy(report, "%s", remedy);
		free(remedy);
	}
	rows_free(rows);
}

static bool
check_free(struct server *server, const char *what, const char *setting,
		   const char *used_sql, struct report *report)
{
	char	   *sql = mem_format("SELECT current_setting('%s')", setting);
	int64_t		most = setting_int(server, sql);
	int64_t		used = setting_int(server, used_sql);

	free(sql);
	if (used < most)
	{
		report_ok(report, "%" PRId64 " of %" PRId64 " %s are free",
				  most - used, most, what);
		return true;
	}
	report_problem(report, "no free %s: all %" PRId64 " are in use", what,
				   most);
	report_remedy(report, "Drop one that nobody needs (pg_replication_slots, "
				  "pg_stat_replication), or ALTER SYSTEM SET %s = %" PRId64
				  "; then restart the server.", setting, most + 10);
	return false;
}

static bool
check_role(struct server *server, struct report *report)
{
	struct rows *rows = server_query(server,
									 "SELECT rolsuper OR rolreplication"
									 " FROM pg_roles"
									 " WHERE rolname = current_user", 0, NULL);
	bool		may = rows != NULL && rows_bool(rows, 0, 0);

	rows_free(rows);
	if (may)
		report_ok(report, "role \"%s\" has REPLICATION", server_user(server));
	else
	{
		char	   *remedy = slot_remedy(server, SLOT_NO_REPLICATION);

		report_problem(report, "role \"%s\" has no REPLICATION attribute",
					   server_user(server));
		report_remedy(report, "%s", remedy);
		free(remedy);
	}
	return may;
}

/* --- slot and plugin ------------------------------------------------- */

/* Sets whether the slot exists and whether somebody streams from it. */
static void
check_slot(struct server *server, const struct config *cfg,
		   struct report *report, bool *exists, bool *active)
{
	struct slot slot;
	char	   *remedy;
	char	   *fault;

	*exists = *active = false;
	if (!slot_read(server, cfg->slot, &slot))
	{
		report_problem(report, "could not read the slot");
		return;
	}
	*exists = slot.exists;
	fault = slot_fault(&slot, cfg->slot, server, &remedy);
	if (fault != NULL)
	{
		report_problem(report, "%s", fault);
		report_remedy(report, "%s", remedy);
	}
	else
	{
		char	   *lag = slot_bytes(slot.lag);

		*active = slot.active;
		report_ok(report, "replication slot \"%s\", %s behind, read by %s",
				  cfg->slot, lag, slot.active ? "a shipper" : "nobody");
		free(lag);
	}
	free(fault);
	free(remedy);
	failover_check(server, cfg, &slot, report);
	slot_free(&slot);
}

static void
report_refusal(struct server *server, enum slot_refusal refusal,
			   struct report *report)
{
	const char *error = server_error(server);
	char	   *remedy = slot_remedy(server, refusal);

	if (refusal == SLOT_NOT_ALLOWED)
		report_problem(report, "plugin " SLOT_PLUGIN " is not allowed for "
					   "role \"%s\": %s", server_user(server), error);
	else if (refusal == SLOT_NOT_INSTALLED)
		report_problem(report, "plugin " SLOT_PLUGIN " is not installed on "
					   "this PostgreSQL %d: %s",
					   server_version(server) / 10000, error);
	else
		report_problem(report, "could not try the plugin: %s", error);
	if (*remedy != '\0')
		report_remedy(report, "%s", remedy);
	free(remedy);
}

/*
 * Only the server knows whether it would load the plugin for this role, and
 * it says so only when a slot is made; a temporary one goes by itself.
 */
static void
check_plugin(struct server *server, struct report *report)
{
	char	   *name = mem_format("wal2kafka_check_%ld", (long) getpid());
	enum slot_refusal refusal;

	server_timeout(server, PROBE_TIMEOUT);
	refusal = slot_create(server, name, true, false);
	server_timeout(server, "0");
	if (refusal == SLOT_MADE || refusal == SLOT_TIMEOUT)
		report_ok(report, "plugin " SLOT_PLUGIN " is installed and allowed");
	else
		report_refusal(server, refusal, report);
	if (refusal == SLOT_MADE)
	{
		const char *params[] = {name};

		rows_free(server_query(server,
							   "SELECT pg_drop_replication_slot($1)", 1,
							   params));
	}
	free(name);
}

void
decoding_check(struct server *server, const struct config *cfg,
			   struct report *report)
{
	bool		level = check_wal_level(server, report);
	bool		role = check_role(server, report);
	bool		exists;
	bool		active;
	bool		room = true;

	check_recovery(server, report);
	check_slot(server, cfg, report, &exists, &active);
	if (!exists)
		room = check_free(server, "replication slots",
						  "max_replication_slots",
						  "SELECT count(*) FROM pg_replication_slots",
						  report);
	if (!active)
		check_free(server, "WAL senders", "max_wal_senders",
				   "SELECT count(*) FROM pg_stat_replication", report);
	if (active)
		report_ok(report, "plugin " SLOT_PLUGIN " is in use");
	else if (level && role && room)
		check_plugin(server, report);
}
