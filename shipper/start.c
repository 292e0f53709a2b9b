/*
 * start.c
 *		What is looked at before each start of the stream, besides the slot.
 */
#include "start.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "names.h"
#include "publication.h"
#include "resolve.h"

static enum exit_status
check_publications(struct server *server, const struct config *cfg)
{
	struct names names;
	enum exit_status status = EXIT_ASKED;

	publication_names(cfg, &names);
	for (size_t i = 0; i < names.count && status == EXIT_ASKED; i++)
	{
		bool		exists;

		if (!publication_exists(server, names.name[i], &exists))
			status = server_status(server);
		else if (!exists && config_may_lack_publications(cfg))
			log_warning("publication \"%s\" does not exist: nothing is taken "
						"by it until it does", names.name[i]);
		else if (!exists)
		{
			char	   *sql = publication_create_sql(server, names.name[i],
													 NULL);

			log_error("publication \"%s\" does not exist", names.name[i]);
			log_hint("Create it before the slot's position: %s", sql);
			free(sql);
			status = EXIT_PERSON;
		}
	}
	names_free(&names);
	return status;
}

/* One route as the plugin reads it: "s"."t" topic=NAME key="a","b" */
static char *
route_text(const struct resolved *table)
{
	char	   *name = resolve_quoted(table);
	char	   *key = names_join(&table->key, ",");
	char	   *text = mem_format("%s%s%s%s%s", name,
								  table->topic ? " topic=" : "",
								  table->topic ? table->topic : "",
								  *key ? " key=" : "", key);

	free(name);
	free(key);
	return text;
}

static bool
same_table(const struct resolved *a, const struct resolved *b)
{
	return strcmp(a->oid, b->oid) == 0;
}

/* Two routes for one table would leave the choice to chance. */
static bool
repeats(const struct resolved *tables, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (same_table(&tables[i], &tables[count]))
			return true;
	return false;
}

static enum exit_status
resolve_routes(struct server *server, const struct config *cfg, char **routes)
{
	struct resolved *tables = mem_zalloc((cfg->route_count + 1) *
										 sizeof(struct resolved));
	enum exit_status status = EXIT_ASKED;
	char	   *error = NULL;
	char	   *remedy = NULL;

	*routes = mem_strdup("");
	for (size_t i = 0; i < cfg->route_count && status == EXIT_ASKED; i++)
	{
		if (!resolve_route(server, &cfg->routes[i], &tables[i], &error,
						   &remedy))
		{
			log_error("%s", error);
			log_hint("%s", remedy);
			free(error);
			free(remedy);
			status = EXIT_USAGE;
		}
		else if (repeats(tables, i))
		{
			log_error("[route %s]: another route names the same table",
					  cfg->routes[i].table);
			log_hint("Keep one of them in the config.");
			status = EXIT_USAGE;
		}
		else
		{
			char	   *text = route_text(&tables[i]);
			char	   *longer = mem_format("%s%s%s", *routes,
											i > 0 ? "; " : "", text);

			free(text);
			free(*routes);
			*routes = longer;
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++)
		resolve_free(&tables[i]);
	free(tables);
	return status;
}

enum exit_status
start_check(struct server *server, const struct config *cfg, char **routes)
{
	enum exit_status status = check_publications(server, cfg);

	*routes = NULL;
	if (status == EXIT_ASKED)
		status = resolve_routes(server, cfg, routes);
	if (status == EXIT_ASKED)
		return status;
	free(*routes);
	*routes = NULL;
	return status;
}
