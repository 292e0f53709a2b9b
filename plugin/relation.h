/*
 * relation.h
 *		What is known about a table: its columns, identity, key and topic.
 *
 * Entries are looked up per change and built rarely: everything that does
 * not depend on the row is computed once, JSON included.
 */
#ifndef RELATION_H
#define RELATION_H

#include "fmgr.h"
#include "utils/rel.h"

#include "json.h"
#include "options.h"
#include "publication.h"

struct Wal2KafkaFilter;

/* How a column's text is made. */
typedef enum Wal2KafkaOutput
{
	OUTPUT_BOOL,
	OUTPUT_INT2,
	OUTPUT_INT4,
	OUTPUT_INT8,
	OUTPUT_OID,
	OUTPUT_FLOAT4,
	OUTPUT_FLOAT8,
	OUTPUT_DATE,
	OUTPUT_TIME,
	OUTPUT_TIMESTAMP,
	OUTPUT_TIMESTAMPTZ,
	OUTPUT_UUID,
	OUTPUT_NUMERIC,
	OUTPUT_LAST_SCALAR = OUTPUT_NUMERIC,	/* those of scalar.c */
	OUTPUT_TEXT,				/* the varlena is the text */
	OUTPUT_BYTEA,
	OUTPUT_JSONB,
	OUTPUT_PLAIN,				/* output function; text needs no escape */
	OUTPUT_FUNCTION,			/* output function; any text */
} Wal2KafkaOutput;

/* What OLD of an update or delete holds. */
typedef enum Wal2KafkaIdentity
{
	IDENTITY_FULL,
	IDENTITY_KEY,
	IDENTITY_NONE,
} Wal2KafkaIdentity;

#define ENUM_LABELS		16		/* that a column keeps */
#define ENUM_LABEL_MAX	59

/* An enum's label as a JSON string. */
typedef struct Wal2KafkaEnumLabel
{
	Oid			oid;
	uint8		len;			/* 0: there is none here */
	char		text[ENUM_LABEL_MAX];
} Wal2KafkaEnumLabel;

typedef struct Wal2KafkaColumn
{
	AttrNumber	attno;			/* in the tuples of this relation */
	bool		in_identity;	/* logged with OLD; key columns under FULL do
								 * not count */
	bool		in_key;			/* in "key" of a record: they do */
	bool		is_varlena;
	bool		is_foreign;		/* code not the server's makes its text */
	Wal2KafkaOutput output;
	FmgrInfo	function;		/* for what is not made without it */
	bool		keeps_labels;	/* an enum, in an entry of the cache */
	Wal2KafkaEnumLabel *enum_labels;	/* those; NULL: none was seen yet */
	char	   *name;
	char	   *json_name;		/* quoted and escaped */
} Wal2KafkaColumn;

/* The bytes of a record that only depend on which columns it holds. */
typedef struct Wal2KafkaShape
{
	char	   *head;			/* {"table_name":..., to "lsn": inclusive */
	int			head_len;
	char	   *key;			/* ,"key":[...] or nothing */
	int			key_len;
} Wal2KafkaShape;

/* Identifies the historic snapshot that an entry was built under. */
typedef struct Wal2KafkaGeneration
{
	TransactionId xmin;
	uint32		xcnt;
	TransactionId own_xid;		/* of a transaction that changed the catalog */
	CommandId	curcid;
	int32		subxcnt;
} Wal2KafkaGeneration;

typedef struct Wal2KafkaRelation
{
	Oid			relid;			/* hash key */

	/* set by lookup, cleared by invalidation */
	bool		valid;
	uint64		catalog_version;
	Wal2KafkaGeneration generation;
	bool		is_ancestor;	/* other entries were built from this table */

	/* kept from one build to the next while what they name stays the same */
	uint32		table_id;		/* 0: none yet */
	uint64		announced;		/* the frame that announced it, 0: none */

	/* the rest is rebuilt; all memory in "context" */
	MemoryContext context;
	Wal2KafkaMembership actions;
	struct Wal2KafkaFilter *filter; /* of rows; NULL: all are sent */
	char	   *schema;			/* as published */
	char	   *table;
	char	   *topic;
	uint32		null_key_hash;

	int			ncolumns;
	Wal2KafkaColumn *columns;	/* published ones, in the published order */
	Wal2KafkaIdentity identity;
	int			nidentity;		/* primary key under FULL */
	int		   *identity_columns;	/* into columns, in the index's order */
	int			nkey;			/* 0: null key */
	int		   *key_columns;	/* into columns, in the key's order */
	int			nbeside;		/* of the identity, not of the Kafka key */
	int		   *beside_columns; /* into columns */

	Wal2KafkaShape full;		/* all columns */
	Wal2KafkaShape key_only;	/* a delete of which only the key is told */
	char	   *json_schema;	/* escaped, without quotes */
	char	   *stamp;			/* ,"schema":..., to commit_ts's first quote */
	int			stamp_len;
} Wal2KafkaRelation;

/*
 * Prepares the cache of one decoding session: "context" is where it lives and
 * whose reset ends it.  Forgets what an earlier session of this process, or
 * SQL on this connection, left in the server's own caches.
 */
extern void wal2kafka_relation_init(MemoryContext context,
									const Wal2KafkaOptions *options,
									Wal2KafkaCharset charset);

/*
 * To be called first in each transaction, under its historic snapshot.  If
 * that is older than one used before, the caches hold a later state of the
 * catalog than the transaction saw: they are emptied.
 */
extern void wal2kafka_relation_begin(void);

/* The entry, valid until the next lookup or catalog access. */
extern Wal2KafkaRelation *wal2kafka_relation_lookup(Relation relation);

/*
 * Fills an entry that is zero but for relid and context, in
 * CurrentMemoryContext, under whatever snapshot catalog scans use now.
 */
extern void wal2kafka_relation_fill(Wal2KafkaRelation *entry,
									Relation relation,
									const Wal2KafkaOptions *options,
									Wal2KafkaCharset charset);

/*
 * Builds an entry outside the cache, in CurrentMemoryContext, under whatever
 * snapshot catalog scans use now: for functions that show records.
 */
extern Wal2KafkaRelation *
wal2kafka_relation_build(Relation relation, const Wal2KafkaOptions *options,
						 Wal2KafkaCharset charset);

#endif							/* RELATION_H */
