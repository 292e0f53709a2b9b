/*
 * sqltext.c
 *		Values as SQL literals.
 */
#include "sqltext.h"

#include <string.h>

#include "mem.h"

char *
sqltext_literal(const char *value)
{
	char	   *quoted = mem_alloc(2 * strlen(value) + 3);
	char	   *to = quoted;

	*to++ = '\'';
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '\'')
			*to++ = '\'';
		*to++ = *c;
	}
	*to++ = '\'';
	*to = '\0';
	return quoted;
}
