/*
 * publication.h
 *		Which tables are captured, and which of their changes.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "options.h"

typedef struct Wal2KafkaMembership
{
	bool		insert;
	bool		update;
	bool		delete;
	bool		truncate;
	Oid			publish_as;		/* the table, or the ancestor that stands for
								 * it (publish_via_partition_root) */
	List	   *publications;	/* Publication *, those that publish it as
								 * that; NIL when none were asked for */
} Wal2KafkaMembership;

/*
 * Reads the catalog as of the change that is being decoded: call it under
 * the historic snapshot.  ERROR when a publication is missing at that point
 * of the WAL, unless missing_publication is skip.
 */
extern void wal2kafka_membership(Relation relation,
								 const Wal2KafkaOptions *options,
								 Wal2KafkaMembership *membership);

/*
 * Attribute numbers of the columns that are published of publish_as, which
 * "published" is.  ERROR when publications do not agree on them.
 */
extern Bitmapset *
wal2kafka_membership_columns(const Wal2KafkaMembership *membership,
							 Relation published,
							 const Wal2KafkaOptions *options);

#endif							/* PUBLICATION_H */
