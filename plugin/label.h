/*
 * label.h
 *		Security labels of provider "wal2kafka": what a label may say.
 *
 * A table's label is "topic=NAME"; the label of a key column is "key=N", its
 * 1-based place in the key.
 */
#ifndef LABEL_H
#define LABEL_H

#include "catalog/objectaddress.h"

#define WAL2KAFKA_LABEL_PROVIDER "wal2kafka"

/* Called once, by _PG_init. */
extern void wal2kafka_register_label_provider(void);

/*
 * Raises an ERROR if the label is not one that may be set on the object, and
 * tells every cache, also those of logical decoding, that a label of the
 * relation changes.  What the label means for the replica identity is not
 * looked at: a dump restores labels before indexes.
 */
extern void wal2kafka_label_check(const ObjectAddress *object,
								  const char *label);

/* The topic within a table's label (it points into it), NULL for nonsense. */
extern const char *wal2kafka_label_topic(const char *label);

/* The ordinal within a column's label, 0 for nonsense. */
extern int	wal2kafka_label_key(const char *label);

#endif							/* LABEL_H */
