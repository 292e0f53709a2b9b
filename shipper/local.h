/*
 * local.h
 *		The sinks that need no broker: standard output, a folder of files.
 *
 * What each function promises is in sink.h.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include "sink.h"

extern const struct sink_ops local_ops;

#endif							/* LOCAL_H */
