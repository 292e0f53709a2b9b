/*
 * check.c
 *		Everything that would keep changes from reaching Kafka, in one pass.
 *
 * A problem stops or falsifies the stream, or an application; a warning is
 * something that a reader of the topics should know.
 */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../plugin/message.h"
#include "broker.h"
#include "capture.h"
#include "failover.h"
#include "mem.h"
#include "names.h"
#include "publication.h"
#include "report.h"
#include "server.h"
#include "slot.h"
#include "state_check.h"

/* tables that a finding lists before it counts */
#define SHOWN			10

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

static void
check_decoding(struct server *server, const struct config *cfg,
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

/* --- publications ---------------------------------------------------- */

static void
check_publication(struct server *server, const struct config *cfg,
				  const char *name, struct report *report)
{
	struct rows *rows = server_query(server, "SELECT pubtruncate FROM"
									 " pg_publication WHERE pubname = $1",
									 1, &name);
	char	   *quoted = server_identifier(server, name);

	if (rows == NULL || rows_count(rows) == 0)
	{
		char	   *sql = publication_create_sql(server, name, NULL);

		if (config_may_lack_publications(cfg))
			report_warning(report, "publication \"%s\" does not exist", name);
		else
			report_problem(report, "publication \"%s\" does not exist", name);
		report_remedy(report, "%s", sql);
		free(sql);
	}
	else
	{
		report_ok(report, "publication \"%s\"", name);
		if (rows_bool(rows, 0, 0) &&
			strcmp(config_plugin_option(cfg, "truncate", "skip"), "skip") == 0)
		{
			report_warning(report, "publication \"%s\" publishes truncate, "
						   "which is not sent (truncate = skip)", name);
			report_remedy(report, "ALTER PUBLICATION %s SET (publish = "
						  "'insert, update, delete'); or truncate = emit or "
						  "halt in [wal2kafka].", quoted);
		}
	}
	free(quoted);
	rows_free(rows);
}

/* What is decoded while they disagree stops the stream. */
static void
check_agreement(struct server *server, const char *one, const char *other,
				struct report *report)
{
	static const char sql[] =
	"SELECT string_agg(format('%I.%I', schemaname, tablename), ', ')"
	" FROM pg_publication_tables a JOIN pg_publication_tables b"
	" USING (schemaname, tablename) WHERE a.pubname = $1 AND b.pubname = $2"
	" AND a.attnames <> b.attnames";
	const char *names[] = {one, other};
	struct rows *rows = server_query(server, sql, 2, names);

	if (rows != NULL && !rows_null(rows, 0, 0))
	{
		report_problem(report, "publications \"%s\" and \"%s\" publish "
					   "different columns of %s", one, other,
					   rows_text(rows, 0, 0));
		report_remedy(report, "Give both the same column list with ALTER "
					  "PUBLICATION ... SET TABLE, or request only one.");
	}
	rows_free(rows);
}

static void
check_publications(struct server *server, const struct config *cfg,
				   struct report *report)
{
	struct names names;

	publication_names(cfg, &names);
	if (names.count == 0)
		report_ok(report, "no publication: every table is captured");
	for (size_t i = 0; i < names.count; i++)
	{
		check_publication(server, cfg, names.name[i], report);
		for (size_t j = 0; j < i; j++)
			check_agreement(server, names.name[j], names.name[i], report);
	}
	names_free(&names);
}

/* --- tables ---------------------------------------------------------- */

/* Publications without tables look like silence. */
static void
check_count(const struct config *cfg, const struct capture *capture,
			struct report *report)
{
	if (capture->count > 0)
		report_ok(report, "%zu table%s captured", capture->count,
				  capture->count == 1 ? " is" : "s are");
	else if (*cfg->publication == '\0')
		report_note(report, "the database has no table yet");
	else
	{
		report_problem(report, "no table is captured");
		report_remedy(report, "Add tables to the publication: ALTER "
					  "PUBLICATION ... ADD TABLE ...;");
	}
}

static bool
lacks_identity(const struct captured *table)
{
	return table->changes && (table->unlisted ||
							  (!table->full && table->identity.count == 0));
}

static void
check_identity(const struct config *cfg, const struct capture *capture,
			   struct report *report)
{
	const char *why = *cfg->publication != '\0' ?
		"once published, the server refuses to update or delete its rows" :
		"readers cannot tell which row an update or delete is about";
	int			found = 0;

	for (size_t i = 0; i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];

		if (!lacks_identity(table) || found++ >= SHOWN)
			continue;
		if (table->unlisted)
		{
			report_problem(report, "table %s: its column list leaves out "
						   "columns of the replica identity: %s",
						   table->shown, why);
			report_remedy(report, "Add them to the list with ALTER "
						  "PUBLICATION ... SET TABLE, or publish inserts "
						  "only.");
			continue;
		}
		report_problem(report, "table %s has no replica identity: %s",
					   table->shown, why);
		report_remedy(report, "Add a primary key, or: ALTER TABLE %s REPLICA "
					  "IDENTITY FULL;", table->shown);
	}
	if (found > SHOWN)
		report_problem(report, "%d more tables have no replica identity",
					   found - SHOWN);
}

static void
check_key(const struct captured *table, struct report *report)
{
	char	   *key = names_join(&table->key, ", ");

	if (!captured_key_is_published(table))
	{
		report_problem(report, "table %s: the key %s (%s) is not among the "
					   "published columns", table->shown, key,
					   table->key_from);
		report_remedy(report, "Add it to the column list with ALTER "
					  "PUBLICATION ... SET TABLE, or give the route another "
					  "key.");
	}
	else if (!captured_key_is_kept(table))
	{
		report_problem(report, "table %s: the key %s (%s) is not within the "
					   "replica identity, so a delete could not find its "
					   "partition", table->shown, key, table->key_from);
		report_remedy(report, "ALTER TABLE %s REPLICA IDENTITY FULL; or "
					  "USING INDEX one that has these columns.",
					  table->shown);
	}
	free(key);
}

static void
check_keys(const struct capture *capture, struct report *report)
{
	for (size_t i = 0; i < capture->count; i++)
		check_key(&capture->table[i], report);
}

static void
check_toast(const struct capture *capture, struct report *report)
{
	int			found = 0;

	for (size_t i = 0; i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];

		if (*table->toast == '\0' ||
			(table->identity.count == 0 && !table->full) || found++ >= SHOWN)
			continue;
		report_warning(report, "table %s: an update that leaves a large value "
					   "unchanged is sent without it (%s)", table->shown,
					   table->toast);
		report_remedy(report, "If readers need whole rows: ALTER TABLE %s "
					  "REPLICA IDENTITY FULL;", table->shown);
	}
	if (found > SHOWN)
		report_warning(report, "%d more tables have such columns",
					   found - SHOWN);
}

static void
check_tables(struct server *server, const struct config *cfg,
			 struct report *report, struct capture *capture)
{
	if (!capture_read(server, cfg, report, capture))
		return;
	check_count(cfg, capture, report);
	check_identity(cfg, capture, report);
	check_keys(capture, report);
	check_toast(capture, report);
}

static void
print_tables(const struct capture *capture)
{
	puts("\nTABLE -> TOPIC (source), KEY (source)");
	for (size_t i = 0; i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];
		char	   *key = names_join(&table->key, ",");

		printf("%s -> %s (%s), %s (%s)\n", table->shown, table->topic,
			   table->topic_from, *key ? key : "no key", table->key_from);
		free(key);
	}
	putchar('\n');
}

/* --- sink ------------------------------------------------------------ */

static int
compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
add_topic(struct names *topics, const char *topic)
{
	topics->name = mem_realloc(topics->name,
							   (topics->count + 1) * sizeof(char *));
	topics->name[topics->count++] = mem_strdup(topic);
}

/* Any role may write a message to whatever topic is listed. */
static void
add_message_topics(const struct config *cfg, struct names *topics,
				   struct report *report)
{
	const char *rest = config_plugin_option(cfg, "message_topics", NULL);
	char		glob[TOPIC_NAME_MAX + 1];

	while (message_next_topic(&rest, glob))
	{
		if (strpbrk(glob, "*?") == NULL && *glob != '\0')
			add_topic(topics, glob);
		else if (*glob != '\0')
		{
			report_warning(report, "message_topics lists \"%s\": any role can "
						   "write to any such topic, and stop the stream by "
						   "one that does not exist", glob);
			report_remedy(report, "List exact topics, or take the right to "
						  "call wal2kafka.emit_message() and "
						  "pg_logical_emit_message() from PUBLIC.");
		}
	}
}

/* The topics of all tables and messages, each once. */
static void
collect_topics(const struct config *cfg, const struct capture *capture,
			   struct names *topics, struct report *report)
{
	size_t		kept = 0;

	*topics = (struct names) {NULL, 0};
	for (size_t i = 0; i < capture->count; i++)
		add_topic(topics, capture->table[i].topic);
	add_message_topics(cfg, topics, report);
	if (topics->count == 0)
		return;
	qsort(topics->name, topics->count, sizeof(char *), compare_text);
	for (size_t i = 0; i < topics->count; i++)
	{
		if (kept > 0 && strcmp(topics->name[kept - 1], topics->name[i]) == 0)
			free(topics->name[i]);
		else
			topics->name[kept++] = topics->name[i];
	}
	topics->count = kept;
}

static void
check_sink(const struct config *cfg, const struct capture *capture,
		   struct report *report)
{
	struct names topics;

	if (cfg->sink == SINK_FILE && access(cfg->sink_dir, W_OK | X_OK) != 0)
	{
		report_problem(report, "directory \"%s\" of sink = file: cannot be "
					   "written to", cfg->sink_dir);
		report_remedy(report, "Create it, owned by the user that runs "
					  "wal2kafka.");
		return;
	}
	if (cfg->sink == SINK_KAFKA)
	{
		collect_topics(cfg, capture, &topics, report);
		broker_check(cfg, &topics, capture, report);
		names_free(&topics);
	}
	state_check(cfg, report);
}

enum exit_status
check_all(const struct config *cfg, bool tables)
{
	struct report report = {0};
	struct capture capture = {0};
	enum exit_status status;
	struct server *server;

	/* so that lines of the log stand where they belong */
	setvbuf(stdout, NULL, _IOLBF, 0);
	server = server_open(cfg, &status);
	if (server != NULL)
	{
		report_ok(&report, "PostgreSQL %d.%d, database \"%s\", role \"%s\"",
				  server_version(server) / 10000,
				  server_version(server) % 10000, server_database(server),
				  server_user(server));
		check_decoding(server, cfg, &report);
		check_publications(server, cfg, &report);
		check_tables(server, cfg, &report, &capture);
	}
	else
		report_problem(&report, "PostgreSQL cannot be asked (see above)");
	check_sink(cfg, &capture, &report);
	report_note(&report, "existing rows are not sent yet: only changes after "
				"the slot was created are");
	if (tables && server != NULL)
		print_tables(&capture);
	report_end(&report);

	capture_free(&capture);
	server_close(server);
	if (report.problems > 0)
		return status == EXIT_USAGE ? EXIT_USAGE : EXIT_PERSON;
	return EXIT_ASKED;
}
