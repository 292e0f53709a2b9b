/*
 * control_command.h
 *		What the shipper answers to a command.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <jansson.h>

/*
 * {"command":"status"}; with "slot" it is for the shipper of that slot alone.
 * Returns {"ok":true,"slot":...,"pid":...,"program":...}, or control_error();
 * a new reference.
 */
extern json_t *control_command(const json_t *request, const char *slot);

#endif							/* CONTROL_COMMAND_H */
