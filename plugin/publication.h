/*
 * publication.h
 *		Which tables are captured, and which of their changes.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include "utils/rel.h"

#include "options.h"

typedef struct Wal2KafkaMembership
{
	bool		insert;
	bool		update;
	bool		delete;
	bool		truncate;
	bool		generated;		/* stored generated columns are published */
	Oid			publish_as;		/* the table, or the ancestor that stands for
								 * it (publish_via_partition_root) */
} Wal2KafkaMembership;

/*
 * Reads the catalog as of the change that is being decoded: call it under
 * the historic snapshot.  ERROR when a publication is missing at that point
 * of the WAL, or asks for what is not supported.
 */
extern void wal2kafka_membership(Relation relation,
								 const Wal2KafkaOptions *options,
								 Wal2KafkaMembership *membership);

#endif							/* PUBLICATION_H */
