/*
 * snapshot_tables.c
 *		What the server says of the tables to be copied, taken into the plan.
 */
#include "snapshot_state.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "snapshot_sql.h"

static void take_row(struct snapshot_plan *plan, const PGresult *answer,
					 int row);
static void describe(struct snapshot_plan *plan, struct snapshot_table *table,
					 const PGresult *answer, int row);
static json_t *parse_names(const char *text);
static void remove_parents(struct snapshot_plan *plan);

void
snapshot_take_tables(struct snapshot_plan *plan, const PGresult *answer)
{
	for (int row = 0; row < PQntuples(answer); row++)
		take_row(plan, answer, row);
	remove_parents(plan);
}

static void
take_row(struct snapshot_plan *plan, const PGresult *answer, int row)
{
	const char *asked = PQgetvalue(answer, row, SNAPSHOT_ASKED);
	const char *name = PQgetvalue(answer, row, SNAPSHOT_NAME);
	struct snapshot_table *table = snapshot_plan_find(plan, asked);

	if (PQgetisnull(answer, row, SNAPSHOT_NAME))
	{
		if (table == NULL)
			return;
		log_error("snapshot: there is no table %s", asked);
		snapshot_plan_end(plan, table, SNAPSHOT_FAILED,
						  "there is no such table");
		return;
	}
	if (strcmp(asked, name) != 0)
		snapshot_plan_add(plan, name);
	describe(plan, snapshot_plan_find(plan, name), answer, row);
}

static void
describe(struct snapshot_plan *plan, struct snapshot_table *table,
		 const PGresult *answer, int row)
{
	json_t	   *key = parse_names(PQgetvalue(answer, row, SNAPSHOT_KEY));

	const char *what = PQgetvalue(answer, row, SNAPSHOT_WHAT);

	if (table->after != NULL &&
		(table->what == NULL || strcmp(what, table->what) != 0))
	{
		log_warning("snapshot: table %s is another one now, or has another "
					"key: it is copied from its beginning", table->name);
		snapshot_plan_rewind(plan, table);
	}
	free(table->what);
	table->what = mem_strdup(what);
	json_decref(table->key);
	json_decref(table->operators);
	table->key = key;
	table->operators = parse_names(PQgetvalue(answer, row,
											  SNAPSHOT_OPERATORS));
	table->estimate = atoll(PQgetvalue(answer, row, SNAPSHOT_ESTIMATE));
	table->width = atoll(PQgetvalue(answer, row, SNAPSHOT_WIDTH));
	table->known = true;
	if (*PQgetvalue(answer, row, SNAPSHOT_KIND) == 'r')
		return;
	log_error("snapshot: %s is no table", table->name);
	log_hint("Views, foreign tables and the like have no changes in the "
			 "stream either.");
	snapshot_plan_end(plan, table, SNAPSHOT_FAILED, "it is no table");
}

/* NULL unless it is an array of texts. */
static json_t *
parse_names(const char *text)
{
	json_t	   *names = json_loads(text, 0, NULL);
	json_t	   *name;
	size_t		i;

	if (names != NULL && !json_is_array(names))
	{
		json_decref(names);
		return NULL;
	}
	json_array_foreach(names, i, name)
		if (!json_is_string(name))
		{
			json_decref(names);
			return NULL;
		}
	return names;
}

/* What others stand for now, or nothing: a partitioned table without any. */
static void
remove_parents(struct snapshot_plan *plan)
{
	for (size_t i = plan->count; i-- > 0;)
	{
		struct snapshot_table *table = &plan->tables[i];

		if (table->state <= SNAPSHOT_COPYING && !table->known)
			snapshot_plan_remove(plan, table);
	}
}
