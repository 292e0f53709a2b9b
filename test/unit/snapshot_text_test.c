/*
 * snapshot_text_test.c
 *		How far a snapshot is, in words; also of a shipper that answers
 *		nonsense.  Prints TAP.
 */
#include <stdlib.h>
#include <string.h>

#include "snapshot_text.h"
#include "tap.h"

static json_t *
parse(const char *text)
{
	json_t	   *snapshot = json_loads(text, JSON_DECODE_ANY, NULL);

	if (snapshot == NULL)
		abort();
	return snapshot;
}

static void
line_is(const char *text, const char *wanted)
{
	json_t	   *snapshot = parse(text);
	char	   *line = snapshot_text_line(snapshot);

	is_text(line, wanted, *wanted != '\0' ? wanted : "nothing to say");
	free(line);
	json_decref(snapshot);
}

static void
bar_is(const char *text, int columns, const char *wanted, const char *what)
{
	json_t	   *snapshot = parse(text);
	char	   *bar = snapshot_text_bar(snapshot, columns);

	is_text(bar, wanted, what);
	free(bar);
	json_decref(snapshot);
}

static void
tables_are(const char *text, bool all, const char *wanted, const char *what)
{
	json_t	   *snapshot = parse(text);
	char	   *shown = NULL;
	size_t		size;
	FILE	   *to = open_memstream(&shown, &size);

	snapshot_text_tables(to, snapshot, all);
	fclose(to);
	is_text(shown, wanted, what);
	free(shown);
	json_decref(snapshot);
}

static void
test_line(void)
{
	line_is("{\"state\":\"none\",\"rows\":0}", "none");
	line_is("{\"state\":\"running\",\"rows\":450,\"estimate\":1000,"
			"\"rate\":20,\"seconds_left\":28}",
			"running: 45 %, 450 of about 1000 rows, 20 rows/s, 28 s left");
	line_is("{\"state\":\"running\",\"rows\":5000,\"estimate\":1000,"
			"\"rate\":20,\"seconds_left\":null}",
			"running: 99 %, 5000 of about 1000 rows, 20 rows/s");
	line_is("{\"state\":\"running\",\"rows\":7,\"estimate\":0,\"rate\":0,"
			"\"seconds_left\":0}", "running: 7 rows, 0 rows/s, 0 s left");
	line_is("{\"state\":\"paused\",\"rows\":1,\"estimate\":4,\"rate\":9,"
			"\"seconds_left\":9}", "paused: 25 %, 1 of about 4 rows");
	line_is("{\"state\":\"done\",\"rows\":5,\"estimate\":4}", "done: 5 rows");
	line_is("{\"state\":\"running\",\"rows\":1,\"estimate\":2,"
			"\"seconds_left\":1000}",
			"running: 50 %, 1 of about 2 rows, 17 min left");
	line_is("{\"state\":\"running\",\"rows\":1,\"estimate\":2,"
			"\"seconds_left\":7260}",
			"running: 50 %, 1 of about 2 rows, 2 h 1 min left");
}

static void
test_nonsense(void)
{
	line_is("{}", "");
	line_is("[]", "");
	line_is("{\"state\":1}", "");
	line_is("{\"state\":\"running\"}", "running: 0 rows");
	line_is("{\"state\":\"running\",\"rows\":-1,\"estimate\":1e300,"
			"\"rate\":\"x\",\"seconds_left\":-5}", "running: 0 rows");
}

static void
test_bar(void)
{
	static const char half[] =
	"{\"state\":\"running\",\"rows\":1,\"estimate\":2}";

	bar_is(half, 80, "[#####.....] running: 50 %, 1 of about 2 rows",
		   "a bar");
	bar_is(half, 120, "[###############...............] running: 50 %, "
		   "1 of about 2 rows", "a wide one");
	bar_is(half, 40, "running: 50 %, 1 of about 2 rows", "no room for it");
	bar_is(half, 10, "running: ", "nor for the rest");
	bar_is("{\"state\":\"running\",\"rows\":1}", 80, "running: 1 row",
		   "no estimate");
}

static void
test_tables(void)
{
	static const char some[] =
	"{\"tables\":[{\"name\":\"a\",\"state\":\"waiting\",\"estimate\":7},"
	"{\"name\":\"b\",\"state\":\"copying\",\"rows\":1,\"estimate\":2},"
	"{\"name\":\"c\",\"state\":\"done\",\"rows\":1,\"estimate\":2},"
	"{\"name\":\"d\\n\\u001b\",\"state\":\"failed\",\"error\":\"e\\r\"},"
	"{\"name\":\"*\",\"state\":\"waiting\",\"estimate\":null},"
	"{\"state\":\"copying\"}, 1]}";

	tables_are(some, true, "  a: waiting, about 7 rows\n"
			   "  b: copying, 50 %, 1 of about 2 rows\n"
			   "  c: done, 1 row\n"
			   "  d\\x0a\\x1b: failed, 0 rows: e\\x0d\n"
			   "  all that are captured: waiting\n", "every table");
	tables_are(some, false, "  b: copying, 50 %, 1 of about 2 rows\n"
			   "  d\\x0a\\x1b: failed, 0 rows: e\\x0d\n",
			   "those that are copied or failed");
	tables_are("{\"tables\":{}}", true, "", "no list of them");
}

int
main(void)
{
	test_line();
	test_nonsense();
	test_bar();
	test_tables();
	return tap_done();
}
