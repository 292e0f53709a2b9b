/*
 * snapshot_follow.c
 *		Shows a snapshot until it has ended: on a terminal by a line that is
 *		written over and over, else by a line of the log now and then.
 */
#include "snapshot_follow.h"

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

static void catch(int signal);
static bool look(struct view *view, json_t **answer,
				 enum exit_status *status);
static enum control_outcome ask_again(const struct config *config,
									  json_t **answer, char **error);
static const json_t *in(const json_t *answer);
static bool is_over(const json_t *snapshot);
static void draw(struct view *view, const json_t *snapshot);
static int	columns(void);
static void end_line(struct view *view);
static void heed_signal(struct view *view);

static volatile sig_atomic_t caught = 0;

void
snapshot_follow_catch(void)
{
	struct sigaction action = {.sa_handler = catch};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

enum exit_status
snapshot_follow(const struct config *config, json_t **answer)
{
	struct view view = {
		.config = config,
		.terminal = isatty(STDERR_FILENO),
		.log_at = clock_ms() + LOG_MS,
	};
	enum exit_status status = EXIT_ASKED;
	int			pause = FIRST_LOOK_MS;

	while (!is_over(in(*answer)))
	{
		draw(&view, in(*answer));
		poll(NULL, 0, pause);
		pause = 2 * pause < LOOK_MS ? 2 * pause : LOOK_MS;
		heed_signal(&view);
		if (!look(&view, answer, &status))
			break;
	}
	end_line(&view);
	return status;
}

static void
catch(int signal)
{
	caught = signal;
}

/*
 * False: there is no more to be seen.  The shipper may be started again
 * meanwhile, and then goes on with the snapshot.
 */
static bool
look(struct view *view, json_t **answer, enum exit_status *status)
{
	char	   *error = NULL;
	enum control_outcome outcome = ask_again(view->config, answer, &error);

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
	*status = control_fail(outcome, error);
	return false;
}

/* One that has just begun knows of none before it has read its state record. */
static enum control_outcome
ask_again(const struct config *config, json_t **answer, char **error)
{
	json_t	   *said = NULL;
	enum control_outcome outcome =
		control_ask(config, json_pack("{s:s}", "command", "status"), &said,
					error);
	const char *state = snapshot_text_state(in(said));

	if (outcome == CONTROL_ANSWERED &&
		(*state == '\0' || strcmp(state, "none") == 0))
	{
		*error = mem_strdup("no shipper knows of the snapshot");
		outcome = CONTROL_BROKEN;
	}
	else if (outcome == CONTROL_ANSWERED)
	{
		json_decref(*answer);
		*answer = json_incref(said);
	}
	json_decref(said);
	return outcome;
}

static const json_t *
in(const json_t *answer)
{
	return json_object_get(answer, "snapshot");
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
