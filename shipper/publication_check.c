/*
 * publication_check.c
 *		The publications that are requested, as "check" judges them.
 */
#include "publication_check.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "publication.h"

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

void
publication_check(struct server *server, const struct config *cfg,
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
