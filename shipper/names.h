/*
 * names.h
 *		SQL names as people write them: orders, "Order Items", a list of them,
 *		or SCHEMA.TABLE.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAMES_MAX_LENGTH	63	/* NAMEDATALEN - 1 */

struct names
{
	char	  **name;			/* owned, as in the catalog */
	size_t		count;
};

/*
 * Splits at the separator ("," or "."), folding what is not in double quotes
 * to lower case as the server does.  False for anything malformed, an empty
 * name, or one that is too long; nothing is then allocated.
 */
extern bool names_parse(struct names *names, const char *text,
						char separator);
extern void names_free(struct names *names);

/* The name in double quotes, to be freed. */
extern char *names_quote(const char *name);

/* All of them quoted and joined with the separator, to be freed. */
extern char *names_join(const struct names *names, const char *separator);

/* Where a name stands in the list, or -1. */
extern int	names_index(const struct names *names, const char *name);

#endif							/* NAMES_H */
