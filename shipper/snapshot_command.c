/*
 * snapshot_command.c
 *		"wal2kafka snapshot": asks the running shipper to copy tables.
 *
 * All the work is done there; this may come and go.  It shows how far the
 * snapshot is, on a terminal by a line that is written over and over, else by
 * a line of the log now and then.
 */
#include "snapshot_command.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "control_client.h"
#include "log.h"
#include "mem.h"
#include "names.h"
#include "snapshot_text.h"

#define FIRST_LOOK_MS	100
#define LOOK_MS			1000
#define LOG_MS			10000
#define GONE_MS			60000	/* that a shipper may take to come back */

struct view
{
	const struct config *config;	/* borrowed */
	bool		terminal;
	bool		drawn;			/* the cursor stands behind a bar */
	int64_t		log_at;			/* ms */
	int64_t		gone_at;		/* ms; since when nobody answers; 0: not so */
};

static enum exit_status fail(enum control_outcome outcome, char *error);
static enum exit_status ask(const struct config *config, json_t *request,
							json_t **snapshot);
static bool are_tables(const struct snapshot_request *wish);
static json_t *make_request(const struct snapshot_request *wish);
static void show(const struct snapshot_request *wish, const json_t *snapshot);
static enum exit_status follow(const struct config *config, json_t **snapshot);
static bool look(struct view *view, json_t **snapshot,
				 enum exit_status *status);
static enum control_outcome ask_again(const struct config *config,
									  json_t **snapshot, char **error);
static bool is_over(const json_t *snapshot);
static void draw(struct view *view, const json_t *snapshot);
static int	columns(void);
static void end_line(struct view *view);
static void heed_signal(struct view *view);
static enum exit_status judge(const json_t *snapshot);

static volatile sig_atomic_t caught = 0;

enum exit_status
snapshot_command(const struct config *config,
				 const struct snapshot_request *wish)
{
	json_t	   *snapshot = NULL;
	enum exit_status status = EXIT_USAGE;

	if (are_tables(wish))
		status = ask(config, make_request(wish), &snapshot);
	if (status != EXIT_ASKED)
		return status;
	if (wish->wait)
		status = follow(config, &snapshot);
	if (status == EXIT_ASKED)
	{
		show(wish, snapshot);
		if (wish->wait)
			status = judge(snapshot);
	}
	json_decref(snapshot);
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

/* *snapshot is replaced when it is answered. */
static enum exit_status
ask(const struct config *config, json_t *request, json_t **snapshot)
{
	json_t	   *answer;
	char	   *reason = NULL;
	const char *error;
	const char *hint;
	enum control_outcome outcome = control_ask(config, request, &answer,
											   &reason);

	if (outcome != CONTROL_ANSWERED)
		return fail(outcome, reason);
	if (!control_agreed(answer, &error, &hint))
	{
		log_error("%s", error);
		if (hint != NULL)
			log_hint("%s", hint);
		json_decref(answer);
		return EXIT_USAGE;
	}
	json_decref(*snapshot);
	*snapshot = json_incref(json_object_get(answer, "snapshot"));
	json_decref(answer);
	return EXIT_ASKED;
}

/* Takes over the text. */
static enum exit_status
fail(enum control_outcome outcome, char *error)
{
	log_error("%s", error);
	log_hint("%s", control_remedy(outcome));
	free(error);
	return outcome == CONTROL_OFF || outcome == CONTROL_FORBIDDEN ?
		EXIT_USAGE : EXIT_RESTART;
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

/* --- to its end ------------------------------------------------------- */

static void
catch(int signal)
{
	caught = signal;
}

static enum exit_status
follow(const struct config *config, json_t **snapshot)
{
	struct view view = {
		.config = config,
		.terminal = isatty(STDERR_FILENO),
		.log_at = clock_ms() + LOG_MS,
	};
	struct sigaction action = {.sa_handler = catch};
	enum exit_status status = EXIT_ASKED;
	int			pause = FIRST_LOOK_MS;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!is_over(*snapshot))
	{
		draw(&view, *snapshot);
		poll(NULL, 0, pause);
		pause = 2 * pause < LOOK_MS ? 2 * pause : LOOK_MS;
		heed_signal(&view);
		if (!look(&view, snapshot, &status))
			break;
	}
	end_line(&view);
	return status;
}

/*
 * False: there is no more to be seen.  The shipper may be started again
 * meanwhile, and then goes on with the snapshot.
 */
static bool
look(struct view *view, json_t **snapshot, enum exit_status *status)
{
	char	   *error = NULL;
	enum control_outcome outcome = ask_again(view->config, snapshot, &error);

	heed_signal(view);
	if (outcome == CONTROL_ANSWERED)
	{
		view->gone_at = 0;
		return true;
	}
	if (view->gone_at == 0)
	{
		view->gone_at = clock_ms();
		end_line(view);
		log_warning("%s: the snapshot goes on when one does", error);
	}
	if (clock_ms() - view->gone_at < GONE_MS)
	{
		free(error);
		return true;
	}
	*status = fail(outcome, error);
	return false;
}

/* One that has just begun knows of none before it has read its state record. */
static enum control_outcome
ask_again(const struct config *config, json_t **snapshot, char **error)
{
	json_t	   *answer = NULL;
	enum control_outcome outcome =
		control_ask(config, json_pack("{s:s}", "command", "status"), &answer,
					error);
	json_t	   *found = json_object_get(answer, "snapshot");
	const char *state = snapshot_text_state(found);

	if (outcome == CONTROL_ANSWERED &&
		(*state == '\0' || strcmp(state, "none") == 0))
	{
		*error = mem_strdup("no shipper knows of the snapshot");
		outcome = CONTROL_BROKEN;
	}
	else if (outcome == CONTROL_ANSWERED)
	{
		json_decref(*snapshot);
		*snapshot = json_incref(found);
	}
	json_decref(answer);
	return outcome;
}

static bool
is_over(const json_t *snapshot)
{
	const char *state = snapshot_text_state(snapshot);

	return strcmp(state, "running") != 0 && strcmp(state, "paused") != 0;
}

static void
draw(struct view *view, const json_t *snapshot)
{
	if (view->gone_at != 0)
		return;
	if (view->terminal)
	{
		char	   *bar = snapshot_text_bar(snapshot, columns());

		fprintf(stderr, "\r%s\033[K", bar);
		fflush(stderr);
		view->drawn = true;
		free(bar);
	}
	else if (clock_ms() >= view->log_at)
	{
		char	   *line = snapshot_text_line(snapshot);

		log_info("snapshot %s", line);
		view->log_at = clock_ms() + LOG_MS;
		free(line);
	}
}

static int
columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ?
		size.ws_col : 80;
}

static void
end_line(struct view *view)
{
	if (view->drawn)
		fputc('\n', stderr);
	view->drawn = false;
}

/* Ends as the signal would have it, so that a script stops too. */
static void
heed_signal(struct view *view)
{
	if (caught == 0)
		return;
	end_line(view);
	log_info("the snapshot goes on without this command: \"wal2kafka snapshot "
			 "--status\" shows it, --cancel ends it");
	signal(caught, SIG_DFL);
	raise(caught);
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
