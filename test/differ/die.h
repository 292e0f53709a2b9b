/*
 * die.h
 *		The end of a program that cannot go on.
 */
#ifndef DIE_H
#define DIE_H

#include <stdio.h>
#include <stdlib.h>

#define STATUS_BROKEN	2		/* nothing was compared, or not all of it */

#define die(...) \
	(fprintf(stderr, "differ: " __VA_ARGS__), fputc('\n', stderr), \
	 exit(STATUS_BROKEN))

static inline void *
allocate(size_t count, size_t size)
{
	void	   *memory = calloc(count ? count : 1, size);

	if (memory == NULL)
		die("out of memory");
	return memory;
}

#endif							/* DIE_H */
