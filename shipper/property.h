/*
 * property.h
 *		What librdkafka thinks of [kafka].
 */
#ifndef PROPERTY_H
#define PROPERTY_H

#include "config.h"

/*
 * NULL, or one line that says where the bad property was set, what is wrong
 * with it, and for an unknown one which is the nearest; to be freed.
 */
extern char *property_check(const struct config *cfg);

#endif							/* PROPERTY_H */
