/*
 * rows.h
 *		How many rows a message of an output plugin tells of.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows in the message; -1: it is none of that plugin's messages. */
typedef int (*rows_counter) (const char *message, size_t len);

/* By the plugin's name, or NULL. */
extern rows_counter rows_counter_of(const char *plugin);

/* The last record of the frames that were read. */
struct rows_place
{
	uint64_t	commit;			/* LSN of its transaction; 0: none yet */
	uint64_t	next;			/* the ordinal behind it */
};

/*
 * For frames: reads all of one.  False, with the reason: it is torn, or a
 * record is missing, repeated or out of order since the place, which goes on.
 */
extern bool rows_verify(struct rows_place *place, const char *message,
						size_t len, const char **reason);

#endif							/* ROWS_H */
