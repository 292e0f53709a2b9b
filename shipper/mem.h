/*
 * mem.h
 *		Allocation that does not fail: exhaustion is logged and aborts.
 *
 * What these return is released with free().
 */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

extern void *mem_alloc(size_t size);
extern void *mem_zalloc(size_t size);
extern void *mem_realloc(void *old, size_t size);
extern char *mem_strdup(const char *text);
extern char *mem_strndup(const char *text, size_t len);
extern char *mem_format(const char *format, ...)
			__attribute__((format(printf, 1, 2)));

#endif							/* MEM_H */
