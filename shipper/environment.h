/*
 * environment.h
 *		Keys from WAL2KAFKA_<SECTION>_<KEY>, or with _FILE from the file named.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "config.h"

/* NULL, or one line that names the variable, to be freed. */
extern char *environment_load(struct config *cfg);

#endif							/* ENVIRONMENT_H */
