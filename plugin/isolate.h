/*
 * isolate.h
 *		Output functions that may fail, called so that decoding can go on.
 */
#ifndef ISOLATE_H
#define ISOLATE_H

#include "fmgr.h"

/*
 * Whether the text of a type is made by the server's own code alone, also for
 * what the type consists of.
 */
extern bool wal2kafka_type_is_native(Oid type);

/*
 * The text of a value, or NULL with the SQLSTATE of the error that its output
 * function raised.  What has nothing to do with the value (an interrupt, a
 * lock not had in time, no memory, a server that stops, its disk) is raised
 * on.
 */
extern char *wal2kafka_output_isolated(const FmgrInfo *function, Datum value,
									   int *sqlstate);

#endif							/* ISOLATE_H */
