/*
 * sink_check.c
 *		Where records would go, as "check" judges it: the folder, or Kafka
 *		with the topics of all tables and messages; and the state record.
 */
#include "sink_check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../plugin/message.h"
#include "broker.h"
#include "mem.h"
#include "names.h"
#include "state_check.h"

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

void
sink_check(const struct config *cfg, const struct capture *capture,
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
