/*
 * http.h
 *		/live, /ready and /metrics over HTTP, for probes and Prometheus.
 *
 * A thread of its own answers from copies, so that no client can delay the
 * loop.  Its address is the config's "http".
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>

#include "config.h"

struct http;

/* Whether this program was built with libmicrohttpd. */
extern bool http_is_built(void);

/* Whether the config wants it. */
extern bool http_is_wanted(const struct config *config);

/* Listens.  NULL: it cannot, which is logged. */
extern struct http *http_open(const struct config *config);

/* Waits for the thread; NULL is fine. */
extern void http_close(struct http *http);

#endif							/* HTTP_H */
