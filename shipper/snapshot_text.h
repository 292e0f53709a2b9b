/*
 * snapshot_text.h
 *		How far a snapshot is, for people.
 *
 * All take the object "snapshot" of the shipper's answer; members that are
 * missing are left out, for the shipper may be of another version.
 */
#ifndef SNAPSHOT_TEXT_H
#define SNAPSHOT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/*
 * "running: 45 %, 450 of about 1000 rows, 20 rows/s, 28 s left", to be freed.
 */
extern char *snapshot_text_line(const json_t *snapshot);

/* The same with a bar in front, of so many columns at most; to be freed. */
extern char *snapshot_text_bar(const json_t *snapshot, int columns);

/* A line for each table, or for those alone that are copied now or failed. */
extern void snapshot_text_tables(FILE *to, const json_t *snapshot, bool all);

/* The state of it, or of a table; "" if it says none. */
extern const char *snapshot_text_state(const json_t *object);

#endif							/* SNAPSHOT_TEXT_H */
