/*
 * control_link.c
 *		One client of the control socket: a line in, a line out.
 *
 * Nothing is read while an answer is to be sent, so a client holds one request
 * and one answer at most.  Time runs from the first byte it could have sent
 * until its answer is gone: who sends a byte every few seconds gains nothing.
 */
#include "control_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"

static bool read_some(struct control_link *link);
static void answer_line(struct control_link *link, control_handler handler,
						void *context);
static json_t *answer_text(const char *text, size_t len,
						   control_handler handler, void *context);
static void begin_answer(struct control_link *link, json_t *answer);
static bool send_some(struct control_link *link);

void
control_link_begin(struct control_link *link, int fd)
{
	*link = (struct control_link) {
		.fd = fd,
		.deadline = clock_ms() + CONTROL_PATIENCE_MS,
	};
}

void
control_link_refuse(struct control_link *link, int fd)
{
	control_link_begin(link, fd);
	begin_answer(link, control_error("only the user of \"wal2kafka run\" and "
									 "root may send commands", NULL));
	link->last = true;
}

struct pollfd
control_link_poll(const struct control_link *link)
{
	return (struct pollfd) {
		link->fd, link->out != NULL ? POLLOUT : POLLIN, 0
	};
}

void
control_link_serve(struct control_link *link, short events,
				   control_handler handler, void *context)
{
	bool		keep = true;

	if (link->fd < 0)
		return;
	if (events != 0 && link->out == NULL)
	{
		keep = read_some(link);
		if (keep)
			answer_line(link, handler, context);
	}
	if (keep && events != 0 && link->out != NULL)
		keep = send_some(link);
	if (!keep || clock_ms() >= link->deadline)
		control_link_drop(link);
}

void
control_link_drop(struct control_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	free(link->in);
	free(link->out);
	*link = (struct control_link) {.fd = -1};
}

/* False: there is nobody any more. */
static bool
read_some(struct control_link *link)
{
	ssize_t		got;

	if (link->in_used == link->in_size)
	{
		link->in_size = link->in_size == 0 ? 1024 : 4 * link->in_size;
		link->in = mem_realloc(link->in, link->in_size);
	}
	got = recv(link->fd, link->in + link->in_used,
			   link->in_size - link->in_used, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	link->in_used += (size_t) got;
	return got > 0;
}

/* Bytes behind the line mean that no answer is waited for. */
static void
answer_line(struct control_link *link, control_handler handler, void *context)
{
	char	   *end = memchr(link->in, '\n', link->in_used);

	if (end == NULL && link->in_used < CONTROL_LINE_MAX)
		return;
	if (end == NULL)
	{
		begin_answer(link, control_error("a request may have 64 kB", NULL));
		link->last = true;
		return;
	}
	begin_answer(link, answer_text(link->in, (size_t) (end - link->in),
								   handler, context));
	link->last = end + 1 < link->in + link->in_used;
	link->in_used = 0;
}

static json_t *
answer_text(const char *text, size_t len, control_handler handler,
			void *context)
{
	json_error_t error;
	json_t	   *request = json_loadb(text, len, JSON_REJECT_DUPLICATES,
									 &error);
	json_t	   *answer;

	if (json_is_object(request))
		answer = handler(context, request);
	else
		answer = control_error("a request must be one JSON object a line",
							   NULL);
	json_decref(request);
	return answer;
}

/* Takes over the reference. */
static void
begin_answer(struct control_link *link, json_t *answer)
{
	link->out_size = json_dumpb(answer, NULL, 0, JSON_COMPACT);
	link->out = mem_alloc(link->out_size + 1);
	json_dumpb(answer, link->out, link->out_size, JSON_COMPACT);
	link->out[link->out_size++] = '\n';
	link->out_sent = 0;
	json_decref(answer);
}

/* False: it is over. */
static bool
send_some(struct control_link *link)
{
	ssize_t		done = send(link->fd, link->out + link->out_sent,
							link->out_size - link->out_sent,
							MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0)
		return errno == EAGAIN || errno == EINTR;
	link->out_sent += (size_t) done;
	if (link->out_sent < link->out_size)
		return true;
	free(link->out);
	link->out = NULL;
	link->deadline = clock_ms() + CONTROL_PATIENCE_MS;
	return !link->last;
}

json_t *
control_error(const char *error, const char *hint)
{
	json_t	   *answer = json_pack("{s:b}", "ok", 0);

	json_object_set_new(answer, "error", json_string(error));
	if (json_object_get(answer, "error") == NULL)	/* it is no UTF-8 */
		json_object_set_new(answer, "error", json_string("see the log"));
	if (hint != NULL)
		json_object_set_new(answer, "hint", json_string(hint));
	return answer;
}
