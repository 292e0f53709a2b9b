/*
 * sight_test.c
 *		Which transactions a database snapshot sees.
 */
#include <stdlib.h>

#include "sight.h"
#include "tap.h"

static struct sight_sent sent;

static bool
refuses(const char *xmin, const char *xmax, const char *running)
{
	struct sight sight;

	return !sight_parse(&sight, xmin, xmax, running, "{}") &&
		!sight_parse(&sight, "7", "7", "{}", running[0] == '{' &&
					 running[1] == '}' ? "" : running) &&
		sight.running.xids == NULL && sight.unseen.xids == NULL;
}

static void
test_sees(void)
{
	struct sight sight;

	ok(sight_parse(&sight, "100", "110", "{101,105}", "{}") && sight.running.count == 2,
	   "a snapshot is read");
	ok(sight_sees(&sight, 99), "what ended before it is seen");
	ok(sight_sees(&sight, 100) && sight_sees(&sight, 104),
	   "so is what ended while others ran");
	ok(!sight_sees(&sight, 101) && !sight_sees(&sight, 105),
	   "what runs is not");
	ok(!sight_sees(&sight, 110) && !sight_sees(&sight, 5000),
	   "nor what began later");
	ok(sight_sees(&sight, 0), "what has no id is");
	sight_free(&sight);

	ok(sight_parse(&sight, "4294967290", "10", "{4294967295,5}", "{}"),
	   "ids may have begun anew");
	ok(sight_sees(&sight, 4294967289) && sight_sees(&sight, 4294967294) &&
	   sight_sees(&sight, 4), "older ones are seen across that");
	ok(!sight_sees(&sight, 4294967295) && !sight_sees(&sight, 5) &&
	   !sight_sees(&sight, 10) && !sight_sees(&sight, 11),
	   "and newer ones are not");
	sight_free(&sight);

	ok(sight_parse(&sight, "7", "7", "{}", "{}") && sight.running.count == 0,
	   "nobody may run");
	sight_free(&sight);
	ok(refuses("", "7", "{}") && refuses("7", "x", "{}") &&
	   refuses("7", "7", "{") && refuses("7", "7", "{1 2}") &&
	   refuses("7", "7", "{1,}") && refuses("7", "7", "") &&
	   refuses("7", "4294967296", "{}") && refuses("-7", "7", "{}"),
	   "what is none is refused");
}

static void
test_sent(void)
{
	struct sight sight;

	sight_parse(&sight, "100", "110", "{101}", "{}");
	ok(sight_sees_sent(&sight, &sent), "when nothing was sent, all is seen");
	sight_note(&sent, 90);
	sight_note(&sent, 109);
	ok(sight_sees_sent(&sight, &sent), "two were, and are seen");
	sight_note(&sent, 101);
	ok(!sight_sees_sent(&sight, &sent), "one was that still runs");
	sight_free(&sight);

	sight_parse(&sight, "102", "110", "{}", "{}");
	ok(sight_sees_sent(&sight, &sent), "it has ended");
	for (int i = 0; i < SIGHT_SENT - 1; i++)
		sight_note(&sent, 50 + (uint32_t) (i & 1));
	sight_note(&sent, 110);
	for (int i = 0; i < SIGHT_SENT - 1; i++)
		sight_note(&sent, 50 + (uint32_t) (i & 1));
	ok(!sight_sees_sent(&sight, &sent),
	   "the oldest that is remembered counts");
	sight_free(&sight);
}

static void
test_stuck(void)
{
	struct sight first;
	struct sight second;
	struct sight third;

	sight_parse(&first, "100", "110", "{101,102}", "{101,112}");
	sight_parse(&second, "101", "120", "{101,119}", "{101,121}");
	sight_parse(&third, "119", "130", "{119}", "{121}");
	ok(sight_is_stuck(&second, &first), "one was committed and unseen twice");
	ok(sight_is_stuck(&third, &second), "one that began later too");
	ok(!sight_is_stuck(&third, &first), "different ones are only slow");
	sight_free(&first);
	sight_free(&second);
	sight_free(&third);
}

int
main(void)
{
	test_stuck();
	test_sees();
	test_sent();
	return tap_done();
}
