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
 * "timeline": the plugin is to end the stream where another one begins; 0:
 * none can.  "careful": it is to hold nothing back, whatever the config says.
 */
extern char *replcommand_start(const struct config *config, size_t largest,
							   lsn_t start, const char *routes,
							   unsigned timeline, bool careful);

/*
 * The same options as an SQL array of text, name and value in turn, to be
 * freed, for wal2kafka.snapshot_frames().  Strings must take backslashes as
 * they are.
 */
extern char *replcommand_array(const struct config *config, size_t largest,
							   const char *routes);

#endif							/* REPLCOMMAND_H */
