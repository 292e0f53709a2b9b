/*
 * compat.h
 *		Every difference between server versions 15 to 19 that this plugin
 *		meets: the newest name, defined for the servers that lack it.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "access/htup.h"
#include "replication/message.h"
#include "replication/reorderbuffer.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000
#error "wal2kafka needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 180000
#define WAL2KAFKA_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "wal2kafka", .version = WAL2KAFKA_VERSION)
#else
#define WAL2KAFKA_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* change->data.tp.oldtuple and newtuple: a HeapTuple from 17 on */
#if PG_VERSION_NUM >= 170000
#define CHANGE_TUPLE(buffer) (buffer)
#else
#define CHANGE_TUPLE(buffer) ((buffer) ? &(buffer)->tuple : NULL)
#endif

#if PG_VERSION_NUM >= 190000
#define TXN_COMMIT_TIME(txn) ((txn)->commit_time)
#else
#define TXN_COMMIT_TIME(txn) ((txn)->xact_time.commit_time)
#define InvalidReplOriginId InvalidRepOriginId
#define ReplOriginId RepOriginId
#endif

/* Before 17 an immediate message stays in memory until something flushes. */
static inline XLogRecPtr
LOG_MESSAGE(const char *prefix, const char *content, Size size,
			bool transactional)
{
#if PG_VERSION_NUM >= 170000
	return LogLogicalMessage(prefix, content, size, transactional, true);
#else
	XLogRecPtr	lsn = LogLogicalMessage(prefix, content, size, transactional);

	if (!transactional)
		XLogFlush(lsn);
	return lsn;
#endif
}

/* what a system cache callback gets to know which cache it is about */
#if PG_VERSION_NUM >= 190000
#define SYSCACHE_ID SysCacheIdentifier
#else
#define SYSCACHE_ID int
#endif

/* from 17 on the relation cache also knows a deferrable primary key */
#if PG_VERSION_NUM >= 170000
#define PRIMARY_KEY_INDEX(rel) \
	((rel)->rd_ispkdeferrable ? InvalidOid : (rel)->rd_pkindex)
#else
#define PRIMARY_KEY_INDEX(rel) ((rel)->rd_pkindex)
#endif

/* generated columns without a stored value came with 18 */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* the server itself reports progress through filtered changes from 16 on */
#define PROGRESS_IS_OURS (PG_VERSION_NUM < 160000)

/* before 17 no slot waits for a standby */
#if PG_VERSION_NUM >= 170000
#define SLOT_WAITS_FOR_STANDBY() (MyReplicationSlot->data.failover)
#else
#define SLOT_WAITS_FOR_STANDBY() false
#endif

/* before 18 no publication sends generated columns */
#if PG_VERSION_NUM >= 180000
#define PUBLICATION_HAS_GENERATED(pub) \
	((pub)->pubgencols_type == PUBLISH_GENCOLS_STORED)
#else
#define PUBLICATION_HAS_GENERATED(pub) ((void) (pub), false)
#endif

/* 18 and later: a filter may name a virtual column, which no tuple holds */
#if PG_VERSION_NUM >= 180000
#include "rewrite/rewriteHandler.h"
#define EXPAND_VIRTUAL_COLUMNS(node, relation) \
	expand_generated_columns_in_expr((node), (relation), 1)
#else
#define EXPAND_VIRTUAL_COLUMNS(node, relation) (node)
#endif

/*
 * Publications that name a table, and whether a publication is for all
 * tables, this one not excepted: from 19 on the root may be.
 */
#if PG_VERSION_NUM >= 190000
#define RELATION_PUBLICATIONS(relid) GetRelationIncludedPublications(relid)
#define PUBLICATION_IS_FOR_ALL(pub, relid, ancestors) \
	((pub)->alltables && \
	 !list_member_oid( \
		 GetRelationExcludedPublications((ancestors) != NIL ? \
										 llast_oid(ancestors) : (relid)), \
		 (pub)->oid))
#else
#define RELATION_PUBLICATIONS(relid) GetRelationPublications(relid)
#define PUBLICATION_IS_FOR_ALL(pub, relid, ancestors) ((pub)->alltables)
#endif

#endif							/* COMPAT_H */
