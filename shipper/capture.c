/*
 * capture.c
 *		The tables that are captured now, and where their records go.
 */
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "publication.h"
#include "resolve.h"

/* $1: names of the publications, or NULL for every table */
static const char members_sql[] =
"WITH member AS ("
" SELECT c.oid, NOT bool_or(p.pubviaroot) AS inherit,"
"  bool_or(p.pubupdate OR p.pubdelete) AS changes,"
"  min(t.attnames) AS columns"
"  FROM pg_publication_tables t"
"  JOIN pg_publication p ON p.pubname = t.pubname"
"  JOIN pg_namespace n ON n.nspname = t.schemaname"
"  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename"
"  WHERE t.pubname = ANY ($1::text[]) GROUP BY c.oid"
" UNION ALL"
" SELECT c.oid, true, true, NULL::name[] FROM pg_class c"
"  JOIN pg_namespace n ON n.oid = c.relnamespace"
"  WHERE $1::text[] IS NULL AND c.relkind = 'r'"
"  AND pg_relation_is_publishable(c.oid)"
"  AND n.nspname NOT IN ('wal2kafka', 'information_schema')"
") SELECT m.oid, n.nspname, c.relname,"
" format('%I.%I', n.nspname, c.relname), c.relreplident = 'f',"
" CASE WHEN i.listed THEN i.names END, c.relreplident = 'i',"
" (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)"
"  FROM pg_attribute a WHERE a.attrelid = m.oid AND a.attnum > 0"
"  AND NOT a.attisdropped AND a.attgenerated = ''"
"  AND a.attstorage IN ('x', 'e') AND c.relreplident <> 'f' AND m.changes"
"  AND (m.columns IS NULL OR a.attname = ANY (m.columns))"
"  AND NOT (a.atttypid IN (1042, 1043) AND a.atttypmod BETWEEN 1 AND 260)"
"  AND a.attnum <> ALL (coalesce(i.numbers, '{}'))),"
" (SELECT format('%I.%I', sn.nspname, sc.relname) FROM pg_class sc"
"  JOIN pg_namespace sn ON sn.oid = sc.relnamespace"
"  WHERE sc.oid = s.relid AND s.relid <> m.oid),"
" (SELECT l.label FROM pg_seclabel l WHERE l.objoid = s.relid"
"  AND l.classoid = 'pg_class'::regclass AND l.objsubid = 0"
"  AND l.provider = 'wal2kafka'),"
" (SELECT string_agg(quote_ident(a.attname), ','"
"   ORDER BY substring(l.label FROM '^key=([1-9][0-9]{0,3})$')::int)"
"  FROM pg_seclabel l JOIN pg_attribute a ON a.attrelid = l.objoid"
"   AND a.attnum = l.objsubid WHERE l.objoid = s.relid"
"  AND l.classoid = 'pg_class'::regclass AND l.objsubid > 0"
"  AND l.provider = 'wal2kafka'),"
" concat_ws(',', m.oid, (SELECT string_agg(a.relid::oid::text, ','"
"   ORDER BY a.step)"
"  FROM pg_partition_ancestors(m.oid) WITH ORDINALITY AS a(relid, step)"
"  WHERE m.inherit AND a.relid <> m.oid)),"
" m.changes, (SELECT string_agg(quote_ident(name), ',')"
"  FROM unnest(m.columns) name),"
" m.changes AND m.columns IS NOT NULL AND CASE c.relreplident WHEN 'f' THEN"
"   EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = m.oid"
"   AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
"   AND a.attname <> ALL (m.columns))"
"  ELSE NOT i.listed END"
" FROM member m JOIN pg_class c ON c.oid = m.oid"
" JOIN pg_namespace n ON n.oid = c.relnamespace"
" LEFT JOIN LATERAL ("		/* columns of the identity, or primary key */
"  SELECT string_agg(quote_ident(a.attname), ',' ORDER BY k.step) AS names,"
"  array_agg(a.attnum) AS numbers,"
"  bool_and(m.columns IS NULL OR a.attname = ANY (m.columns)) AS listed"
"  FROM pg_index x,"
"  unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, step),"
"  pg_attribute a"
"  WHERE x.indrelid = m.oid AND x.indimmediate AND x.indisvalid"
"  AND k.step <= x.indnkeyatts"
"  AND a.attrelid = m.oid AND a.attnum = k.attnum"
"  AND CASE c.relreplident WHEN 'd' THEN x.indisprimary"
"   WHEN 'f' THEN x.indisprimary WHEN 'i' THEN x.indisreplident"
"   ELSE false END) i ON true"
" LEFT JOIN LATERAL ("		/* the nearest that has any label */
"  SELECT l.relid FROM (SELECT m.oid AS relid, 0::int8 AS step"
"   UNION ALL SELECT a.relid, a.step"
"   FROM pg_partition_ancestors(m.oid) WITH ORDINALITY AS a(relid, step)"
"   WHERE m.inherit AND a.relid <> m.oid) l"
"  WHERE EXISTS (SELECT FROM pg_seclabel y WHERE y.objoid = l.relid"
"   AND y.classoid = 'pg_class'::regclass AND y.provider = 'wal2kafka')"
"  ORDER BY l.step LIMIT 1) s ON true"
" WHERE NOT EXISTS (SELECT FROM pg_partition_ancestors(m.oid) a"
"  WHERE a.relid <> m.oid AND a.relid IN (SELECT o.oid FROM member o))"
" ORDER BY 2, 3";

enum member_column
{
	M_OID,
	M_SCHEMA,
	M_NAME,
	M_SHOWN,
	M_FULL,
	M_IDENTITY,
	M_BY_INDEX,
	M_TOAST,
	M_LABELLED,					/* the ancestor whose labels they are */
	M_TOPIC_LABEL,
	M_KEY_LABELS,
	M_LINEAGE,
	M_CHANGES,
	M_COLUMNS,
	M_UNLISTED,
};

static char *
label_source(const struct rows *rows, int row)
{
	if (rows_null(rows, row, M_LABELLED))
		return mem_strdup("label");
	return mem_format("label of %s", rows_text(rows, row, M_LABELLED));
}

static void
take_topic(const struct config *cfg, const struct rows *rows, int row,
		   struct report *report, struct captured *table)
{
	const char *label = rows_text(rows, row, M_TOPIC_LABEL);

	topic_name_default(table->topic, cfg->topic_prefix,
					   rows_text(rows, row, M_SCHEMA),
					   rows_text(rows, row, M_NAME));
	if (*label == '\0')
	{
		table->topic_from = mem_strdup("default");
		return;
	}
	table->topic_from = label_source(rows, row);
	if (strncmp(label, "topic=", 6) == 0 && topic_name_is_legal(label + 6))
		strcpy(table->topic, label + 6);
	else
	{
		report_problem(report, "table %s: the security label \"%s\" names "
					   "no topic", table->shown, label);
		report_remedy(report, "SELECT wal2kafka.set_route('%s', topic => "
					  "'NAME');", table->shown);
	}
}

static void
take_key(const struct rows *rows, int row, struct captured *table)
{
	const char *labels = rows_text(rows, row, M_KEY_LABELS);
	const char *identity = rows_text(rows, row, M_IDENTITY);

	names_parse(&table->identity, identity, ',');
	if (*labels != '\0')
	{
		names_parse(&table->key, labels, ',');
		table->key_from = label_source(rows, row);
		return;
	}
	names_parse(&table->key, identity, ',');
	table->key_from = mem_strdup(*identity == '\0' ? "none" :
								 rows_bool(rows, row, M_BY_INDEX) ?
								 "replica identity" : "primary key");
}

static void
take_member(const struct config *cfg, const struct rows *rows, int row,
			struct report *report, struct captured *table)
{
	memset(table, 0, sizeof(*table));
	table->oid = mem_strdup(rows_text(rows, row, M_OID));
	table->shown = mem_strdup(rows_text(rows, row, M_SHOWN));
	table->full = rows_bool(rows, row, M_FULL);
	table->changes = rows_bool(rows, row, M_CHANGES);
	table->unlisted = rows_bool(rows, row, M_UNLISTED);
	names_parse(&table->columns, rows_text(rows, row, M_COLUMNS), ',');
	table->toast = mem_strdup(rows_text(rows, row, M_TOAST));
	take_topic(cfg, rows, row, report, table);
	take_key(rows, row, table);
}

/* Whether "oid" is in a list such as 16385,16390, and how early. */
static size_t
lineage_step(const char *lineage, const char *oid)
{
	size_t		step = 0;
	size_t		len;

	for (;; lineage += len + 1)
	{
		len = strcspn(lineage, ",");
		if (strlen(oid) == len && strncmp(lineage, oid, len) == 0)
			return step;
		if (lineage[len] == '\0')
			return SIZE_MAX;
		step++;
	}
}

/* The route of the table itself, else of its nearest ancestor. */
static void
apply_routes(struct resolved *routes, size_t count, const char *lineage,
			 struct captured *table)
{
	struct resolved *nearest = NULL;
	size_t		least = SIZE_MAX;

	for (size_t i = 0; i < count; i++)
	{
		size_t		step = routes[i].oid == NULL ? SIZE_MAX :
			lineage_step(lineage, routes[i].oid);

		if (step < least)
		{
			least = step;
			nearest = &routes[i];
		}
	}
	if (nearest == NULL)
		return;
	nearest->used = true;
	if (nearest->topic != NULL)
	{
		strcpy(table->topic, nearest->topic);
		free(table->topic_from);
		table->topic_from = mem_strdup("config");
	}
	if (nearest->key.count > 0)
	{
		char	   *key = names_join(&nearest->key, ",");

		names_free(&table->key);
		names_parse(&table->key, key, ',');
		free(key);
		free(table->key_from);
		table->key_from = mem_strdup("config");
	}
}

/* Finds the tables of all routes; what is not found is reported. */
static struct resolved *
read_routes(struct server *server, const struct config *cfg,
			struct report *report)
{
	struct resolved *routes = mem_zalloc((cfg->route_count + 1) *
										 sizeof(struct resolved));

	for (size_t i = 0; i < cfg->route_count; i++)
	{
		char	   *error;
		char	   *remedy;

		if (!resolve_route(server, &cfg->routes[i], &routes[i], &error,
						   &remedy))
		{
			report_problem(report, "%s", error);
			report_remedy(report, "%s", remedy);
			free(error);
			free(remedy);
			continue;
		}
		for (size_t j = 0; j < i; j++)
			if (routes[j].oid && strcmp(routes[j].oid, routes[i].oid) == 0)
			{
				report_problem(report, "[route %s]: another route names the "
							   "same table", cfg->routes[i].table);
				report_remedy(report, "Keep one of them in the config.");
			}
	}
	return routes;
}

/* "a\"b": array syntax escapes with backslashes */
static char *
array_element(const char *name)
{
	char	   *element = mem_alloc(2 * strlen(name) + 3);
	size_t		len = 0;

	element[len++] = '"';
	for (; *name != '\0'; name++)
	{
		if (*name == '"' || *name == '\\')
			element[len++] = '\\';
		element[len++] = *name;
	}
	element[len++] = '"';
	element[len] = '\0';
	return element;
}

/* {"a","b"} for $1, or NULL for every table */
static char *
publication_array(const struct config *cfg)
{
	struct names names;
	char	   *array;

	publication_names(cfg, &names);
	if (names.count == 0)
		return NULL;
	array = mem_strdup("{");
	for (size_t i = 0; i < names.count; i++)
	{
		char	   *element = array_element(names.name[i]);
		char	   *longer = mem_format("%s%s%c", array, element,
										i + 1 < names.count ? ',' : '}');

		free(element);
		free(array);
		array = longer;
	}
	names_free(&names);
	return array;
}

bool
capture_read(struct server *server, const struct config *cfg,
			 struct report *report, struct capture *capture)
{
	char	   *publications = publication_array(cfg);
	const char *params[] = {publications};
	struct rows *rows = server_query(server, members_sql, 1, params);
	struct resolved *routes;

	free(publications);
	memset(capture, 0, sizeof(*capture));
	if (rows == NULL)
	{
		report_problem(report, "could not read which tables are captured: %s",
					   server_error(server));
		return false;
	}
	routes = read_routes(server, cfg, report);
	capture->count = (size_t) rows_count(rows);
	capture->table = mem_zalloc((capture->count + 1) *
								sizeof(struct captured));
	for (size_t i = 0; i < capture->count; i++)
	{
		take_member(cfg, rows, (int) i, report, &capture->table[i]);
		apply_routes(routes, cfg->route_count,
					 rows_text(rows, (int) i, M_LINEAGE), &capture->table[i]);
	}
	for (size_t i = 0; i < cfg->route_count; i++)
	{
		if (routes[i].oid != NULL && !routes[i].used)
		{
			report_warning(report, "[route %s]: no captured table uses it",
						   cfg->routes[i].table);
			report_remedy(report, "Add the table to the publication, or "
						  "remove the route.");
		}
		resolve_free(&routes[i]);
	}
	free(routes);
	rows_free(rows);
	return true;
}

void
capture_free(struct capture *capture)
{
	for (size_t i = 0; i < capture->count; i++)
	{
		struct captured *table = &capture->table[i];

		free(table->oid);
		free(table->shown);
		free(table->topic_from);
		free(table->key_from);
		free(table->toast);
		names_free(&table->key);
		names_free(&table->identity);
		names_free(&table->columns);
	}
	free(capture->table);
	memset(capture, 0, sizeof(*capture));
}

bool
captured_key_is_kept(const struct captured *table)
{
	if (table->full || !table->changes)
		return true;
	for (size_t i = 0; i < table->key.count; i++)
		if (names_index(&table->identity, table->key.name[i]) < 0)
			return false;
	return true;
}

bool
captured_key_is_published(const struct captured *table)
{
	for (size_t i = 0; table->columns.count > 0 && i < table->key.count; i++)
		if (names_index(&table->columns, table->key.name[i]) < 0)
			return false;
	return true;
}
