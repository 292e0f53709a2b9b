/*
 * rows.h
 *		How many rows a message of an output plugin tells of.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Rows in the message; -1: it is none of that plugin's messages. */
typedef int (*rows_counter) (const char *message, size_t len);

/* By the plugin's name, or NULL. */
extern rows_counter rows_counter_of(const char *plugin);

/*
 * For frames: reads all of it.  False, with the reason: it is torn, or a
 * record is missing, repeated or out of order since the last frame.
 */
extern bool rows_verify(const char *message, size_t len, const char **reason);

#endif							/* ROWS_H */
