/*
 * route.c
 *		Reads routes: from security labels and from the option "routes".
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_seclabel.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "label.h"
#include "route.h"
#include "topicname.h"

/* A labelled column, until the key can be put in order */
typedef struct KeyColumn
{
	int			ordinal;
	AttrNumber	attnum;
} KeyColumn;

static bool read_labels(Oid relid, Wal2KafkaRoute *route);
static bool label_is_ours(HeapTuple tuple, TupleDesc desc, int *subid,
						  char **label);
static KeyColumn *key_column(Oid relid, int attnum, const char *label);
static int	compare_key_columns(const ListCell *a, const ListCell *b);
static List *key_names(Oid relid, List *columns);
static void bad_label(Oid relid, const char *label);

static Wal2KafkaConfigRoute *parse_route(char *piece);
static void parse_setting(Wal2KafkaConfigRoute *route, const char *piece,
						  char *word);
static char *next_part(char **rest, const char *separators);
static List *parse_names(char *word, char separator, const char *piece);
static char *parse_name(const char *part, const char *piece);
static void bad_route(const char *piece, const char *detail);

/* ---- labels ---- */

void
wal2kafka_route_read(Oid relid, bool inherit, Wal2KafkaRoute *route)
{
	List	   *consulted = list_make1_oid(relid);
	ListCell   *cell;

	if (inherit && get_rel_relispartition(relid))
		consulted = list_concat(consulted, get_partition_ancestors(relid));

	memset(route, 0, sizeof(*route));
	route->consulted = consulted;
	foreach(cell, consulted)
	{
		if (read_labels(lfirst_oid(cell), route))
		{
			route->source = lfirst_oid(cell);
			break;
		}
	}
}

/* Returns whether the relation has labels of ours. */
static bool
read_labels(Oid relid, Wal2KafkaRoute *route)
{
	Relation	seclabel = table_open(SecLabelRelationId, AccessShareLock);
	List	   *columns = NIL;
	bool		found = false;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_seclabel_objoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_seclabel_classoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	scan = systable_beginscan(seclabel, SecLabelObjectIndexId, true, NULL,
							  lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int			subid;
		char	   *label;

		if (!label_is_ours(tuple, RelationGetDescr(seclabel), &subid, &label))
			continue;
		found = true;
		if (subid != 0)
			columns = lappend(columns, key_column(relid, subid, label));
		else if (wal2kafka_label_topic(label) != NULL)
			route->topic = pstrdup(wal2kafka_label_topic(label));
		else
			bad_label(relid, label);
		pfree(label);
	}
	systable_endscan(scan);
	table_close(seclabel, AccessShareLock);

	route->key = key_names(relid, columns);
	return found;
}

/*
 * pg_seclabel has no struct of its own.  The label is detoasted here, while
 * the scan still holds its snapshot.
 */
static bool
label_is_ours(HeapTuple tuple, TupleDesc desc, int *subid, char **label)
{
	bool		isnull;
	char	   *provider;
	bool		ours;

	provider = TextDatumGetCString(heap_getattr(tuple,
												Anum_pg_seclabel_provider,
												desc, &isnull));
	ours = strcmp(provider, WAL2KAFKA_LABEL_PROVIDER) == 0;
	pfree(provider);
	if (!ours)
		return false;

	*subid = DatumGetInt32(heap_getattr(tuple, Anum_pg_seclabel_objsubid,
										desc, &isnull));
	*label = TextDatumGetCString(heap_getattr(tuple, Anum_pg_seclabel_label,
											  desc, &isnull));
	return true;
}

static KeyColumn *
key_column(Oid relid, int attnum, const char *label)
{
	KeyColumn  *column = palloc(sizeof(KeyColumn));

	column->attnum = (AttrNumber) attnum;
	column->ordinal = wal2kafka_label_key(label);
	if (column->ordinal == 0)
		bad_label(relid, label);
	return column;
}

/* Two columns that claim one place follow each other as in the table. */
static int
compare_key_columns(const ListCell *a, const ListCell *b)
{
	const KeyColumn *left = lfirst(a);
	const KeyColumn *right = lfirst(b);

	if (left->ordinal != right->ordinal)
		return left->ordinal < right->ordinal ? -1 : 1;
	return left->attnum < right->attnum ? -1 : left->attnum > right->attnum;
}

static List *
key_names(Oid relid, List *columns)
{
	List	   *names = NIL;
	ListCell   *cell;

	list_sort(columns, compare_key_columns);
	foreach(cell, columns)
	{
		KeyColumn  *column = lfirst(cell);

		names = lappend(names, get_attname(relid, column->attnum, false));
	}
	list_free_deep(columns);
	return names;
}

/*
 * Only a change of pg_seclabel by hand or another version of the library can
 * leave such a label behind.
 */
static void
bad_label(Oid relid, const char *label)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not understand security label \"%s\" of table \"%s\"",
					label, get_rel_name(relid)),
			 errhint("A route in the option \"routes\" with both topic and key takes the label's place.")));
}

/* ---- option ---- */

List *
wal2kafka_routes_parse(const char *value)
{
	char	   *rest = pstrdup(value);
	List	   *routes = NIL;

	while (rest != NULL)
	{
		char	   *piece = next_part(&rest, ";");
		Wal2KafkaConfigRoute *route;

		if (piece[strspn(piece, " \t\r\n")] == '\0')
			continue;
		route = parse_route(piece);
		if (wal2kafka_routes_find(routes, route->schema, route->table))
			bad_route(piece, "The table has a route already.");
		routes = lappend(routes, route);
	}
	return routes;
}

const Wal2KafkaConfigRoute *
wal2kafka_routes_find(const List *routes, const char *schema,
					  const char *table)
{
	ListCell   *cell;

	foreach(cell, routes)
	{
		const Wal2KafkaConfigRoute *route = lfirst(cell);

		if (strcmp(route->table, table) == 0 &&
			strcmp(route->schema, schema) == 0)
			return route;
	}
	return NULL;
}

static Wal2KafkaConfigRoute *
parse_route(char *piece)
{
	Wal2KafkaConfigRoute *route = palloc0(sizeof(Wal2KafkaConfigRoute));
	char	   *rest = pstrdup(piece);

	while (rest != NULL)
	{
		char	   *word = next_part(&rest, " \t\r\n");
		List	   *names;

		if (*word == '\0')
			continue;
		if (route->table != NULL)
		{
			parse_setting(route, piece, word);
			continue;
		}
		names = parse_names(word, '.', piece);
		if (list_length(names) != 2)
			bad_route(piece, "A route begins with SCHEMA.TABLE.");
		route->schema = linitial(names);
		route->table = lsecond(names);
	}
	if (route->topic == NULL && route->key == NIL)
		bad_route(piece, "A route has a \"topic=NAME\", a \"key=COLUMN,COLUMN\", or both.");
	return route;
}

static void
parse_setting(Wal2KafkaConfigRoute *route, const char *piece, char *word)
{
	if (strncmp(word, "topic=", 6) == 0 && route->topic == NULL)
	{
		if (!topic_name_is_legal(word + 6))
			bad_route(piece, psprintf("\"%s\" is not a legal name of a topic.",
									  word + 6));
		route->topic = pstrdup(word + 6);
	}
	else if (strncmp(word, "key=", 4) == 0 && route->key == NIL)
	{
		ListCell   *a;
		ListCell   *b;

		route->key = parse_names(word + 4, ',', piece);
		foreach(a, route->key)
			for_each_cell(b, route->key, lnext(route->key, a))
				if (strcmp(lfirst(a), lfirst(b)) == 0)
					bad_route(piece, psprintf("Column \"%s\" is repeated.",
											  (char *) lfirst(a)));
	}
	else
		bad_route(piece, psprintf("\"%s\" is neither \"topic=NAME\" nor \"key=COLUMN,COLUMN\", or is repeated.",
								  word));
}

/*
 * Cuts the text at its first separator outside double quotes; *rest is what
 * follows, NULL when there was none.
 */
static char *
next_part(char **rest, const char *separators)
{
	char	   *part = *rest;
	char	   *c;
	bool		quoted = false;

	for (c = part; *c != '\0'; c++)
	{
		if (*c == '"')
			quoted = !quoted;
		else if (!quoted && strchr(separators, *c) != NULL)
			break;
	}
	*rest = *c != '\0' ? c + 1 : NULL;
	*c = '\0';
	return part;
}

static List *
parse_names(char *word, char separator, const char *piece)
{
	char		separators[2] = {separator, '\0'};
	List	   *names = NIL;

	while (word != NULL)
		names = lappend(names, parse_name(next_part(&word, separators), piece));
	return names;
}

/* An SQL identifier: all of it quoted, or none. */
static char *
parse_name(const char *part, const char *piece)
{
	StringInfoData name;
	const char *c;

	if (*part != '"' && *part != '\0' && strchr(part, '"') == NULL)
		return downcase_identifier(part, strlen(part), false, false);

	initStringInfo(&name);
	for (c = part + 1; *part == '"' && *c != '\0'; c++)
	{
		if (*c != '"')
			appendStringInfoChar(&name, *c);
		else if (c[1] == '"')
			appendStringInfoChar(&name, *c++);
		else
			break;
	}
	if (*part != '"' || *c != '"' || c[1] != '\0' || name.len == 0)
		bad_route(piece, psprintf("\"%s\" is not a name in SQL's form.",
								  part));
	return name.data;
}

static void
bad_route(const char *piece, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid route \"%s\" in option \"routes\"", piece),
			 errdetail("%s", detail)));
}
