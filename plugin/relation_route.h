/*
 * relation_route.h
 *		Topic and key of a table, out of what config and labels say.
 */
#ifndef RELATION_ROUTE_H
#define RELATION_ROUTE_H

#include "relation.h"

/*
 * Sets topic, nkey and key_columns of an entry whose names, actions, columns
 * and identity are known; "published" is the table that it is published as.
 * Allocates in CurrentMemoryContext; may share the identity's columns.  ERROR
 * for a key that a record, or a delete, could not be given.
 */
extern void wal2kafka_relation_route(Wal2KafkaRelation *entry,
									 Relation relation, Relation published,
									 const Wal2KafkaOptions *options);

#endif							/* RELATION_ROUTE_H */
