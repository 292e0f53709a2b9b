/*
 * publication_check.h
 *		The publications that are requested, as "check" judges them.
 */
#ifndef PUBLICATION_CHECK_H
#define PUBLICATION_CHECK_H

#include "config.h"
#include "report.h"
#include "server.h"

/* Whether each is there, and whether they agree about columns. */
extern void publication_check(struct server *server, const struct config *cfg,
							  struct report *report);

#endif							/* PUBLICATION_CHECK_H */
