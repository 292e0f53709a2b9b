/*
 * control_command.h
 *		What the shipper answers to a command.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <jansson.h>

#include "keeper.h"
#include "snapshot.h"

/*
 * {"command":COMMAND}: status, snapshot (with "tables", an array of names; all
 * without), pause, resume or cancel; with "slot" it is for the shipper of that
 * slot alone.  Returns {"ok":true,"slot":...,"pid":...,"program":...} and the
 * "snapshot" as snapshot_status() has it, or control_error(); a new reference.
 * "change" counts what happened to the snapshot; what counts up to "recorded",
 * if that is there, is in the state record, and known after a crash.
 */
extern json_t *control_command(const json_t *request, const char *slot,
							   struct snapshot *snapshot,
							   const struct keeper *keeper);

#endif							/* CONTROL_COMMAND_H */
