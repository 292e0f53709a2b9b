/*
 * replay.h
 *		What a consumer that knows the five fields alone makes of the records:
 *		tables in memory, by topic, compared with those of the source.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "record.h"

struct replay;

extern struct replay *replay_open(void);

/* Applies a record; a callback of struct comparison. */
extern void replay_apply(const struct record *record, void *arg);

/*
 * Compares with every table of the publication, prints what differs and what
 * was compared, and returns the number of differences.
 */
extern uint64_t replay_compare(struct replay *replay, const char *conninfo,
							   const char *settings, const char *publication);

extern void replay_close(struct replay *replay);

#endif							/* REPLAY_H */
