/*
 * capture_check.c
 *		The tables that are captured, as "check" judges them.
 */
#include "capture_check.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "store.h"

/* tables that a finding lists before it counts */
#define SHOWN			10

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
check_topics(const struct config *cfg, const struct capture *capture,
			 struct report *report)
{
	char	   *reserved = store_topic_name(cfg);

	for (size_t i = 0; reserved != NULL && i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];

		if (strcmp(table->topic, reserved) != 0)
			continue;
		report_problem(report, "table %s: its topic \"%s\" takes nothing but "
					   "the state record", table->shown, reserved);
		report_remedy(report, "Set another with wal2kafka.set_route(), and in "
					  "the config ([route %s]) if it was written to.",
					  table->shown);
	}
	free(reserved);
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

void
capture_check(const struct config *cfg, const struct capture *capture,
			  struct report *report)
{
	check_count(cfg, capture, report);
	check_identity(cfg, capture, report);
	check_keys(capture, report);
	check_topics(cfg, capture, report);
	check_toast(capture, report);
}
