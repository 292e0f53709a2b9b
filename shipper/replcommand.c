/*
 * replcommand.c
 *		The command that starts streaming, with the plugin's options.
 */
#include "replcommand.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "names.h"
#include "store.h"

static void add_option(char **command, const char *name, const char *value);
static char *publication_names(const char *list);

char *
replcommand_start(const struct config *config, size_t largest, lsn_t start,
				  const char *routes, unsigned timeline, bool careful)
{
	char	   *slot = names_quote(config->slot);
	char	   *publications = publication_names(config->publication);
	char	   *max_record = mem_format("%zu", largest < CONFIG_RECORD_MAX ?
										largest : CONFIG_RECORD_MAX);
	char	   *number = mem_format("%u", timeline);
	char	   *reserved = store_topic_name(config);
	bool		sized = false;
	char	   *command =
		mem_format("START_REPLICATION SLOT %s LOGICAL " LSN_FORMAT
				   " (\"proto_version\" '1'", slot, LSN_ARGS(start));

	if (publications[0] != '\0')
		add_option(&command, "publication_names", publications);
	if (config->topic_prefix[0] != '\0')
		add_option(&command, "topic_prefix", config->topic_prefix);
	if (routes[0] != '\0')
		add_option(&command, "routes", routes);
	for (size_t i = 0; i < config->plugin_count; i++)
	{
		if (careful && strcmp(config->plugin[i].name, "flush") == 0)
			continue;
		sized |= strcmp(config->plugin[i].name, "max_record") == 0;
		add_option(&command, config->plugin[i].name, config->plugin[i].value);
	}
	if (reserved != NULL &&
		config_plugin_option(config, "message_topics", NULL) != NULL)
		add_option(&command, "state_topic", reserved);
	if (careful)
		add_option(&command, "flush", "commit");
	if (!sized && largest > 0)
		add_option(&command, "max_record", max_record);
	if (timeline > 0)
		add_option(&command, "timeline", number);
	free(number);
	free(reserved);
	free(max_record);
	free(publications);
	free(slot);
	slot = command;
	command = mem_format("%s)", slot);
	free(slot);
	return command;
}

/* The replication grammar knows no escape in a string but a doubled quote. */
static void
add_option(char **command, const char *name, const char *value)
{
	char	   *quoted = mem_alloc(2 * strlen(value) + 1);
	char	   *to = quoted;
	char	   *longer;

	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '\'')
			*to++ = '\'';
		*to++ = *c;
	}
	*to = '\0';
	longer = mem_format("%s, \"%s\" '%s'", *command, name, quoted);
	free(quoted);
	free(*command);
	*command = longer;
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
