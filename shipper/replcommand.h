/*
 * replcommand.h
 *		The command that starts streaming, with the plugin's options.
 */
#ifndef REPLCOMMAND_H
#define REPLCOMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "lsn.h"

/*
 * START_REPLICATION at an LSN with the routes, to be freed.  "largest" is the
 * largest record the sink takes, 0 for any; the config's max_record wins.
 * "careful": the plugin is to hold nothing back, whatever the config says.
 */
extern char *replcommand_start(const struct config *config, size_t largest,
							   lsn_t start, const char *routes, bool careful);

#endif							/* REPLCOMMAND_H */
