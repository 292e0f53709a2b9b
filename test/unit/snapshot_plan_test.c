/*
 * snapshot_plan_test.c
 *		What a snapshot has to copy, and how far each table is.
 */
#include <stdlib.h>

#include "snapshot_plan.h"
#include "tap.h"

static struct snapshot_plan plan;

static struct position
at(uint64_t ordinal)
{
	return (struct position) {100, ordinal};
}

/* The record as text, when all up to that number is delivered. */
static const char *
record(uint64_t ordinal)
{
	static char text[1000];
	json_t	   *json = snapshot_plan_record(&plan, at(ordinal));
	char	   *dumped = json_dumps(json, JSON_COMPACT);

	snprintf(text, sizeof(text), "%s", dumped != NULL ? dumped : "none");
	free(dumped);
	json_decref(json);
	return text;
}

static void
send_chunk(const char *table, uint64_t last, const char *after, uint64_t rows)
{
	snapshot_plan_sent(&plan, snapshot_plan_find(&plan, table), at(last),
					   after != NULL ? json_pack("[s]", after) : NULL, rows);
}

static void
begin(void)
{
	snapshot_plan_free(&plan);
	snapshot_plan_add(&plan, "a");
	snapshot_plan_add(&plan, "b");
	snapshot_plan_find(&plan, "a")->key = json_pack("[s]", "id");
	snapshot_plan_find(&plan, "b")->key = json_pack("[s]", "id");
	snapshot_plan_find(&plan, "a")->what = strdup("t");
	snapshot_plan_find(&plan, "b")->what = strdup("t");
}

static void
test_order(void)
{
	begin();
	is_text(snapshot_plan_next(&plan, false)->name, "a", "the first comes first");
	send_chunk("a", 9, "10", 10);
	is_text(snapshot_plan_next(&plan, false)->name, "a", "until all of it was sent");
	send_chunk("a", 14, NULL, 5);
	is_text(snapshot_plan_next(&plan, false)->name, "b", "then comes the next");
	ok(!snapshot_plan_add(&plan, "a"), "one on its way is not begun anew");
	snapshot_plan_acked(&plan, at(14));
	ok(snapshot_plan_find(&plan, "a")->state == SNAPSHOT_DONE &&
	   snapshot_plan_find(&plan, "a")->rows == 15, "it is done");
	ok(snapshot_plan_add(&plan, "a"), "one that is done can be wished again");
}

static void
test_record(void)
{
	uint64_t	before = plan.acked_rows;

	begin();
	send_chunk("a", 9, "10", 10);
	send_chunk("a", 19, "20", 10);
	is_text(record(8), "{\"tables\":[{\"name\":\"a\",\"state\":\"copying\","
			"\"rows\":0},{\"name\":\"b\",\"state\":\"waiting\",\"rows\":0}]}",
			"what was sent is not told before it is delivered");
	is_text(record(9), "{\"tables\":[{\"name\":\"a\",\"state\":\"copying\","
			"\"rows\":10,\"key\":[\"id\"],\"table\":\"t\",\"after\":[\"10\"]},"
			"{\"name\":\"b\",\"state\":\"waiting\",\"rows\":0}]}",
			"then it is");
	snapshot_plan_acked(&plan, at(18));
	ok(plan.acked_rows - before == 10, "a chunk counts when its last record arrived");
	send_chunk("a", 21, NULL, 2);
	ok(strstr(record(21), "\"a\",\"state\":\"done\",\"rows\":22}") != NULL,
	   "the last chunk ends the table, in the record to come");
	ok(strstr(record(18), "\"after\":[\"10\"]") != NULL, "and not earlier");
}

static void
test_restart(void)
{
	json_t	   *json;

	begin();
	send_chunk("a", 9, "10", 10);
	send_chunk("a", 19, NULL, 10);
	snapshot_plan_acked(&plan, at(9));
	snapshot_plan_unsent(&plan);
	ok(snapshot_plan_next(&plan, false) == snapshot_plan_find(&plan, "a") &&
	   strcmp(json_string_value(json_array_get(
		   snapshot_plan_next(&plan, false)->sent_after, 0)), "10") == 0,
	   "what was not acknowledged is sent again");
	json = snapshot_plan_record(&plan, at(9));
	snapshot_plan_load(&plan, json);
	json_decref(json);
	ok(plan.count == 2 && snapshot_plan_find(&plan, "a")->rows == 10,
	   "a record is loaded");
	is_text(json_string_value(json_array_get(
		snapshot_plan_find(&plan, "a")->sent_after, 0)), "10",
			"and goes on where it was");
}

/* Chunks of a table that was given up say nothing of its next copy. */
static void
test_again(void)
{
	begin();
	send_chunk("a", 9, "10", 10);
	snapshot_plan_end(&plan, snapshot_plan_find(&plan, "a"),
					  SNAPSHOT_CANCELLED, NULL);
	ok(snapshot_plan_next(&plan, false) == snapshot_plan_find(&plan, "b"),
	   "what was cancelled is left out");
	snapshot_plan_add(&plan, "a");
	snapshot_plan_acked(&plan, at(9));
	ok(snapshot_plan_find(&plan, "a")->after == NULL &&
	   snapshot_plan_find(&plan, "a")->rows == 0,
	   "a chunk of before is not one of now");
	snapshot_plan_free(&plan);
	ok(snapshot_plan_record(&plan, at(0)) == NULL, "nothing is no record");
}

/* Whoever may write the topic may write anything. */
static void
test_garbage(void)
{
	static const char *const texts[] = {
		"{}", "[]", "7", "{\"tables\":7}", "{\"tables\":[7,{},{\"name\":7}]}",
		"{\"tables\":[{\"name\":\"a\",\"state\":\"odd\",\"rows\":\"x\","
		"\"after\":{},\"error\":7}]}",
		"{\"tables\":[{\"name\":\"a\",\"state\":\"copying\",\"after\":[7]}]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		json_t	   *json = json_loads(texts[i], 0, NULL);

		snapshot_plan_load(&plan, json);
		json_decref(json);
		ok(plan.count <= 1 && (plan.count == 0 ||
							   plan.tables[0].after == NULL), texts[i]);
	}
	snapshot_plan_free(&plan);
}

int
main(void)
{
	test_order();
	test_record();
	test_restart();
	test_again();
	test_garbage();
	return tap_done();
}
