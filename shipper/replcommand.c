/*
 * replcommand.c
 *		The plugin's options, for the command that starts streaming and for the
 *		functions that copy tables.
 */
#include "replcommand.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "names.h"
#include "sqltext.h"
#include "store.h"

/* A list of literals, each with its separator in front. */
struct list
{
	char	   *text;			/* owned */
	bool		command;		/* "name" 'value', else 'name','value' */
};

static void add_options(struct list *list, const struct config *config,
						size_t largest, const char *routes, bool careful);
static void add_number(struct list *list, const char *name, size_t number);
static void add_option(struct list *list, const char *name,
					   const char *value);
static char *publication_names(const char *list);

char *
replcommand_start(const struct config *config, size_t largest, lsn_t start,
				  const char *routes, unsigned timeline, bool careful)
{
	char	   *slot = names_quote(config->slot);
	struct list list = {mem_strdup("\"proto_version\" '1'"), true};
	char	   *command;

	add_options(&list, config, largest, routes, careful);
	if (timeline > 0)
		add_number(&list, "timeline", timeline);
	command = mem_format("START_REPLICATION SLOT %s LOGICAL " LSN_FORMAT
						 " (%s)", slot, LSN_ARGS(start), list.text);
	free(list.text);
	free(slot);
	return command;
}

char *
replcommand_array(const struct config *config, size_t largest,
				  const char *routes)
{
	struct list list = {mem_strdup("'proto_version','1'"), false};
	char	   *array;

	add_options(&list, config, largest, routes, false);
	array = mem_format("ARRAY[%s]::pg_catalog.text[]", list.text);
	free(list.text);
	return array;
}

static void
add_options(struct list *list, const struct config *config, size_t largest,
			const char *routes, bool careful)
{
	char	   *publications = publication_names(config->publication);
	char	   *reserved = store_topic_name(config);
	bool		sized = false;

	if (publications[0] != '\0')
		add_option(list, "publication_names", publications);
	if (config->topic_prefix[0] != '\0')
		add_option(list, "topic_prefix", config->topic_prefix);
	if (routes[0] != '\0')
		add_option(list, "routes", routes);
	for (size_t i = 0; i < config->plugin_count; i++)
	{
		if (careful && strcmp(config->plugin[i].name, "flush") == 0)
			continue;
		sized |= strcmp(config->plugin[i].name, "max_record") == 0;
		add_option(list, config->plugin[i].name, config->plugin[i].value);
	}
	if (reserved != NULL &&
		config_plugin_option(config, "message_topics", NULL) != NULL)
		add_option(list, "state_topic", reserved);
	if (careful)
		add_option(list, "flush", "commit");
	if (!sized && largest > 0)
		add_number(list, "max_record", largest < CONFIG_RECORD_MAX ? largest :
				   CONFIG_RECORD_MAX);
	free(reserved);
	free(publications);
}

static void
add_number(struct list *list, const char *name, size_t number)
{
	char	   *value = mem_format("%zu", number);

	add_option(list, name, value);
	free(value);
}

static void
add_option(struct list *list, const char *name, const char *value)
{
	char	   *quoted = sqltext_literal(value);
	char	   *longer = list->command ?
		mem_format("%s, \"%s\" %s", list->text, name, quoted) :
		mem_format("%s,'%s',%s", list->text, name, quoted);

	free(quoted);
	free(list->text);
	list->text = longer;
}

static char *
publication_names(const char *list)
{
	struct names names;
	char	   *joined;

	if (list[0] == '\0' || !names_parse(&names, list, ','))
		return mem_strdup(list);
	joined = names_join(&names, ",");
	names_free(&names);
	return joined;
}
