/*
 * lsn.h
 *		A position in the server's write-ahead log, in bytes from its start.
 */
#ifndef LSN_H
#define LSN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t lsn_t;

#define LSN_INVALID ((lsn_t) 0)

/* printf("%X/%X", LSN_ARGS(lsn)) is how PostgreSQL up to 18 writes it */
#define LSN_FORMAT "%X/%X"
#define LSN_ARGS(lsn) (unsigned) ((lsn) >> 32), (unsigned) (lsn)

/* Reads "16/B374D848", also in the zero-padded form of PostgreSQL 19. */
static inline bool
lsn_parse(const char *text, lsn_t *lsn)
{
	unsigned	hi;
	unsigned	lo;
	int			end = 0;

	if (sscanf(text, "%8X/%8X%n", &hi, &lo, &end) != 2 || text[end] != '\0')
		return false;
	*lsn = (lsn_t) hi << 32 | lo;
	return true;
}

#endif							/* LSN_H */
