/*
 * conninfo.h
 *		The connection string: whether it is one, and what it leaves open.
 */
#ifndef CONNINFO_H
#define CONNINFO_H

#include <stdbool.h>

#include "config.h"

/*
 * Puts libpq's defaults into the environment, where the connection string and
 * a service file still win: verify-full unless every host is this machine,
 * and a limit on connecting.  Call once, before any connection is made.
 */
extern void conninfo_defaults(const struct config *cfg);

/* False: libpq cannot read it; logged, with nothing secret in the words. */
extern bool conninfo_is_legal(const char *conninfo);

#endif							/* CONNINFO_H */
