/*
 * snapshot_command.c
 *		"wal2kafka snapshot": asks the running shipper to copy tables.
 *
 * All the work is done there; this may come and go.
 */
#include "snapshot_command.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control_client.h"
#include "log.h"
#include "names.h"
#include "snapshot_follow.h"
#include "snapshot_text.h"

#define RECORD_MS		10000
#define RECORD_LOOK_MS	20

static const json_t *in(const json_t *answer);
static enum exit_status ask(const struct config *config, json_t *request,
							json_t **answer);
static enum exit_status heed(json_t *said, json_t **answer);
static bool are_tables(const struct snapshot_request *wish);
static json_t *make_request(const struct snapshot_request *wish);
static void show(const struct snapshot_request *wish, const json_t *snapshot);
static enum exit_status await_record(const struct config *config,
									 bool follows, json_t **answer);
static json_int_t number(const json_t *answer, const char *key);
static enum exit_status judge(const json_t *snapshot);

enum exit_status
snapshot_command(const struct config *config,
				 const struct snapshot_request *wish)
{
	json_t	   *answer = NULL;
	enum exit_status status = EXIT_USAGE;

	if (wish->wait)
		snapshot_follow_catch();
	if (are_tables(wish))
		status = ask(config, make_request(wish), &answer);
	if (status == EXIT_ASKED)
		status = await_record(config, wish->wait, &answer);
	if (status == EXIT_ASKED && wish->wait)
		status = snapshot_follow(config, &answer);
	if (status == EXIT_ASKED)
	{
		show(wish, in(answer));
		if (wish->wait)
			status = judge(in(answer));
	}
	json_decref(answer);
	return status;
}

static bool
are_tables(const struct snapshot_request *wish)
{
	for (size_t i = 0; i < wish->table_count; i++)
	{
		json_t	   *text = json_string(wish->tables[i]);
		struct names names;
		bool		is_table = names_parse(&names, wish->tables[i], '.') &&
			names.count <= 2 && text != NULL;

		names_free(&names);
		json_decref(text);
		if (is_table)
			continue;
		log_error("\"%s\" is no table", wish->tables[i]);
		log_hint("Write TABLE or SCHEMA.TABLE, in double quotes where SQL "
				 "needs them; a shell takes away quotes that are not in "
				 "others: '\"Orders\"'.");
		return false;
	}
	return true;
}

static json_t *
make_request(const struct snapshot_request *wish)
{
	json_t	   *request = json_pack("{s:s}", "command", wish->command);
	json_t	   *tables = json_array();

	for (size_t i = 0; i < wish->table_count; i++)
		json_array_append_new(tables, json_string(wish->tables[i]));
	if (wish->table_count > 0)
		json_object_set(request, "tables", tables);
	json_decref(tables);
	return request;
}

static const json_t *
in(const json_t *answer)
{
	return json_object_get(answer, "snapshot");
}

/* *answer is replaced when there is one. */
static enum exit_status
ask(const struct config *config, json_t *request, json_t **answer)
{
	json_t	   *said;
	char	   *reason = NULL;
	enum control_outcome outcome = control_ask(config, request, &said,
											   &reason);

	if (outcome != CONTROL_ANSWERED)
		return control_fail(outcome, reason);
	return heed(said, answer);
}

/* An answer, which is taken over. */
static enum exit_status
heed(json_t *said, json_t **answer)
{
	const char *error;
	const char *hint;

	if (!control_agreed(said, &error, &hint))
	{
		log_error("%s", error);
		if (hint != NULL)
			log_hint("%s", hint);
		json_decref(said);
		return EXIT_USAGE;
	}
	json_decref(*answer);
	*answer = said;
	return EXIT_ASKED;
}

static void
show(const struct snapshot_request *wish, const json_t *snapshot)
{
	char	   *line;

	if (wish->json)
	{
		json_dumpf(snapshot, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
		return;
	}
	line = snapshot_text_line(snapshot);
	printf("snapshot %s\n", line);
	snapshot_text_tables(stdout, snapshot, true);
	free(line);
}

/*
 * A shipper that is killed before it wrote down what was asked for forgets it.
 * It writes at once, or within a second.
 */
static enum exit_status
await_record(const struct config *config, bool follows, json_t **answer)
{
	json_int_t	change = number(*answer, "change");
	json_int_t	process = number(*answer, "pid");
	int64_t		until = clock_ms() + RECORD_MS;
	enum exit_status status = EXIT_ASKED;
	enum control_outcome outcome;
	char	   *reason = NULL;
	json_t	   *said;

	while (status == EXIT_ASKED && number(*answer, "pid") == process &&
		   json_object_get(*answer, "recorded") != NULL &&
		   number(*answer, "recorded") < change)
	{
		if (clock_ms() >= until)
		{
			log_warning("this is not on record yet: a shipper that is started "
						"anew would not know of it");
			log_hint("The log of \"wal2kafka run\" says why the state record "
					 "cannot be written.");
			return EXIT_ASKED;
		}
		poll(NULL, 0, RECORD_LOOK_MS);
		outcome = control_ask(config, json_pack("{s:s}", "command", "status"),
							  &said, &reason);
		if (outcome == CONTROL_ANSWERED)
			status = heed(said, answer);
		else if (!follows)
			return control_fail(outcome, reason);
		else
		{
			free(reason);		/* who follows waits for the next one */
			return EXIT_ASKED;
		}
	}
	if (status != EXIT_ASKED || number(*answer, "pid") == process)
		return status;
	log_error("the shipper was started anew before this was on record");
	log_hint("Ask again.");
	return EXIT_RESTART;
}

static json_int_t
number(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(answer, key));
}

static enum exit_status
judge(const json_t *snapshot)
{
	json_t	   *tables = json_object_get(snapshot, "tables");
	json_t	   *table;
	size_t		failed = 0;
	size_t		i;

	json_array_foreach(tables, i, table)
	{
		const char *name = json_string_value(json_object_get(table, "name"));
		const char *error = json_string_value(json_object_get(table, "error"));

		if (strcmp(snapshot_text_state(table), "failed") != 0)
			continue;
		failed++;
		log_error("table %s could not be copied: %s", name ? name : "?",
				  error ? error : "see the log of \"wal2kafka run\"");
	}
	if (failed > 0)
		log_hint("Mend that, and ask for %s again.",
				 failed > 1 ? "these tables" : "the table");
	else if (strcmp(snapshot_text_state(snapshot), "done") != 0)
		log_error("the snapshot was cancelled, or is not known any more");
	else
		return EXIT_ASKED;
	return EXIT_PERSON;
}
