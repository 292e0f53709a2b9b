/*
 * snapshot_check.c
 *		What a snapshot needs, as "check" judges it.
 */
#include "snapshot_check.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* tables that a finding lists before it counts */
#define SHOWN			10

/* the tables that chunks are read from: partitions, not their roots */
static const char leaves_sql[] =
"WITH leaf AS ("
" SELECT DISTINCT coalesce(t.relid::oid, a.oid) AS oid"
"  FROM unnest($1::oid[]) a(oid)"
"  LEFT JOIN LATERAL pg_partition_tree(a.oid) t ON true"
"  WHERE t.isleaf IS NOT FALSE"
") SELECT format('%I.%I', n.nspname, c.relname),"
" has_schema_privilege(n.oid, 'USAGE')"
"  AND has_table_privilege(c.oid, 'SELECT'),"
" EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid"
"  AND CASE c.relreplident WHEN 'i' THEN x.indisreplident"
"   ELSE x.indisprimary END),"
" row_security_active(c.oid)"
" FROM leaf l JOIN pg_class c ON c.oid = l.oid AND c.relkind = 'r'"
" JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1";

enum leaf_column
{
	L_NAME,
	L_READABLE,
	L_KEYED,
	L_POLICIES,
};

static bool check_functions(struct server *server, struct report *report);
static void note_functions(const struct rows *rows, struct server *server,
						   struct report *report);
static void check_tables(struct server *server, const struct config *cfg,
						 const struct capture *capture,
						 struct report *report);
static char *capture_oids(const struct capture *capture);
static int	list_leaves(const struct rows *rows, int column, bool value,
						char **list);
static void check_rights(struct server *server, const struct rows *rows,
						 struct report *report);
static void check_policies(struct server *server, const struct rows *rows,
						   struct report *report);
static void check_keys(const struct rows *rows, struct report *report);
static void check_key_change(const struct config *cfg, struct report *report);

void
snapshot_check(struct server *server, const struct config *cfg,
			   const struct capture *capture, struct report *report)
{
	report_note(report, "rows that tables have already are sent when asked "
				"for: \"wal2kafka snapshot [TABLE]...\", or \"init "
				"--snapshot\" with a new slot");
	if (check_functions(server, report))
		check_tables(server, cfg, capture, report);
}

/* Whether it is worth looking further. */
static bool
check_functions(struct server *server, struct report *report)
{
	static const char sql[] =
	"SELECT pg_is_in_recovery(), count(p.oid) >= 2,"
	" bool_and(has_function_privilege(p.oid, 'EXECUTE')"
	"  AND has_schema_privilege(n.oid, 'USAGE')),"
	" EXISTS (SELECT FROM pg_extension WHERE extname = 'wal2kafka')"
	" FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
	" WHERE n.nspname = 'wal2kafka'"
	" AND p.proname IN ('snapshot_frames', 'snapshot_point')";
	struct rows *rows = server_query(server, sql, 0, NULL);
	bool		fine = rows != NULL && !rows_bool(rows, 0, 0) &&
		rows_bool(rows, 0, 1) && rows_bool(rows, 0, 2);

	if (rows == NULL)
		report_note(report, "could not read whether that is possible: %s",
					server_error(server));
	else if (!fine)
		note_functions(rows, server, report);
	rows_free(rows);
	return fine;
}

static void
note_functions(const struct rows *rows, struct server *server,
			   struct report *report)
{
	char	   *role = server_identifier(server, server_user(server));

	if (rows_bool(rows, 0, 0))
	{
		report_note(report, "not from this server, which is a standby");
		report_remedy(report, "Ask when the shipper reads from the primary.");
	}
	else if (!rows_bool(rows, 0, 1))
	{
		report_note(report, "not yet: the functions that read them are not in "
					"database \"%s\"", server_database(server));
		report_remedy(report, "As a superuser, there: %s EXTENSION "
					  "wal2kafka%s;", rows_bool(rows, 0, 3) ? "ALTER" : "CREATE",
					  rows_bool(rows, 0, 3) ? " UPDATE" : "");
	}
	else
	{
		report_note(report, "not yet: role %s may not call the functions that "
					"read them", role);
		report_remedy(report, "GRANT USAGE ON SCHEMA wal2kafka TO %s; GRANT "
					  "EXECUTE ON FUNCTION wal2kafka.snapshot_frames, "
					  "wal2kafka.snapshot_point TO %s;", role, role);
	}
	free(role);
}

static void
check_tables(struct server *server, const struct config *cfg,
			 const struct capture *capture, struct report *report)
{
	char	   *oids = capture_oids(capture);
	const char *params[] = {oids};
	struct rows *rows = server_query(server, leaves_sql, 1, params);

	if (rows == NULL)
		report_note(report, "could not read of which tables: %s",
					server_error(server));
	else
	{
		check_rights(server, rows, report);
		check_policies(server, rows, report);
		check_keys(rows, report);
		check_key_change(cfg, report);
	}
	rows_free(rows);
	free(oids);
}

/* {1,2} */
static char *
capture_oids(const struct capture *capture)
{
	char	   *array = mem_alloc(capture->count * 12 + 3);
	char	   *end = array;

	*end++ = '{';
	for (size_t i = 0; i < capture->count; i++)
		end += sprintf(end, "%s%s", i > 0 ? "," : "", capture->table[i].oid);
	strcpy(end, "}");
	return array;
}

/* How many there are, and the first of them, to be freed. */
static int
list_leaves(const struct rows *rows, int column, bool value, char **list)
{
	int			found = 0;

	*list = mem_strdup("");
	for (int i = 0; i < rows_count(rows); i++)
	{
		char	   *longer;

		if (rows_bool(rows, i, column) != value || found++ >= SHOWN)
			continue;
		longer = mem_format("%s%s%s", *list, found > 1 ? ", " : "",
							rows_text(rows, i, L_NAME));
		free(*list);
		*list = longer;
	}
	return found;
}

static void
check_rights(struct server *server, const struct rows *rows,
			 struct report *report)
{
	char	   *list;
	char	   *role = server_identifier(server, server_user(server));
	int			found = list_leaves(rows, L_READABLE, false, &list);

	if (found > 0)
	{
		report_note(report, "role %s may not read %d of %d tables, which only "
					"a snapshot needs: %s%s", role, found, rows_count(rows),
					list, found > SHOWN ? " ..." : "");
		report_remedy(report, "GRANT SELECT ON %s TO %s; (and USAGE on the "
					  "schema), for as long as a snapshot takes.", list, role);
	}
	else if (rows_count(rows) > 0)
		report_ok(report, "role %s may read all of them", role);
	free(role);
	free(list);
}

static void
check_policies(struct server *server, const struct rows *rows,
			   struct report *report)
{
	char	   *list;
	char	   *role = server_identifier(server, server_user(server));
	int			found = list_leaves(rows, L_POLICIES, true, &list);

	if (found > 0)
	{
		report_note(report, "row security is in force for role %s: a snapshot "
					"would lack rows of %d table%s: %s%s", role, found,
					found == 1 ? "" : "s", list, found > SHOWN ? " ..." : "");
		report_remedy(report, "ALTER ROLE %s BYPASSRLS; for as long as a "
					  "snapshot takes.", role);
	}
	free(role);
	free(list);
}

static void
check_keys(const struct rows *rows, struct report *report)
{
	char	   *list;
	int			found = list_leaves(rows, L_KEYED, false, &list);

	if (found > 0)
	{
		report_note(report, "%d table%s no primary key: only \"wal2kafka init "
					"--snapshot\" sends the rows: %s%s", found,
					found == 1 ? " has" : "s have", list,
					found > SHOWN ? " ..." : "");
		report_remedy(report, "Add a primary key.");
	}
	free(list);
}

/* The two halves of a split are what puts a moved row in its new place. */
static void
check_key_change(const struct config *cfg, struct report *report)
{
	if (strcmp(config_plugin_option(cfg, "key_change", "split"), "split") == 0)
		return;
	report_note(report, "key_change is update: of a row whose key changes "
				"during a snapshot readers may keep the old place, or get the "
				"new one in part");
	report_remedy(report, "Take no snapshot while keys change, or set "
				  "key_change = split.");
}
