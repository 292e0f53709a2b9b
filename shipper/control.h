/*
 * control.h
 *		The socket that commands reach the running shipper through.
 *
 * A unix stream socket, served inside the loop: no thread, and nothing here
 * ever blocks.  Each line is a JSON object, each answer is one; a client waits
 * for the answer before it asks again.  Only the shipper's own user and root
 * may ask.  A client that is slow, sends too much or reads nothing is dropped,
 * and never delays the loop by more than one request.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <poll.h>

#include <jansson.h>

#include "config.h"
#include "control_link.h"

#define CONTROL_CLIENTS		8
#define CONTROL_FDS			(1 + CONTROL_CLIENTS)

struct control;

/*
 * Where the config wants the socket, to be freed; NULL: nowhere.  The default
 * path is returned whether or not its folder is there.
 */
extern char *control_path(const struct config *config);

/*
 * Begins to listen.  A path that another process answers on is waited for, and
 * the default path is done without if it cannot be had.  NULL: the path that
 * the config names cannot be used, logged.
 */
extern struct control *control_open(const struct config *config);

/* Fills in CONTROL_FDS of them for poll(). */
extern void control_poll(const struct control *control, struct pollfd *fds);

/*
 * After each poll(): answers what came.  A program that stands by leaves the
 * path to the one that ships.
 */
extern void control_serve(struct control *control, const struct pollfd *fds,
						  control_handler handler, void *context);

/* Takes the socket out of the file system if it is still ours.  NULL is fine. */
extern void control_close(struct control *control);

#endif							/* CONTROL_H */
