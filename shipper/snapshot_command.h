/*
 * snapshot_command.h
 *		"wal2kafka snapshot": asks the running shipper to copy tables.
 */
#ifndef SNAPSHOT_COMMAND_H
#define SNAPSHOT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct snapshot_request
{
	const char *command;		/* "snapshot", "pause", "resume", "cancel" or
								 * "status" */
	char	  **tables;			/* TABLE or SCHEMA.TABLE, as typed; borrowed */
	size_t		table_count;	/* 0: all that are captured */
	bool		wait;			/* follow it to its end */
	bool		json;
};

/*
 * EXIT_ASKED: done, or taken when nobody waits; EXIT_USAGE: refused;
 * EXIT_RESTART: nobody answers; EXIT_PERSON: a table failed.  A signal leaves
 * the snapshot running, and ends the process as it would have.
 */
extern enum exit_status snapshot_command(const struct config *config,
										 const struct snapshot_request *wish);

#endif							/* SNAPSHOT_COMMAND_H */
