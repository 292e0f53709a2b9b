/*
 * relation_build.c
 *		What is known about a table, read from the catalog.
 *
 * Everything that does not depend on the row is computed here, JSON included.
 * Reads the catalog as of the active snapshot, and caches nothing.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "filter.h"
#include "isolate.h"
#include "partition.h"
#include "relation.h"
#include "relation_route.h"

typedef struct OutputClass
{
	Oid			type;
	Wal2KafkaOutput output;
} OutputClass;

/* Types whose text can be made without their function, or needs no escape. */
static const OutputClass output_classes[] = {
	{BOOLOID, OUTPUT_BOOL},
	{INT2OID, OUTPUT_INT2},
	{INT4OID, OUTPUT_INT4},
	{INT8OID, OUTPUT_INT8},
	{TEXTOID, OUTPUT_TEXT},
	{VARCHAROID, OUTPUT_TEXT},
	{BPCHAROID, OUTPUT_TEXT},
	{JSONOID, OUTPUT_TEXT},
	{BYTEAOID, OUTPUT_BYTEA},
	{JSONBOID, OUTPUT_JSONB},
	{OIDOID, OUTPUT_OID},
	{FLOAT4OID, OUTPUT_FLOAT4},
	{FLOAT8OID, OUTPUT_FLOAT8},
	{NUMERICOID, OUTPUT_NUMERIC},
	{DATEOID, OUTPUT_DATE},
	{TIMEOID, OUTPUT_TIME},
	{TIMETZOID, OUTPUT_PLAIN},
	{TIMESTAMPOID, OUTPUT_TIMESTAMP},
	{TIMESTAMPTZOID, OUTPUT_TIMESTAMPTZ},
	{INTERVALOID, OUTPUT_PLAIN},
	{UUIDOID, OUTPUT_UUID},
	{INETOID, OUTPUT_PLAIN},
	{CIDROID, OUTPUT_PLAIN},
	{MACADDROID, OUTPUT_PLAIN},
	{MACADDR8OID, OUTPUT_PLAIN},
	{BITOID, OUTPUT_PLAIN},
	{VARBITOID, OUTPUT_PLAIN},
};

static Wal2KafkaOutput
output_class(Oid type)
{
	Oid			base = getBaseType(type);

	for (int i = 0; i < lengthof(output_classes); i++)
	{
		if (output_classes[i].type == base)
			return output_classes[i].output;
	}
	return OUTPUT_FUNCTION;
}

/* What a StringInfo holds, without the kilobyte that it begins with. */
static char *
trimmed(StringInfo out)
{
	char	   *text = pnstrdup(out->data, out->len);

	pfree(out->data);
	return text;
}

static char *
json_quoted(const char *text, Wal2KafkaCharset charset)
{
	StringInfoData out;

	initStringInfo(&out);
	wal2kafka_json_string(&out, text, charset);
	return trimmed(&out);
}

/* The entry's column of that number, or -1. */
static int
column_find_attno(const Wal2KafkaRelation *entry, AttrNumber attno)
{
	for (int i = 0; i < entry->ncolumns; i++)
	{
		if (entry->columns[i].attno == attno)
			return i;
	}
	return -1;
}

static AttrNumber
attno_by_name(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	return InvalidAttrNumber;
}

static void
column_build(Wal2KafkaColumn *column, Form_pg_attribute att, AttrNumber attno,
			 Wal2KafkaCharset charset)
{
	Oid			function;
	bool		is_varlena;

	getTypeOutputInfo(att->atttypid, &function, &is_varlena);
	fmgr_info(function, &column->function);
	column->attno = attno;
	column->is_varlena = att->attlen == -1;
	column->is_foreign = !wal2kafka_type_is_native(att->atttypid);
	column->output = output_class(att->atttypid);
	column->name = pstrdup(NameStr(att->attname));
	column->json_name = json_quoted(column->name, charset);
}

/*
 * Columns of the published table, in its order, found in this one by name.
 * False if a column list leaves some of them out.
 */
static bool
columns_build(Wal2KafkaRelation *entry, Relation relation, Relation published,
			  const Wal2KafkaOptions *options, Wal2KafkaCharset charset)
{
	TupleDesc	desc = RelationGetDescr(published);
	Bitmapset  *columns = wal2kafka_membership_columns(&entry->actions,
													   published, options);
	bool		complete = true;

	entry->columns = palloc0(sizeof(Wal2KafkaColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		AttrNumber	attno = att->attnum;

		if (!bms_is_member(attno, columns))
		{
			complete &= att->attisdropped || att->attgenerated != '\0';
			continue;
		}
		if (published != relation)
			attno = attno_by_name(RelationGetDescr(relation),
								  NameStr(att->attname));
		if (attno == InvalidAttrNumber)
			elog(ERROR, "partition \"%s\" has no column \"%s\"",
				 RelationGetRelationName(relation), NameStr(att->attname));
		column_build(&entry->columns[entry->ncolumns++], att, attno, charset);
	}
	return complete;
}

/*
 * The index whose columns identify a row.  RelationGetIndexAttrBitmap() would
 * open every index, also one that CREATE INDEX CONCURRENTLY has not finished.
 */
static Oid
identity_index(Relation relation)
{
	list_free(RelationGetIndexList(relation));
	if (relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		return PRIMARY_KEY_INDEX(relation);
	return relation->rd_replidindex;
}

static void
identity_build(Wal2KafkaRelation *entry, Relation relation)
{
	bool		full = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
	Oid			index_oid = identity_index(relation);
	Relation	index;
	int			natts;

	entry->identity = full ? IDENTITY_FULL : IDENTITY_NONE;
	if (!OidIsValid(index_oid))
		return;

	index = RelationIdGetRelation(index_oid);
	if (!RelationIsValid(index))
		elog(ERROR, "could not open index %u", index_oid);
	natts = index->rd_index->indnkeyatts;
	entry->identity_columns = palloc(sizeof(int) * natts);
	for (int i = 0; i < natts; i++)
	{
		AttrNumber	attno = index->rd_index->indkey.values[i];
		int			column = column_find_attno(entry, attno);

		/* half a key would match rows of others: then there is none */
		if (column < 0)
		{
			entry->nidentity = 0;
			RelationClose(index);
			return;
		}
		entry->identity_columns[entry->nidentity++] = column;
	}
	RelationClose(index);

	for (int i = 0; i < entry->nidentity; i++)
	{
		entry->columns[entry->identity_columns[i]].in_key = true;
		entry->columns[entry->identity_columns[i]].in_identity = !full;
	}
	if (!full)
		entry->identity = IDENTITY_KEY;
}

/* [2,0]: where the identity's columns are among the ones a record holds. */
static void
shape_key(StringInfo out, const Wal2KafkaRelation *entry, bool key_only)
{
	if (entry->nidentity == 0)
		return;
	appendStringInfoString(out, ",\"key\":[");
	for (int i = 0; i < entry->nidentity; i++)
	{
		int			position = 0;

		for (int c = 0; c < entry->identity_columns[i]; c++)
			position += !key_only || entry->columns[c].in_key;
		appendStringInfo(out, "%s%d", i > 0 ? "," : "", position);
	}
	appendStringInfoChar(out, ']');
}

static void
stamp_build(Wal2KafkaRelation *entry)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, ",\"schema\":\"%s\",\"commit_ts\":\"",
					 entry->json_schema);
	entry->stamp_len = out.len;
	entry->stamp = trimmed(&out);
}

static void
shape_build(Wal2KafkaShape *shape, const Wal2KafkaRelation *entry,
			bool key_only, Wal2KafkaCharset charset)
{
	StringInfoData out;
	const char *separator = "";

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"table_name\":");
	wal2kafka_json_string(&out, entry->table, charset);
	appendStringInfoString(&out, ",\"col_names\":[");
	for (int i = 0; i < entry->ncolumns; i++)
	{
		if (key_only && !entry->columns[i].in_key)
			continue;
		appendStringInfoString(&out, separator);
		appendStringInfoString(&out, entry->columns[i].json_name);
		separator = ",";
	}
	appendStringInfoString(&out, "],\"lsn\":");
	shape->head_len = out.len;
	shape->head = trimmed(&out);

	initStringInfo(&out);
	shape_key(&out, entry, key_only);
	shape->key_len = out.len;
	shape->key = trimmed(&out);
}

static void
names_build(Wal2KafkaRelation *entry, Relation published,
			const Wal2KafkaOptions *options, Wal2KafkaCharset charset)
{
	StringInfoData out;

	entry->schema = get_namespace_name(RelationGetNamespace(published));
	if (entry->schema == NULL)
		elog(ERROR, "cache lookup failed for namespace %u",
			 RelationGetNamespace(published));
	entry->table = pstrdup(RelationGetRelationName(published));

	initStringInfo(&out);
	wal2kafka_json_escape(&out, entry->schema, strlen(entry->schema), charset);
	entry->json_schema = trimmed(&out);

	initStringInfo(&out);
	appendStringInfo(&out, "%s.%s", wal2kafka_utf8_name(entry->schema),
					 wal2kafka_utf8_name(entry->table));
	entry->null_key_hash = wal2kafka_partition_hash(options->partitioner,
													out.data, out.len);
	pfree(out.data);
}

void
wal2kafka_relation_fill(Wal2KafkaRelation *entry, Relation relation,
						const Wal2KafkaOptions *options,
						Wal2KafkaCharset charset)
{
	Relation	published = relation;
	bool		complete;

	wal2kafka_membership(relation, options, &entry->actions);
	if (!entry->actions.insert && !entry->actions.update &&
		!entry->actions.delete && !entry->actions.truncate)
		return;

	if (entry->actions.publish_as != RelationGetRelid(relation))
	{
		published = RelationIdGetRelation(entry->actions.publish_as);
		if (!RelationIsValid(published))
			elog(ERROR, "could not open relation %u",
				 entry->actions.publish_as);
	}

	names_build(entry, published, options, charset);
	complete = columns_build(entry, relation, published, options, charset);
	identity_build(entry, relation);
	entry->filter = wal2kafka_filter_build(relation, published,
										   entry->actions.publications);
	wal2kafka_relation_route(entry, relation, published, options);
	/* without columns an OLD would be empty, and match every row of a copy */
	if (entry->ncolumns == 0)
		entry->actions.update = entry->actions.delete = false;
	/* what a list leaves of a whole row may be the same in another row */
	if (!complete && entry->identity == IDENTITY_FULL && entry->nidentity == 0)
		entry->identity = IDENTITY_NONE;
	stamp_build(entry);
	shape_build(&entry->full, entry, false, charset);
	shape_build(&entry->key_only, entry, true, charset);

	if (published != relation)
		RelationClose(published);
}

Wal2KafkaRelation *
wal2kafka_relation_build(Relation relation, const Wal2KafkaOptions *options,
						 Wal2KafkaCharset charset)
{
	Wal2KafkaRelation *entry = palloc0(sizeof(Wal2KafkaRelation));

	entry->relid = RelationGetRelid(relation);
	entry->context = CurrentMemoryContext;
	wal2kafka_relation_fill(entry, relation, options, charset);
	return entry;
}
