/*
 * retry_test.c
 *		When to try again: delays that grow, and errors that keep coming.
 */
#include "clock.h"
#include "retry.h"
#include "tap.h"

/* Whether the delay just planned lies there; ms. */
static bool
planned(const struct retry *retry, int64_t least, int64_t most)
{
	int64_t		delay = retry->at - clock_ms();

	/* planning took time too */
	return delay >= least - 100 && delay <= most;
}

static void
test_growth(void)
{
	struct retry retry = {0};
	int64_t		expected = 1000;
	bool		grows = true;
	bool		varies = false;
	int64_t		first = 0;

	for (int i = 0; i < 20; i++)
	{
		retry_plan(&retry, 0);
		grows &= planned(&retry, expected * 3 / 4, expected);
		expected = expected * 2 < 60000 ? expected * 2 : 60000;
		if (i == 10)
			first = retry.at - clock_ms();
		varies |= i > 10 && (retry.at - clock_ms()) / 1000 != first / 1000;
	}
	ok(grows, "delays double from 1 s to 60 s, less up to a quarter");
	ok(varies, "by chance");

	retry_opened(&retry, 100);
	retry_steady(&retry, 100);
	retry_plan(&retry, 0);
	ok(planned(&retry, 45000, 60000), "a stream that brings nothing on does "
	   "not start them anew");
	retry_opened(&retry, 100);
	retry_steady(&retry, 101);
	retry_plan(&retry, 0);
	ok(planned(&retry, 750, 1000), "one that does, does");
	retry_plan(&retry, 0);
	retry_opened(&retry, 101);
	retry.opened_at = clock_ms() - 61000;
	retry_steady(&retry, 101);
	retry_plan(&retry, 0);
	ok(planned(&retry, 750, 1000), "so does one that lasts a minute");
}

static void
test_kinds(void)
{
	struct retry retry = {0};

	ok(retry_after(&retry, REACTION_WAIT, 1, true) &&
	   planned(&retry, 10000, 12500), "a server that stops is left for 10 s");
	ok(!retry_after(&retry, REACTION_CONFIG, 1, false),
	   "a login refused at the first start needs a person");
	retry_opened(&retry, 1);
	ok(retry_after(&retry, REACTION_CONFIG, 1, false) &&
	   planned(&retry, 10000, 12500), "later, patience");
	ok(!retry_after(&retry, REACTION_PERSON, 1, false),
	   "no patience with what only a person mends");
}

static void
test_repeats(void)
{
	struct retry retry = {0};
	bool		goes_on = true;

	ok(retry_after(&retry, REACTION_REPEAT, 7, true) &&
	   planned(&retry, 0, 0), "an error in the stream: at once, carefully");
	ok(retry_after(&retry, REACTION_REPEAT, 7, true) &&
	   retry_after(&retry, REACTION_REPEAT, 7, true), "again, twice");
	ok(retry_after(&retry, REACTION_RETRY, 7, false),
	   "a lost link in between does not count");
	ok(!retry_after(&retry, REACTION_REPEAT, 7, true),
	   "the third time at one place needs a person");

	retry = (struct retry) {.careful = true};
	for (int i = 0; i < 10; i++)
		goes_on &= retry_after(&retry, REACTION_REPEAT, (lsn_t) i, true);
	ok(goes_on, "at ten places it does not");
	goes_on = true;
	for (int i = 0; i < 10; i++)
		goes_on &= retry_after(&retry, REACTION_TRANSIENT, 7, true);
	ok(goes_on, "nor what was always seen to pass");

	retry = (struct retry) {.careful = true};
	retry_after(&retry, REACTION_REPEAT, 7, true);
	retry_after(&retry, REACTION_REPEAT, 7, true);
	retry_opened(&retry, 7);
	retry.opened_at = clock_ms() - 61000;
	retry_steady(&retry, 7);
	retry.careful = true;
	ok(retry_after(&retry, REACTION_REPEAT, 7, true),
	   "nor what comes after a steady minute, on a quiet server");
}

int
main(void)
{
	test_growth();
	test_kinds();
	test_repeats();
	return tap_done();
}
