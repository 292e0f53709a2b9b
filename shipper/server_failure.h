/*
 * server_failure.h
 *		Why the server could not be connected to.
 */
#ifndef SERVER_FAILURE_H
#define SERVER_FAILURE_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "config.h"

/*
 * Logs what the connection has for an error, or that it came too late, with
 * the remedy; returns how the process should leave.  The SQLSTATE is found
 * only where the connection's errors are verbose.
 */
extern enum exit_status server_failure_log(PGconn *conn, bool late);

#endif							/* SERVER_FAILURE_H */
