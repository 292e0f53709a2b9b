/*
 * option.h
 *		The table of keys that the config file may have.
 *
 * What fails returns one line without a place, to be freed.
 */
#ifndef OPTION_H
#define OPTION_H

#include <stddef.h>

#include "config.h"

/* Sets every key to its default. */
extern void option_defaults(struct config *cfg);

/*
 * Sets a key of [postgres], [kafka] or [wal2kafka]; "from" says where it was
 * found.  What is in [kafka] is judged by librdkafka, see property.h.
 */
extern char *option_set(struct config *cfg, const char *section,
						const char *key, const char *value,
						const char *from);

/* Letters to insert, delete or change until one word is the other. */
extern size_t option_distance(const char *a, const char *b);

#endif							/* OPTION_H */
