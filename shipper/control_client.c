/*
 * control_client.c
 *		Commands to the running shipper, through its socket.
 *
 * A connection for each: what answers may be restarted at any time, and a
 * command is asked once in a second at most.
 */
#include "control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "log.h"
#include "mem.h"

#define ANSWER_MAX		(64 * 1024 * 1024)	/* bytes */

struct talk
{
	int			fd;
	int64_t		deadline;		/* ms */
	char	   *line;			/* owned; the answer */
	size_t		used;
	size_t		size;
};

static enum control_outcome reach(const char *path, int *fd, char **error);
static void put_request(struct talk *talk, const json_t *request);
static bool get_line(struct talk *talk);
static bool wait_for(const struct talk *talk, short events);
static json_t *parse(const struct talk *talk);
static const char *remedy(enum control_outcome outcome);

enum control_outcome
control_ask(const struct config *config, json_t *request, json_t **answer,
			char **error)
{
	char	   *path = control_path(config);
	struct talk talk = {.deadline = clock_ms() + CONTROL_PATIENCE_MS};
	enum control_outcome outcome = CONTROL_OFF;

	json_object_set_new(request, "slot", json_string(config->slot));
	if (path == NULL)
		*error = mem_strdup("\"control\" is none: no command can reach the "
							"shipper");
	else
		outcome = reach(path, &talk.fd, error);
	if (outcome == CONTROL_ANSWERED)
	{
		put_request(&talk, request);
		*answer = get_line(&talk) ? parse(&talk) : NULL;
		if (*answer == NULL)
		{
			*error = mem_format("the process at \"%s\" gives no answer", path);
			outcome = CONTROL_BROKEN;
		}
		close(talk.fd);
		free(talk.line);
	}
	json_decref(request);
	free(path);
	return outcome;
}

static enum control_outcome
reach(const char *path, int *fd, char **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int			cause;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd >= 0 &&
		connect(*fd, (struct sockaddr *) &address, sizeof(address)) == 0)
		return CONTROL_ANSWERED;
	cause = errno;
	if (*fd >= 0)
		close(*fd);
	if (cause == ENOENT || cause == ECONNREFUSED)
	{
		*error = mem_format("no shipper takes commands at \"%s\"", path);
		return CONTROL_NOBODY;
	}
	*error = mem_format("the socket \"%s\" cannot be used: %s", path,
						strerror(cause));
	return cause == EACCES || cause == EPERM ? CONTROL_FORBIDDEN :
		CONTROL_BROKEN;
}

/* If it cannot be sent whole: an answer may tell why. */
static void
put_request(struct talk *talk, const json_t *request)
{
	char	   *text = json_dumps(request, JSON_COMPACT);
	char	   *line = mem_format("%s\n", text);
	size_t		len = strlen(line);
	size_t		sent = 0;

	while (sent < len && wait_for(talk, POLLOUT))
	{
		ssize_t		done = send(talk->fd, line + sent, len - sent,
								MSG_NOSIGNAL);

		if (done < 0 && errno != EAGAIN && errno != EINTR)
			break;
		sent += done > 0 ? (size_t) done : 0;
	}
	free(line);
	free(text);
}

static bool
get_line(struct talk *talk)
{
	while (talk->used == 0 || talk->line[talk->used - 1] != '\n')
	{
		ssize_t		got;

		if (talk->used == talk->size)
		{
			talk->size = 2 * talk->size + 4096;
			if (talk->size > ANSWER_MAX)
				return false;
			talk->line = mem_realloc(talk->line, talk->size);
		}
		if (!wait_for(talk, POLLIN))
			return false;
		got = recv(talk->fd, talk->line + talk->used,
				   talk->size - talk->used, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		talk->used += got > 0 ? (size_t) got : 0;
	}
	return true;
}

/* A signal ends it, too: who caught that will want to know. */
static bool
wait_for(const struct talk *talk, short events)
{
	struct pollfd fd = {talk->fd, events, 0};
	int64_t		left = talk->deadline - clock_ms();

	return left > 0 && poll(&fd, 1, (int) left) > 0;
}

static json_t *
parse(const struct talk *talk)
{
	json_error_t error;
	json_t	   *answer = json_loadb(talk->line, talk->used, 0, &error);

	if (json_is_object(answer) && json_is_boolean(json_object_get(answer,
																  "ok")))
		return answer;
	json_decref(answer);
	return NULL;
}

enum exit_status
control_fail(enum control_outcome outcome, char *error)
{
	log_error("%s", error);
	log_hint("%s", remedy(outcome));
	free(error);
	return outcome == CONTROL_OFF || outcome == CONTROL_FORBIDDEN ?
		EXIT_USAGE : EXIT_RESTART;
}

static const char *
remedy(enum control_outcome outcome)
{
	switch (outcome)
	{
		case CONTROL_ANSWERED:
			break;
		case CONTROL_OFF:
			return "Take \"control = none\" out of the config, and start "
				"\"wal2kafka run\" again.";
		case CONTROL_NOBODY:
			return "Start \"wal2kafka run\" with this config, on this "
				"machine; its log says where it takes commands. Without "
				"the folder /run/wal2kafka it needs \"control\" set to a "
				"path.";
		case CONTROL_FORBIDDEN:
			return "Use the user that \"wal2kafka run\" runs as, or root.";
		case CONTROL_BROKEN:
			return "Look into the log of \"wal2kafka run\", and at what else "
				"may use that path.";
	}
	return "";
}

bool
control_agreed(const json_t *answer, const char **error, const char **hint)
{
	*error = json_string_value(json_object_get(answer, "error"));
	*hint = json_string_value(json_object_get(answer, "hint"));
	if (*error == NULL)
		*error = "it does not say why not";
	return json_is_true(json_object_get(answer, "ok"));
}
