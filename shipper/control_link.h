/*
 * control_link.h
 *		One client of the control socket: a line in, a line out.
 */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define CONTROL_LINE_MAX	(64 * 1024)		/* bytes of a request */
#define CONTROL_PATIENCE_MS	10000	/* for a request and its answer */

/* Makes the answer, a new reference; the request is an object, borrowed. */
typedef json_t *(*control_handler) (void *context, const json_t *request);

struct control_link
{
	int			fd;				/* owned; -1: nobody */
	char	   *in;				/* owned; the part of a line that has come */
	size_t		in_used;
	size_t		in_size;
	char	   *out;			/* owned; NULL: nothing is to be sent */
	size_t		out_sent;
	size_t		out_size;
	bool		last;			/* ends with what is being sent */
	int64_t		deadline;		/* ms */
};

/* Takes over the descriptor, which must not block. */
extern void control_link_begin(struct control_link *link, int fd);

/* The same for one who may not ask: is told so, and sent away. */
extern void control_link_refuse(struct control_link *link, int fd);

/* What poll() should watch. */
extern struct pollfd control_link_poll(const struct control_link *link);

/* Goes on with it, by one request at most; drops it where that is due. */
extern void control_link_serve(struct control_link *link, short events,
							   control_handler handler, void *context);

extern void control_link_drop(struct control_link *link);

/* {"ok":false,"error":...,"hint":...}, new; without a hint if that is NULL. */
extern json_t *control_error(const char *error, const char *hint);

#endif							/* CONTROL_LINK_H */
