/*
 * relation.c
 *		What is known about tables, kept from one change to the next.
 *
 * Transactions are decoded in commit order, each under the snapshot of its
 * own changes, so the catalog seen goes back and forth.  Two rules make a
 * warm cache answer as a cold one: an entry serves only the snapshot that it
 * was built under, and when a transaction's snapshot is older than the newest
 * one used, the server's caches are reset as well.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "relation.h"

#define TRIM_BUILDS 1000

typedef struct RelationCache
{
	HTAB	   *entries;		/* of Wal2KafkaRelation */
	MemoryContext context;
	const Wal2KafkaOptions *options;
	Wal2KafkaCharset charset;
	uint64		catalog_version;	/* older entries are invalid */
	Wal2KafkaRelation *last;	/* the entry found last, or NULL */
	uint32		builds;			/* since entries_trim() */
	bool		server_forgets; /* see forgets_invalidations() */
	bool		have_newest;
	Wal2KafkaGeneration newest; /* of all snapshots used */
} RelationCache;

/*
 * Invalidation callbacks have no argument of ours that outlives a session and
 * cannot be unregistered, hence a static.  NULL while no session runs.
 */
static RelationCache *cache = NULL;

static void cache_forget(void *arg);
static void on_relation_change(Datum arg, Oid relid);
static void on_catalog_change(Datum arg, SYSCACHE_ID cacheid, uint32 hash);

/* ---- the cache ---- */

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(ENUMOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(PUBLICATIONOID, on_catalog_change,
								  (Datum) 0);
	CacheRegisterSyscacheCallback(PUBLICATIONRELMAP, on_catalog_change,
								  (Datum) 0);
	CacheRegisterSyscacheCallback(PUBLICATIONNAMESPACEMAP, on_catalog_change,
								  (Datum) 0);
	registered = true;
}

/*
 * Servers before 15.13, 16.9 and 17.5 do not pass on to a running transaction
 * what another's commit invalidated: their caches stay behind the snapshot.
 */
static bool
forgets_invalidations(void)
{
	int			version = atoi(GetConfigOption("server_version_num", false,
											   false));

	return version < 150013 || (version >= 160000 && version < 160009) ||
		(version >= 170000 && version < 170005);
}

void
wal2kafka_relation_init(MemoryContext context,
						const Wal2KafkaOptions *options,
						Wal2KafkaCharset charset)
{
	HASHCTL		ctl = {0};
	MemoryContextCallback *callback;

	register_callbacks();
	InvalidateSystemCaches();

	cache = MemoryContextAllocZero(context, sizeof(RelationCache));
	cache->context = AllocSetContextCreate(context, "wal2kafka relations",
										   ALLOCSET_DEFAULT_SIZES);
	cache->options = options;
	cache->charset = charset;
	cache->catalog_version = 1;
	cache->server_forgets = forgets_invalidations();

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(Wal2KafkaRelation);
	ctl.hcxt = cache->context;
	cache->entries = hash_create("wal2kafka relations", 128, &ctl,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	/* an ERROR ends a session without any callback of the plugin */
	callback = MemoryContextAllocZero(context, sizeof(MemoryContextCallback));
	callback->func = cache_forget;
	callback->arg = cache;
	MemoryContextRegisterResetCallback(context, callback);
}

static void
cache_forget(void *arg)
{
	if (cache == arg)
		cache = NULL;
}

/* May come at any catalog access: only marks. */
static void
on_relation_change(Datum arg, Oid relid)
{
	Wal2KafkaRelation *entry;

	if (cache == NULL)
		return;
	if (!OidIsValid(relid))
	{
		cache->catalog_version++;
		return;
	}

	entry = hash_search(cache->entries, &relid, HASH_FIND, NULL);
	if (entry == NULL)
		return;
	entry->valid = false;
	if (entry->is_ancestor)
		cache->catalog_version++;
}

static void
on_catalog_change(Datum arg, SYSCACHE_ID cacheid, uint32 hash)
{
	if (cache)
		cache->catalog_version++;
}

static void
generation_read(Wal2KafkaGeneration *generation)
{
	Snapshot	snapshot = GetCatalogSnapshot(InvalidOid);

	generation->xmin = snapshot->xmin;
	generation->xcnt = snapshot->xcnt;
	generation->own_xid = snapshot->subxcnt > 0 ? snapshot->subxip[0] :
		InvalidTransactionId;
	generation->curcid = snapshot->curcid;
	generation->subxcnt = snapshot->subxcnt;
}

static bool
generation_equals(const Wal2KafkaGeneration *a, const Wal2KafkaGeneration *b)
{
	return a->xmin == b->xmin && a->xcnt == b->xcnt &&
		a->own_xid == b->own_xid && a->curcid == b->curcid &&
		a->subxcnt == b->subxcnt;
}

/* Snapshots of the builder are totally ordered by xmin, then xcnt. */
static bool
generation_precedes(const Wal2KafkaGeneration *a, const Wal2KafkaGeneration *b)
{
	if (a->xmin != b->xmin)
		return TransactionIdPrecedes(a->xmin, b->xmin);
	return a->xcnt < b->xcnt;
}

static void
generation_raise(const Wal2KafkaGeneration *generation)
{
	if (!cache->have_newest || generation_precedes(&cache->newest, generation))
		cache->newest = *generation;
	cache->have_newest = true;
}

/* A snapshot that may be newer than all before; never an older one. */
static void
generation_follow(const Wal2KafkaGeneration *generation)
{
	if (cache->server_forgets && cache->have_newest &&
		generation_precedes(&cache->newest, generation))
		InvalidateSystemCaches();
	generation_raise(generation);
}

/* What a dropped table was must not stay until the session ends. */
static void
entries_trim(void)
{
	HASH_SEQ_STATUS seq;
	Wal2KafkaRelation *entry;

	cache->builds = 0;
	hash_seq_init(&seq, cache->entries);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (entry->valid || entry->context == NULL)
			continue;
		MemoryContextDelete(entry->context);
		entry->context = NULL;
		entry->topic = NULL;
	}
}

void
wal2kafka_relation_begin(void)
{
	Wal2KafkaGeneration generation;

	if (cache->builds > TRIM_BUILDS)
		entries_trim();
	generation_read(&generation);
	if (cache->have_newest && generation_precedes(&generation, &cache->newest))
	{
		InvalidateSystemCaches();
		cache->newest = generation;
	}
	else
		generation_follow(&generation);
}

/* ---- entries ---- */

/* A change of an ancestor's name, label or columns must reach the entry. */
static void
watch_ancestor(Oid ancestor)
{
	Wal2KafkaRelation *entry;
	bool		found;

	entry = hash_search(cache->entries, &ancestor, HASH_ENTER, &found);
	if (!found)
	{
		memset(entry, 0, sizeof(*entry));
		entry->relid = ancestor;
	}
	entry->is_ancestor = true;
}

static void
watch_ancestors(Relation relation)
{
	ListCell   *lc;

	if (!relation->rd_rel->relispartition)
		return;
	foreach(lc, get_partition_ancestors(RelationGetRelid(relation)))
		watch_ancestor(lfirst_oid(lc));
}

/* Replaces what the entry knew.  Its wire id survives if it means the same. */
static void
entry_rebuild(Wal2KafkaRelation *entry, Relation relation,
			  const Wal2KafkaGeneration *generation)
{
	Wal2KafkaRelation old = *entry;
	MemoryContext caller;

	cache->builds++;
	memset(entry, 0, sizeof(*entry));
	entry->relid = old.relid;
	entry->is_ancestor = old.is_ancestor;
	entry->generation = *generation;
	/* before building: an invalidation while it is built must win */
	entry->catalog_version = cache->catalog_version;
	entry->valid = true;
	entry->context = AllocSetContextCreate(cache->context,
										   "wal2kafka relation",
										   ALLOCSET_SMALL_SIZES);

	caller = MemoryContextSwitchTo(entry->context);
	wal2kafka_relation_fill(entry, relation, cache->options, cache->charset);
	for (int i = 0; i < entry->ncolumns; i++)
		entry->columns[i].keeps_labels =
			entry->columns[i].function.fn_oid == F_ENUM_OUT;
	MemoryContextSwitchTo(caller);
	watch_ancestors(relation);

	if (old.topic && entry->topic && strcmp(old.topic, entry->topic) == 0 &&
		strcmp(old.schema, entry->schema) == 0 &&
		strcmp(old.table, entry->table) == 0)
	{
		entry->table_id = old.table_id;
		entry->announced = old.announced;
	}
	if (old.context)
		MemoryContextDelete(old.context);
}

static bool
entry_serves(const Wal2KafkaRelation *entry,
			 const Wal2KafkaGeneration *generation)
{
	return entry->valid && entry->catalog_version == cache->catalog_version &&
		generation_equals(&entry->generation, generation);
}

Wal2KafkaRelation *
wal2kafka_relation_lookup(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	Wal2KafkaRelation *entry = cache->last;
	Wal2KafkaGeneration generation;
	bool		found;

	generation_read(&generation);
	if (entry == NULL || entry->relid != relid)
	{
		entry = hash_search(cache->entries, &relid, HASH_ENTER, &found);
		if (!found)
		{
			memset(entry, 0, sizeof(*entry));
			entry->relid = relid;
		}
		cache->last = entry;
	}

	if (unlikely(!entry_serves(entry, &generation)))
	{
		generation_follow(&generation);
		entry_rebuild(entry, relation, &generation);
	}
	return entry;
}
