/*
 * slot.c
 *		What the server says about the replication slot.
 */
#include "slot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* where a standby has no current position of its own */
#define NOW_LSN \
	"CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()" \
	" ELSE pg_current_wal_flush_lsn() END"

/* One row, whether the slot exists or not. */
static char *
slot_sql(int version)
{
	const char *invalid = "''";
	const char *failover = "false, false";

	if (version >= 170000)
	{
		invalid = "coalesce(s.invalidation_reason, '')";
		failover = "s.failover, s.synced";
	}
	else if (version >= 160000)
		/* it says so of every lost slot; only a standby has conflicts */
		invalid = "CASE WHEN s.conflicting AND pg_is_in_recovery()"
			" THEN 'recovery conflict' ELSE '' END";
	return mem_format("SELECT s.slot_type = 'logical', s.temporary,"
					  " s.two_phase, s.active, s.active_pid, s.plugin,"
					  " s.database, coalesce(s.wal_status, ''), %s,"
					  " coalesce(s.confirmed_flush_lsn::text, ''),"
					  " coalesce(s.restart_lsn::text, ''),"
					  " greatest(n.lsn - s.confirmed_flush_lsn, 0)::int8,"
					  " greatest(n.lsn - s.restart_lsn, 0)::int8, %s,"
					  " pg_is_in_recovery(), n.lsn::text,"
					  " s.confirmed_flush_lsn > n.lsn"
					  " AND NOT pg_is_in_recovery(), s.slot_name IS NOT NULL"
					  " FROM (SELECT " NOW_LSN " AS lsn) n"
					  " LEFT JOIN pg_replication_slots s ON s.slot_name = $1",
					  invalid, failover);
}

static int64_t
distance(const struct rows *rows, const char *from, int column)
{
	return *from == '\0' || rows_null(rows, 0, column) ? -1 :
		rows_int(rows, 0, column);
}

static void
fill_in(struct slot *slot, const struct rows *rows)
{
	slot->logical = rows_bool(rows, 0, 0);
	slot->temporary = rows_bool(rows, 0, 1);
	slot->two_phase = rows_bool(rows, 0, 2);
	slot->active = rows_bool(rows, 0, 3);
	slot->pid = rows_int(rows, 0, 4);
	slot->plugin = mem_strdup(rows_text(rows, 0, 5));
	slot->database = mem_strdup(rows_text(rows, 0, 6));
	slot->wal_status = mem_strdup(rows_text(rows, 0, 7));
	slot->invalid = mem_strdup(rows_text(rows, 0, 8));
	slot->confirmed = mem_strdup(rows_text(rows, 0, 9));
	slot->restart = mem_strdup(rows_text(rows, 0, 10));
	slot->lag = distance(rows, slot->confirmed, 11);
	slot->retained = distance(rows, slot->restart, 12);
	slot->failover = rows_bool(rows, 0, 13);
	slot->synced = rows_bool(rows, 0, 14);
	slot->end = mem_strdup(rows_text(rows, 0, 16));
	slot->ahead = rows_bool(rows, 0, 17);
}

bool
slot_read(struct server *server, const char *name, struct slot *slot)
{
	char	   *sql = slot_sql(server_version(server));
	struct rows *rows = server_ask(server, "read the replication slot", sql,
								   1, &name);

	free(sql);
	memset(slot, 0, sizeof(*slot));
	if (rows == NULL)
		return false;
	slot->standby = rows_bool(rows, 0, 15);
	slot->exists = rows_bool(rows, 0, 18);
	if (slot->exists)
		fill_in(slot, rows);
	rows_free(rows);
	return true;
}

static char *
missing(const char *name, char **remedy)
{
	*remedy = mem_strdup("Run \"wal2kafka init\" to create it.  If it existed "
						 "before, changes since it vanished will not be in "
						 "Kafka.");
	return mem_format("replication slot \"%s\" does not exist", name);
}

/* What the server says of why, and what keeps it from happening again. */
static const struct
{
	const char *reason;
	const char *meaning;
	const char *setting;
}			losses[] = {
	{"idle_timeout", "nobody read it for idle_replication_slot_timeout",
	"idle_replication_slot_timeout"},
	{"wal_level_insufficient", "wal_level was lowered", "wal_level"},
	{"rows_removed", "the primary removed rows that it needed",
	"hot_standby_feedback"},
	{"recovery conflict", "it was in the way of recovery",
	"hot_standby_feedback"},
	{"", "its WAL was removed", "max_slot_wal_keep_size"},
};

static char *
lost(const struct slot *slot, const char *name, char **remedy)
{
	size_t		i = 0;

	/* the last row stands for "wal_removed" and for what it says before 17 */
	while (*losses[i].reason != '\0' &&
		   strcmp(losses[i].reason, slot->invalid) != 0)
		i++;
	*remedy = mem_format("Run \"wal2kafka drop --yes\" and \"wal2kafka init\" "
						 "to start anew, and bring the tables over again: "
						 "changes in between will not be in Kafka.  See the "
						 "server's %s.", losses[i].setting);
	return mem_format("replication slot \"%s\" is lost: %s", name,
					  losses[i].meaning);
}

/* Streaming would skip in silence what is written up to there. */
static char *
ahead(const struct slot *slot, const char *name, char **remedy)
{
	*remedy = mem_strdup("The server was restored from an older copy than "
						 "its slots.  Run \"wal2kafka drop --yes\" and "
						 "\"wal2kafka init\", and bring the tables over "
						 "again; see doc/consumer.md about positions.");
	return mem_format("replication slot \"%s\" stands at %s, beyond the end "
					  "of the server's log at %s", name, slot->confirmed,
					  slot->end);
}

char *
slot_fault(const struct slot *slot, const char *name, struct server *server,
		   char **remedy)
{
	*remedy = NULL;
	if (!slot->exists)
		return missing(name, remedy);
	if (!slot->logical || strcmp(slot->plugin, SLOT_PLUGIN) != 0)
	{
		*remedy = mem_strdup("Set another \"slot\" in [postgres] of the "
							 "config, and run \"wal2kafka init\".");
		return mem_format("replication slot \"%s\" is of %s \"%s\", not of "
						  "plugin \"" SLOT_PLUGIN "\"", name,
						  slot->logical ? "plugin" : "type",
						  slot->logical ? slot->plugin : "physical");
	}
	if (strcmp(slot->database, server_database(server)) != 0)
	{
		*remedy = mem_format("Set dbname=%s in the conninfo, or another "
							 "\"slot\".", slot->database);
		return mem_format("replication slot \"%s\" belongs to database "
						  "\"%s\", not to \"%s\"", name, slot->database,
						  server_database(server));
	}
	if (strcmp(slot->wal_status, "lost") == 0 || *slot->invalid != '\0')
		return lost(slot, name, remedy);
	if (slot->ahead)
		return ahead(slot, name, remedy);
	if (slot->temporary)
	{
		*remedy = mem_strdup("Set another \"slot\", or end the session that "
							 "holds it; then run \"wal2kafka init\".");
		return mem_format("replication slot \"%s\" is temporary", name);
	}
	if (slot->two_phase)
	{
		*remedy = mem_strdup("Run \"wal2kafka drop --yes\" and "
							 "\"wal2kafka init\", once nothing is left in "
							 "it that must reach Kafka.");
		return mem_format("replication slot \"%s\" decodes two-phase "
						  "commits, which wal2kafka does not", name);
	}
	return NULL;
}

/*
 * Minor releases from August 2026 on run only the plugins that a setting
 * names.  A role without pg_read_all_settings cannot see the setting, so the
 * version has to tell.
 */
static bool
has_allow_list(int version)
{
	static const int first[] = {140024, 150019, 160015, 170011, 180006};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (version / 10000 == first[i] / 10000)
			return version >= first[i];
	return version >= 190000;
}

static bool
may_replicate(struct server *server)
{
	struct rows *rows = server_query(server,
									 "SELECT rolsuper OR rolreplication FROM"
									 " pg_roles WHERE rolname = current_user",
									 0, NULL);
	bool		may = rows != NULL && rows_count(rows) == 1 &&
		rows_bool(rows, 0, 0);

	rows_free(rows);
	return may;
}

/* Keeps the failed statement's error for the caller's message. */
static enum slot_refusal
refusal_of(const char *sqlstate, bool replication)
{
	if (strcmp(sqlstate, "42501") == 0)
		return replication ? SLOT_NOT_ALLOWED : SLOT_NO_REPLICATION;
	if (strcmp(sqlstate, "58P01") == 0 || strcmp(sqlstate, "XX000") == 0)
		return SLOT_NOT_INSTALLED;
	if (strcmp(sqlstate, "55000") == 0)
		return SLOT_WAL_LEVEL;
	if (strcmp(sqlstate, "53400") == 0)
		return SLOT_NO_ROOM;
	if (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "25006") == 0)
		return SLOT_STANDBY;
	if (strcmp(sqlstate, "57014") == 0)
		return SLOT_TIMEOUT;
	return SLOT_OTHER;
}

enum slot_refusal
slot_refusal_of(struct server *server, const char *sqlstate)
{
	return refusal_of(sqlstate, may_replicate(server));
}

enum slot_refusal
slot_create(struct server *server, const char *name, bool temporary,
			bool failover)
{
	const char *params[] = {name, temporary ? "t" : "f"};
	bool		replication = may_replicate(server);
	struct rows *rows;

	/* an older server has one argument less */
	rows = server_query(server, failover ?
						"SELECT pg_create_logical_replication_slot("
						"$1::name, '" SLOT_PLUGIN "', $2::bool, false, true)" :
						"SELECT pg_create_logical_replication_slot("
						"$1::name, '" SLOT_PLUGIN "', $2::bool)", 2, params);
	if (rows == NULL)
		return refusal_of(server_sqlstate(server), replication);
	rows_free(rows);
	return SLOT_MADE;
}

/* The exact line: no quotes around the list, or it is one name. */
static char *
allow_sql(struct server *server)
{
	char	   *role = server_identifier(server, server_user(server));
	char	   *database = server_identifier(server, server_database(server));
	char	   *sql = mem_format("ALTER ROLE %s IN DATABASE %s SET "
								 "output_plugin_libraries = " SLOT_PLUGIN ";",
								 role, database);

	free(role);
	free(database);
	return sql;
}

static char *
replication_remedy(struct server *server)
{
	char	   *role = server_identifier(server, server_user(server));
	char	   *allow = has_allow_list(server_version(server)) ?
		allow_sql(server) : mem_strdup("");
	char	   *remedy = mem_format("Have a superuser run: ALTER ROLE %s "
									"REPLICATION;%s%s", role,
									*allow ? " " : "", allow);

	free(role);
	free(allow);
	return remedy;
}

static char *
allow_remedy(struct server *server)
{
	char	   *allow = allow_sql(server);
	char	   *remedy = mem_format("Have a superuser run: %s", allow);

	free(allow);
	return remedy;
}

char *
slot_remedy(struct server *server, enum slot_refusal refusal)
{
	switch (refusal)
	{
		case SLOT_NO_REPLICATION:
			return replication_remedy(server);
		case SLOT_NOT_ALLOWED:
			return allow_remedy(server);
		case SLOT_NOT_INSTALLED:
			return mem_format("Install wal2kafka.so for PostgreSQL %d on the "
							  "server, where \"pg_config --pkglibdir\" "
							  "points (\"make install\"); no restart is "
							  "needed.", server_version(server) / 10000);
		case SLOT_WAL_LEVEL:
			return mem_strdup("ALTER SYSTEM SET wal_level = logical; then "
							  "restart the server.");
		case SLOT_NO_ROOM:
			return mem_strdup("Drop a slot that nobody needs (see "
							  "pg_replication_slots), or raise "
							  "max_replication_slots and restart the "
							  "server.");
		case SLOT_STANDBY:
			return mem_strdup("Connect to the primary: several hosts and "
							  "target_session_attrs=read-write in the "
							  "conninfo.");
		case SLOT_TIMEOUT:
			return mem_strdup("A slot waits for every transaction that runs "
							  "when it is made; look for old ones in "
							  "pg_stat_activity.");
		case SLOT_MADE:
		case SLOT_OTHER:
			break;
	}
	return mem_strdup("");
}

void
slot_free(struct slot *slot)
{
	free(slot->plugin);
	free(slot->database);
	free(slot->wal_status);
	free(slot->invalid);
	free(slot->confirmed);
	free(slot->restart);
	free(slot->end);
	memset(slot, 0, sizeof(*slot));
}

char *
slot_bytes(int64_t bytes)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
	size_t		unit = 0;

	if (bytes < 0)
		return mem_strdup("unknown");
	while (bytes >= 10 * 1024 && unit < 4)
	{
		bytes = (bytes + 512) / 1024;
		unit++;
	}
	return mem_format("%" PRId64 " %s", bytes, units[unit]);
}
