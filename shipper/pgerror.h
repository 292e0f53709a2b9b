/*
 * pgerror.h
 *		What the server or libpq says when something fails: logged as
 *		"WHAT: ...", with its hint, and turned into a reaction.
 */
#ifndef PGERROR_H
#define PGERROR_H

#include <libpq-fe.h>

#include "reaction.h"

/* A command failed. */
extern enum reaction pgerror_result(const PGconn *conn, const char *what,
									const PGresult *result);

/* The stream did. */
extern enum reaction pgerror_stream(const PGconn *conn, const char *what,
									const PGresult *result);

/* The connection did. */
extern enum reaction pgerror_connection(const PGconn *conn, const char *what);

#endif							/* PGERROR_H */
