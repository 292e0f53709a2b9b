/*
 * server.h
 *		An ordinary SQL connection for init, check, status and drop, and for
 *		looking at slot and publication before streaming.
 */
#ifndef SERVER_H
#define SERVER_H

#include <signal.h>
#include <stdbool.h>

#include "config.h"
#include "rows.h"

struct server;

/*
 * Connects.  NULL when that failed, which is logged with its remedy; *status
 * then says how the process should leave.
 */
extern struct server *server_open(const struct config *cfg,
								  enum exit_status *status);
/* From now on connecting and asking end early when the flag is set. */
extern void server_watch(const volatile sig_atomic_t *stop);

extern void server_close(struct server *server);

/* 150020 and so on */
extern int	server_version(const struct server *server);
extern const char *server_database(const struct server *server);
extern const char *server_user(const struct server *server);

/*
 * Runs one statement with "count" text parameters.  NULL when it failed:
 * nothing is logged, server_error() and server_sqlstate() tell, until the
 * next call.
 */
extern struct rows *server_query(struct server *server, const char *sql,
								 int count, const char *const *params);
extern const char *server_error(const struct server *server);
extern const char *server_sqlstate(const struct server *server);

/* The same, logged as "could not WHAT: ..." when it fails. */
extern struct rows *server_ask(struct server *server, const char *what,
							   const char *sql, int count,
							   const char *const *params);

/* Sets statement_timeout, "0" for none; server_error() stays. */
extern void server_timeout(struct server *server, const char *timeout);

/* How to leave after the last query failed. */
extern enum exit_status server_status(const struct server *server);

/* A name for a statement, to be freed. */
extern char *server_identifier(struct server *server, const char *name);

#endif							/* SERVER_H */
