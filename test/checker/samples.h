/*
 * samples.h
 *		What a witness saw: how far the slot was confirmed, and where the
 *		partitions ended right after.
 *
 * A file of lines
 *		CONFIRMED <tab> TOPIC <tab> PARTITION <tab> END [<tab> TOPIC ...]
 * CONFIRMED is an LSN as a number.  The server sends nothing again whose LSN
 * is below it, so each such record was there: its first offset is below END.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "judge.h"

/* Reads the file and judges; false: it cannot be read, said on stderr. */
extern bool samples_judge(struct judge *judge, const char *file,
						  uint64_t *count);

#endif							/* SAMPLES_H */
