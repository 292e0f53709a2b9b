/*
 * snapshot_sql.c
 *		The queries of a snapshot, as text.
 */
#include "snapshot_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "names.h"
#include "sqltext.h"

/*
 * The key of table "c" is what names a row in the stream: a row that moves past
 * the chunks that were read then comes as a Delete and an Insert.
 */
#define KEY_OF_C \
	" LEFT JOIN LATERAL (" \
	"  SELECT json_agg(a.attname ORDER BY k.step) AS names," \
	"  json_agg(s.nspname ORDER BY k.step) AS schemas," \
	"  json_agg(a.atttypid || ' ' || a.attcollation ORDER BY k.step) AS types" \
	"  FROM pg_index x, unnest(x.indkey::int2[], x.indclass::oid[])" \
	"   WITH ORDINALITY AS k(attnum, class, step)," \
	"  pg_attribute a, pg_opclass oc, pg_amop ao, pg_operator o," \
	"  pg_namespace s WHERE x.indexrelid = (" \
	"   SELECT y.indexrelid FROM pg_index y WHERE y.indrelid = c.oid" \
	"   AND y.indisvalid AND CASE c.relreplident" \
	"    WHEN 'i' THEN y.indisreplident ELSE y.indisprimary END)" \
	"  AND k.step <= x.indnkeyatts" \
	"  AND a.attrelid = c.oid AND a.attnum = k.attnum AND oc.oid = k.class" \
	"  AND ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 5" \
	"  AND ao.amoplefttype = oc.opcintype" \
	"  AND ao.amoprighttype = oc.opcintype" \
	"  AND o.oid = ao.amopopr AND s.oid = o.oprnamespace) k ON true"

/* What a table is, as far as chunks that were read depend on it. */
#define WHAT_C_IS \
	"concat_ws(' ', c.oid, c.relkind, k.names, k.schemas, k.types)"

static char *asked(const struct snapshot_plan *plan, bool fresh);
static void put_row(FILE *to, const char *name, const char *schema,
					const char *table);
static char *captured(const struct config *config,
					  const struct snapshot_plan *plan);
static char *columns(const struct snapshot_table *table, const char *front,
					 const char *behind);
static char *range(const struct snapshot_table *table, const json_t *after,
				   const json_t *upto);
static char *bound(const struct snapshot_table *table, const json_t *values,
				   const char *strict, const char *last);
static char *bound_row(const struct snapshot_table *table,
					   const json_t *values, const char *operator);
static char *bound_mixed(const struct snapshot_table *table,
						 const json_t *values, const char *strict,
						 const char *last);
static char *compare(const struct snapshot_table *table,
					 const json_t *values, size_t i, const char *operator);

/* Frees both texts and returns them joined. */
static char *
join(char *text, char *more)
{
	char	   *joined = mem_format("%s%s", text, more);

	free(more);
	free(text);
	return joined;
}

/* A partitioned table stands for its leaves. */
char *
snapshot_sql_tables(const struct config *config,
					const struct snapshot_plan *plan)
{
	static const char format[] =
	"WITH asked AS ("
	" SELECT a.name, c.oid FROM (VALUES %s) a(name, nspname, relname)"
	"  LEFT JOIN pg_namespace n USING (nspname)"
	"  LEFT JOIN pg_class c ON c.relnamespace = n.oid"
	"   AND c.relname = a.relname"
	"  WHERE a.name <> '" SNAPSHOT_ALL "'"
	" UNION %s"
	"), leaf AS ("
	" SELECT a.name, a.oid FROM asked a LEFT JOIN pg_class c ON c.oid = a.oid"
	"  WHERE c.relkind IS DISTINCT FROM 'p'"
	" UNION SELECT a.name, t.relid::oid FROM asked a"
	"  JOIN pg_class c ON c.oid = a.oid AND c.relkind = 'p',"
	"  pg_partition_tree(a.oid) t WHERE t.isleaf"
	") SELECT l.name, CASE WHEN c.oid IS NOT NULL THEN"
	"  format('%%I.%%I', n.nspname, c.relname) END,"
	" k.names, k.schemas, c.relkind, " WHAT_C_IS ","
	" c.reltuples::int8, CASE WHEN c.reltuples > 0 THEN ((c.relpages +"
	"  coalesce(t.relpages, 0)) * 8192::float8 / c.reltuples)::int8 END"
	" FROM leaf l LEFT JOIN pg_class c ON c.oid = l.oid"
	" LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_class t ON t.oid = c.reltoastrelid"
	KEY_OF_C
	" ORDER BY 1, 2";
	char	   *names = asked(plan, false);
	char	   *all = captured(config, plan);
	char	   *sql = mem_format(format, names, all);

	free(all);
	free(names);
	return sql;
}

/*
 * One row of VALUES a table that is not done or, "fresh", not begun; the first
 * makes sure that there is one.
 */
static char *
asked(const struct snapshot_plan *plan, bool fresh)
{
	char	   *rows = NULL;
	size_t		size;
	FILE	   *to = open_memstream(&rows, &size);

	if (to == NULL)
		abort();
	fputs("('" SNAPSHOT_ALL "', NULL, NULL)", to);
	for (size_t i = 0; i < plan->count; i++)
	{
		const struct snapshot_table *table = &plan->tables[i];
		struct names names;

		if (table->state > SNAPSHOT_COPYING ||
			(fresh && table->after != NULL) ||
			!names_parse(&names, table->name, '.'))
			continue;
		if (names.count == 2)
			put_row(to, table->name, names.name[0], names.name[1]);
		names_free(&names);
	}
	fclose(to);
	return rows;
}

static void
put_row(FILE *to, const char *name, const char *schema, const char *table)
{
	char	   *parts[] = {
		sqltext_literal(name), sqltext_literal(schema),
		sqltext_literal(table),
	};

	fprintf(to, ", (%s, %s, %s)", parts[0], parts[1], parts[2]);
	for (int i = 0; i < 3; i++)
		free(parts[i]);
}

static char *
captured(const struct config *config, const struct snapshot_plan *plan)
{
	const struct snapshot_table *all = snapshot_plan_find(plan, SNAPSHOT_ALL);
	char	   *list = mem_strdup("NULL");
	char	   *sql;
	struct names names;

	if (all == NULL || all->state > SNAPSHOT_COPYING)
	{
		free(list);
		return mem_strdup("SELECT NULL, NULL WHERE false");
	}
	if (config->publication[0] == '\0' ||
		!names_parse(&names, config->publication, ','))
	{
		free(list);
		return mem_strdup("SELECT '" SNAPSHOT_ALL "', c.oid FROM pg_class c"
						  " JOIN pg_namespace n ON n.oid = c.relnamespace"
						  " WHERE c.relkind = 'r'"
						  " AND pg_relation_is_publishable(c.oid)"
						  " AND n.nspname NOT IN"
						  " ('wal2kafka', 'information_schema')");
	}
	for (size_t i = 0; i < names.count; i++)
	{
		char	   *literal = sqltext_literal(names.name[i]);

		list = join(list, mem_format(", %s", literal));
		free(literal);
	}
	names_free(&names);
	sql = mem_format("SELECT '" SNAPSHOT_ALL "', c.oid"
					 " FROM pg_publication_tables t"
					 " JOIN pg_namespace n ON n.nspname = t.schemaname"
					 " JOIN pg_class c ON c.relnamespace = n.oid"
					 " AND c.relname = t.tablename WHERE t.pubname IN (%s)",
					 list);
	free(list);
	return sql;
}

/* Locks are let go of after a transaction is seen as ended. */
char *
snapshot_sql_writers(const struct snapshot_plan *plan, const char *among)
{
	char	   *rows = asked(plan, true);
	char	   *list = sqltext_literal(among != NULL ? among : "{}");
	char	   *sql = mem_format(
		"SELECT array_agg(DISTINCT l.virtualtransaction) FROM pg_locks l"
		" JOIN pg_class c ON c.oid = l.relation"
		" JOIN pg_namespace n ON n.oid = c.relnamespace"
		" JOIN (VALUES %s) a(name, nspname, relname)"
		"  ON a.nspname = n.nspname AND a.relname = c.relname"
		" WHERE l.locktype = 'relation' AND l.granted"
		" AND l.database = (SELECT d.oid FROM pg_database d"
		"  WHERE d.datname = current_database())"
		" AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock',"
		"  'ExclusiveLock', 'AccessExclusiveLock')%s%s%s", rows,
		among != NULL ? " AND l.virtualtransaction = ANY (" : "",
		among != NULL ? list : "", among != NULL ? "::text[])" : "");

	free(list);
	free(rows);
	return sql;
}

/* What it is is asked behind the lock, by the name that was locked. */
char *
snapshot_sql_look(const char *table, bool initial)
{
	char	   *name = sqltext_literal(table);
	char	   *sql = mem_format(
		"SELECT " WHAT_C_IS ", %s FROM pg_class c" KEY_OF_C
		"%s WHERE c.oid = %s::regclass", initial ?
		"c.relfilenode = pg_relation_filenode(c.oid)" :
		"p.xmin, p.xmax, p.running, p.unseen, p.lsn, pg_export_snapshot()",
		initial ? "" : ", wal2kafka.snapshot_point() p", name);

	free(name);
	return sql;
}

char *
snapshot_sql_bounds(const struct snapshot_table *table, const json_t *after,
					int64_t rows, int chunks)
{
	char	   *key = columns(table, "", "");
	/* a cast could be anybody's function; an output function is not */
	char	   *texts = columns(table, "pg_catalog.format('%s', q.", ")");
	char	   *where = range(table, after, NULL);
	char	   *sql = mem_format("SELECT %s FROM (SELECT %s, row_number() OVER"
								 " (ORDER BY %s) AS \"row number\""
								 " FROM ONLY %s WHERE %s ORDER BY %s"
								 " LIMIT %" PRId64 ") q"
								 " WHERE \"row number\" %% %" PRId64 " = 0"
								 " ORDER BY \"row number\"", texts, key, key,
								 table->name, where, key, rows * chunks, rows);

	free(where);
	free(texts);
	free(key);
	return sql;
}

char *
snapshot_sql_copy(const struct snapshot_table *table, const json_t *after,
				  const json_t *upto, lsn_t lsn, uint64_t ordinal,
				  const char *options)
{
	char	   *where = range(table, after, upto);
	char	   *quoted = sqltext_literal(where);
	char	   *name = sqltext_literal(table->name);
	char	   *sql = mem_format("COPY (SELECT wal2kafka.snapshot_frames(%s,"
								 " %s, '" LSN_FORMAT "', %" PRIu64
								 ", VARIADIC %s)) TO STDOUT (FORMAT binary)",
								 name, quoted, LSN_ARGS(lsn), ordinal,
								 options);

	free(name);
	free(quoted);
	free(where);
	return sql;
}

/* The key's columns, quoted, each with that in front and behind. */
static char *
columns(const struct snapshot_table *table, const char *front,
		const char *behind)
{
	char	   *list = mem_strdup("");
	json_t	   *name;
	size_t		i;

	json_array_foreach(table->key, i, name)
	{
		char	   *quoted = names_quote(json_string_value(name));

		list = join(list, mem_format("%s%s%s%s", i > 0 ? ", " : "", front,
									 quoted, behind));
		free(quoted);
	}
	return list;
}

static char *
range(const struct snapshot_table *table, const json_t *after,
	  const json_t *upto)
{
	char	   *where = mem_strdup("true");

	if (after != NULL)
		where = join(where, bound(table, after, ">", ">"));
	if (upto != NULL)
		where = join(where, bound(table, upto, "<", "<="));
	return where;
}

/*
 * The key is beyond those values, column by column, as its index has it.  The
 * operators are those of the index: found by name they might be others, with
 * another order, and rows would be skipped.
 */
static char *
bound(const struct snapshot_table *table, const json_t *values,
	  const char *strict, const char *last)
{
	size_t		count = json_array_size(table->key);

	for (size_t i = 1; i < count; i++)
		if (!json_equal(json_array_get(table->operators, i),
						json_array_get(table->operators, 0)))
			return bound_mixed(table, values, strict, last);
	return bound_row(table, values, last);
}

/* An index is asked for this as it is. */
static char *
bound_row(const struct snapshot_table *table, const json_t *values,
		  const char *operator)
{
	char	   *key = columns(table, "", "");
	char	   *schema = names_quote(json_string_value(
		json_array_get(table->operators, 0)));
	char	   *row = mem_strdup("");
	char	   *text;

	for (size_t i = 0; i < json_array_size(values); i++)
	{
		char	   *value = sqltext_literal(json_string_value(
			json_array_get(values, i)));

		row = join(row, mem_format("%s%s", i > 0 ? ", " : "", value));
		free(value);
	}
	text = mem_format(" AND (%s) OPERATOR(%s.%s) (%s)", key, schema, operator,
					  row);
	free(row);
	free(schema);
	free(key);
	return text;
}

/*
 * A row comparison has one operator name.  The first line of this is what the
 * index can be asked for.
 */
static char *
bound_mixed(const struct snapshot_table *table, const json_t *values,
			const char *strict, const char *last)
{
	size_t		count = json_array_size(table->key);
	char	   *text = mem_strdup("");
	char	   *equal = mem_strdup("");

	for (size_t i = 0; i < count; i++)
	{
		text = join(text, mem_format("%s(%s", i > 0 ? " OR " : "", equal));
		text = join(text, compare(table, values, i, i + 1 < count ? strict :
								  last));
		text = join(text, mem_strdup(")"));
		equal = join(equal, compare(table, values, i, "="));
		equal = join(equal, mem_strdup(" AND "));
	}
	free(equal);
	equal = compare(table, values, 0, *strict == '>' ? ">=" : "<=");
	return join(join(mem_strdup(" AND "), equal),
				join(join(mem_strdup(" AND ("), text), mem_strdup(")")));
}

static char *
compare(const struct snapshot_table *table, const json_t *values, size_t i,
		const char *operator)
{
	char	   *column = names_quote(json_string_value(
		json_array_get(table->key, i)));
	char	   *schema = names_quote(json_string_value(
		json_array_get(table->operators, i)));
	char	   *value = sqltext_literal(json_string_value(
		json_array_get(values, i)));
	char	   *text = mem_format("%s OPERATOR(%s.%s) %s", column, schema,
								  operator, value);

	free(value);
	free(schema);
	free(column);
	return text;
}
