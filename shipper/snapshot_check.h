/*
 * snapshot_check.h
 *		What a snapshot needs, as "check" judges it.
 */
#ifndef SNAPSHOT_CHECK_H
#define SNAPSHOT_CHECK_H

#include "capture.h"
#include "config.h"
#include "report.h"
#include "server.h"

/* Notes only: nothing but a snapshot needs what may be missing. */
extern void snapshot_check(struct server *server, const struct config *cfg,
						   const struct capture *capture,
						   struct report *report);

#endif							/* SNAPSHOT_CHECK_H */
