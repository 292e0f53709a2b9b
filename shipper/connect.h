/*
 * connect.h
 *		A replication connection, the commands before the copy, and ordinary
 *		connections to the same server.
 *
 * All wait, but not past a set stop flag.  What fails is logged, and
 * *reaction says what helps.
 */
#ifndef CONNECT_H
#define CONNECT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "config.h"
#include "reaction.h"

/* A connection that does not block, or NULL. */
extern PGconn *connect_open(const struct config *config,
							const volatile sig_atomic_t *stop,
							enum reaction *reaction);

/*
 * An ordinary one, to the server that "peer" is connected to and no other of
 * the connection string, for reading tables: values have the same text in all
 * sessions, row security fails instead of hiding rows, and no lock is waited
 * for for more than a moment.
 */
extern PGconn *connect_beside(const struct config *config, const PGconn *peer,
							  const volatile sig_atomic_t *stop,
							  enum reaction *reaction);

/* The last result, whatever its status; NULL when there was none. */
extern PGresult *connect_query(PGconn *conn, const char *sql,
							   const volatile sig_atomic_t *stop,
							   enum reaction *reaction);

/*
 * The same for what was sent already.  *late: there was none within so many
 * ms, which is not logged; it may still come.
 */
extern PGresult *connect_await(PGconn *conn,
							   const volatile sig_atomic_t *stop,
							   int64_t limit, bool *late);

#endif							/* CONNECT_H */
