/*
 * publication.c
 *		The publications that the config names.
 *
 * One is created only when the config says of what.  FOR ALL TABLES is never
 * a guess: a publication makes the server refuse updates and deletes of
 * tables without a replica identity, so a wrong one stops an application.
 */
#include "publication.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "resolve.h"

/* how many names a message lists before it counts */
#define SHOWN	10

/* what publication_tables asks for */
struct wanted
{
	bool		all;
	char	   *oids;			/* {1,2}; NULL with all */
	char	   *list;			/* "a"."b", "c"."d"; NULL with all */
};

void
publication_names(const struct config *cfg, struct names *names)
{
	/* config_check() has seen that it parses */
	if (*cfg->publication == '\0' ||
		!names_parse(names, cfg->publication, ','))
	{
		names->name = NULL;
		names->count = 0;
	}
}

bool
publication_exists(struct server *server, const char *name, bool *exists)
{
	struct rows *rows = server_ask(server, "look up the publication",
								   "SELECT 1 FROM pg_publication"
								   " WHERE pubname = $1", 1, &name);

	*exists = rows != NULL && rows_count(rows) > 0;
	rows_free(rows);
	return rows != NULL;
}

char *
publication_create_sql(struct server *server, const char *name,
					   const char *tables)
{
	char	   *quoted = server_identifier(server, name);
	char	   *sql = mem_format("CREATE PUBLICATION %s FOR %s WITH "
								 "(publish = 'insert, update, delete');",
								 quoted, tables ? tables :
								 "TABLE SCHEMA.TABLE, ...");

	free(quoted);
	return sql;
}

/* --- what the config asks for ---------------------------------------- */

/* Adds one table to the lists; false if it is not found, which is logged. */
static bool
want_table(struct server *server, const char *written, struct wanted *wanted)
{
	struct resolved table;
	char	   *error;
	char	   *remedy;
	char	   *quoted;
	char	   *old;

	if (!resolve_table(server, written, &table, &error, &remedy))
	{
		log_error("publication_tables: %s", error);
		log_hint("%s", remedy);
		free(error);
		free(remedy);
		return false;
	}
	quoted = resolve_quoted(&table);
	old = wanted->list;
	wanted->list = mem_format("%s%s%s", old ? old : "", old ? ", " : "",
							  quoted);
	free(old);
	old = wanted->oids;
	wanted->oids = mem_format("%s%s%s", old ? old : "", old ? "," : "",
							  table.oid);
	free(old);
	free(quoted);
	resolve_free(&table);
	return true;
}

/* Where the next comma outside double quotes is, or the end. */
static size_t
item_length(const char *text)
{
	bool		quoted = false;
	size_t		len = 0;

	for (; text[len] != '\0' && (quoted || text[len] != ','); len++)
		if (text[len] == '"')
			quoted = !quoted;
	return len;
}

static bool
want(struct server *server, const char *tables, struct wanted *wanted)
{
	char	   *old;

	memset(wanted, 0, sizeof(*wanted));
	wanted->all = strcmp(tables, "all") == 0;
	while (!wanted->all)
	{
		size_t		len = item_length(tables);
		char	   *item = mem_strndup(tables, len);
		bool		found = want_table(server, item +
									   strspn(item, " \t"), wanted);

		free(item);
		if (!found)
			return false;
		if (tables[len] == '\0')
			break;
		tables += len + 1;
	}
	if (!wanted->all)
	{
		old = wanted->oids;
		wanted->oids = mem_format("{%s}", old);
		free(old);
	}
	return true;
}

static void
wanted_free(struct wanted *wanted)
{
	free(wanted->oids);
	free(wanted->list);
}

static char *
wanted_sql(struct server *server, const char *name,
		   const struct wanted *wanted)
{
	char	   *tables = wanted->all ? mem_strdup("ALL TABLES") :
		mem_format("TABLE %s", wanted->list);
	char	   *sql = publication_create_sql(server, name, tables);

	free(tables);
	return sql;
}

/* --- create ---------------------------------------------------------- */

/*
 * True if every table could still be updated once published; the others are
 * logged with what to run.
 */
static bool
all_have_identity(struct server *server, const struct wanted *wanted,
				  enum exit_status *status)
{
	static const char sql[] =
	"SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384"
	" AND n.nspname NOT IN ('wal2kafka', 'information_schema')"
	" AND ($1::oid[] IS NULL OR c.oid = ANY ($1::oid[]) OR c.oid IN"
	"  (SELECT t.relid FROM unnest($1::oid[]) u, pg_partition_tree(u) t))"
	" AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i"
	"  WHERE i.indrelid = c.oid AND CASE c.relreplident"
	"  WHEN 'd' THEN i.indisprimary AND i.indimmediate"
	"  WHEN 'i' THEN i.indisreplident ELSE false END)"
	" ORDER BY 1";
	const char *params[] = {wanted->oids};
	struct rows *rows = server_ask(server, "look for replica identities", sql,
								   1, params);
	int			count;

	*status = EXIT_PERSON;
	if (rows == NULL)
	{
		*status = server_status(server);
		return false;
	}
	count = rows_count(rows);
	if (count > 0)
	{
		log_error("%d table%s without a replica identity would refuse every "
				  "UPDATE and DELETE once published", count,
				  count == 1 ? "" : "s");
		for (int i = 0; i < count && i < SHOWN; i++)
			log_hint("ALTER TABLE %s REPLICA IDENTITY FULL; -- or add a "
					 "primary key", rows_text(rows, i, 0));
		if (count > SHOWN)
			log_hint("... and %d more.", count - SHOWN);
	}
	rows_free(rows);
	return count == 0;
}

static enum exit_status
create_wanted(struct server *server, const char *name,
			  const struct wanted *wanted)
{
	enum exit_status status = EXIT_ASKED;
	char	   *sql;
	struct rows *rows;

	if (!all_have_identity(server, wanted, &status))
		return status;
	sql = wanted_sql(server, name, wanted);
	rows = server_query(server, sql, 0, NULL);
	if (rows != NULL)
	{
		log_info("publication \"%s\" created", name);
		status = EXIT_ASKED;
	}
	else
	{
		log_error("could not create publication \"%s\": %s", name,
				  server_error(server));
		if (strcmp(server_sqlstate(server), "42501") == 0)
			log_hint("Have %s run: %s", wanted->all ? "a superuser" :
					 "the tables' owner (with CREATE on the database)", sql);
		status = server_status(server);
	}
	rows_free(rows);
	free(sql);
	return status;
}

enum exit_status
publication_create(struct server *server, const struct config *cfg,
				   const char *name)
{
	enum exit_status status = EXIT_USAGE;
	struct wanted wanted;

	if (*cfg->publication_tables == '\0')
	{
		char	   *sql = publication_create_sql(server, name, NULL);

		log_error("publication \"%s\" does not exist", name);
		log_hint("Have the tables' owner run: %s", sql);
		log_hint("Or set \"publication_tables\" in [postgres] to a list of "
				 "tables or to \"all\", and init creates it.");
		free(sql);
		return EXIT_PERSON;
	}
	if (want(server, cfg->publication_tables, &wanted))
		status = create_wanted(server, name, &wanted);
	wanted_free(&wanted);
	return status;
}

/* --- compare --------------------------------------------------------- */

static void
set_difference(char **difference, char **remedy, char *what, char *how)
{
	*difference = what;
	*remedy = how;
}

/* Whether it is FOR ALL TABLES as asked, and publishes rows at all. */
static void
compare_kind(const struct rows *rows, const struct wanted *wanted,
			 const char *quoted, char **difference, char **remedy)
{
	if (!rows_bool(rows, 0, 1) || !rows_bool(rows, 0, 2) ||
		!rows_bool(rows, 0, 3))
		set_difference(difference, remedy,
					   mem_strdup("it does not publish every insert, update "
								  "and delete"),
					   mem_format("ALTER PUBLICATION %s SET (publish = "
								  "'insert, update, delete');", quoted));
	else if (wanted->all && !rows_bool(rows, 0, 0))
		set_difference(difference, remedy,
					   mem_strdup("it is not FOR ALL TABLES"),
					   mem_strdup("Correct \"publication_tables\", or drop "
								  "the publication and run init again."));
	else if (!wanted->all && rows_bool(rows, 0, 0))
		set_difference(difference, remedy,
					   mem_strdup("it is FOR ALL TABLES"),
					   mem_strdup("Set \"publication_tables\" to \"all\", or "
								  "drop the publication and run init "
								  "again."));
}

/* Tables that only one side has. */
static bool
compare_tables(struct server *server, const struct wanted *wanted,
			   const char *name, const char *quoted, char **difference,
			   char **remedy)
{
	static const char sql[] =
	"WITH pub AS (SELECT oid FROM pg_publication WHERE pubname = $1),"
	" has AS (SELECT r.prrelid AS oid FROM pg_publication_rel r, pub"
	"  WHERE r.prpubid = pub.oid"
	"  UNION SELECT c.oid FROM pg_publication_namespace s, pub, pg_class c"
	"  WHERE s.pnpubid = pub.oid AND c.relnamespace = s.pnnspid"
	"  AND c.relkind IN ('r', 'p')),"
	" wants AS (SELECT unnest($2::oid[]) AS oid)"
	" SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ')"
	"  FILTER (WHERE has.oid IS NULL),"
	" string_agg(format('%I.%I', n.nspname, c.relname), ', ')"
	"  FILTER (WHERE wants.oid IS NULL)"
	" FROM has FULL JOIN wants USING (oid)"
	" JOIN pg_class c ON c.oid = coalesce(has.oid, wants.oid)"
	" JOIN pg_namespace n ON n.oid = c.relnamespace";
	const char *params[] = {name, wanted->oids};
	struct rows *rows = server_ask(server, "compare the publication", sql, 2,
								   params);

	if (rows == NULL)
		return false;
	if (!rows_null(rows, 0, 0))
		set_difference(difference, remedy,
					   mem_format("it lacks %s", rows_text(rows, 0, 0)),
					   mem_format("ALTER PUBLICATION %s ADD TABLE %s;",
								  quoted, rows_text(rows, 0, 0)));
	else if (!rows_null(rows, 0, 1))
		set_difference(difference, remedy,
					   mem_format("it also has %s", rows_text(rows, 0, 1)),
					   mem_format("ALTER PUBLICATION %s DROP TABLE %s; -- or "
								  "add them to \"publication_tables\"",
								  quoted, rows_text(rows, 0, 1)));
	rows_free(rows);
	return true;
}

bool
publication_compare(struct server *server, const struct config *cfg,
					const char *name, char **difference, char **remedy)
{
	struct wanted wanted;
	struct rows *rows;
	char	   *quoted;
	bool		done = false;

	*difference = NULL;
	*remedy = NULL;
	if (*cfg->publication_tables == '\0')
		return true;
	rows = server_ask(server, "read the publication",
					  "SELECT puballtables, pubinsert, pubupdate, pubdelete"
					  " FROM pg_publication WHERE pubname = $1", 1, &name);
	quoted = server_identifier(server, name);
	if (rows != NULL && want(server, cfg->publication_tables, &wanted))
	{
		compare_kind(rows, &wanted, quoted, difference, remedy);
		done = *difference != NULL || wanted.all ||
			compare_tables(server, &wanted, name, quoted, difference, remedy);
		wanted_free(&wanted);
	}
	rows_free(rows);
	free(quoted);
	return done;
}

enum exit_status
publication_drop(struct server *server, const char *name)
{
	char	   *quoted = server_identifier(server, name);
	char	   *sql = mem_format("DROP PUBLICATION %s", quoted);
	struct rows *rows = server_query(server, sql, 0, NULL);
	enum exit_status status = EXIT_ASKED;

	if (rows != NULL)
		log_info("publication \"%s\" dropped", name);
	else if (strcmp(server_sqlstate(server), "42704") == 0)
		log_info("publication \"%s\" does not exist", name);
	else
	{
		log_error("could not drop publication \"%s\": %s", name,
				  server_error(server));
		log_hint("Have its owner run: %s;", sql);
		status = server_status(server);
	}
	rows_free(rows);
	free(quoted);
	free(sql);
	return status;
}
