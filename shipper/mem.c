/*
 * mem.c
 *		Allocation that does not fail.
 */
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *memory)
{
	if (memory == NULL)
	{
		fputs("wal2kafka: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *
mem_alloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *
mem_zalloc(size_t size)
{
	return checked(calloc(1, size > 0 ? size : 1));
}

void *
mem_realloc(void *old, size_t size)
{
	return checked(realloc(old, size > 0 ? size : 1));
}

char *
mem_strdup(const char *text)
{
	return checked(strdup(text));
}

/* Copies len bytes, which may hold no terminator, and terminates them. */
char *
mem_strndup(const char *text, size_t len)
{
	char	   *copy = mem_alloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_format(const char *format, ...)
{
	va_list		args;
	int			len;
	char	   *text;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();

	text = mem_alloc((size_t) len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t) len + 1, format, args);
	va_end(args);
	return text;
}
