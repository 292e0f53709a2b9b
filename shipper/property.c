/*
 * property.c
 *		What librdkafka thinks of [kafka].
 */
#include "property.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "option.h"
#include "producer.h"

/*
 * The known name that is nearest, from librdkafka's own table of properties:
 * its dump of a configuration leaves out aliases such as linger.ms.
 */
static char *
find_nearest(const char *name)
{
	char	   *table = NULL;
	size_t		size = 0;
	FILE	   *to = open_memstream(&table, &size);
	char	   *nearest = mem_strdup("");
	char	   *rest = NULL;

	rd_kafka_conf_properties_show(to);
	fclose(to);
	for (char *line = strtok_r(table, "\n", &rest); line != NULL;
		 line = strtok_r(NULL, "\n", &rest))
	{
		bool		is_row = *line >= 'a' && *line <= 'z' && strchr(line, '|');

		line[strcspn(line, " |")] = '\0';
		if (is_row &&
			(*nearest == '\0' || option_distance(name, line) <
			 option_distance(name, nearest)))
		{
			free(nearest);
			nearest = mem_strdup(line);
		}
	}
	free(table);
	return nearest;
}

static char *
unknown(const struct config_property *property)
{
	char	   *nearest = find_nearest(property->name);
	char	   *error = mem_format("%s: unknown property \"%s\" in [kafka]; "
								   "the nearest is \"%s\"", property->from,
								   property->name, nearest);

	free(nearest);
	return error;
}

/* The first name that librdkafka does not know, as an error. */
static char *
check_names(const struct config *cfg)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char	   *error = NULL;
	char		reason[PRODUCER_ERROR_SIZE];

	for (size_t i = 0; i < cfg->kafka_count && error == NULL; i++)
		if (rd_kafka_conf_set(conf, cfg->kafka[i].name, cfg->kafka[i].value,
							  reason, sizeof(reason)) == RD_KAFKA_CONF_UNKNOWN)
			error = unknown(&cfg->kafka[i]);
	rd_kafka_conf_destroy(conf);
	return error;
}

/* Where the property was set that an error "[kafka] NAME..." is about. */
static const char *
place_of(const struct config *cfg, const char *error)
{
	const char *name = error + strlen("[kafka] ");
	size_t		len;

	if (strncmp(error, "[kafka] ", strlen("[kafka] ")) != 0)
		return NULL;
	len = strcspn(name, ": ");
	for (size_t i = 0; i < cfg->kafka_count; i++)
		if (strlen(cfg->kafka[i].name) == len &&
			strncmp(cfg->kafka[i].name, name, len) == 0)
			return cfg->kafka[i].from;
	return NULL;
}

char *
property_check(const struct config *cfg)
{
	char	   *error = check_names(cfg);
	char		reason[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf;
	const char *place;

	if (error != NULL)
		return error;
	conf = producer_conf(cfg, reason, sizeof(reason));
	if (conf != NULL)
	{
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	place = place_of(cfg, reason);
	return mem_format("%s%s%s", place ? place : "", place ? ": " : "",
					  reason);
}
