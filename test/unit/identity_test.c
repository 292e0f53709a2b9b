/*
 * identity_test.c
 *		Where a history file says that timelines end, and how often a server
 *		that is impatient hears of us.
 */
#include "feedback.h"
#include "identity.h"
#include "tap.h"

static const char history[] =
"1\t0/3000060\tno recovery target specified\n"
"\n"
"2\t16/B374D848\tbefore 2026-11-21 08:00:00+00\n"
"12\t16/C0000000\tat restore point \"3\t0/1\"\n";

static void
test_history(void)
{
	ok(identity_left_at(history, 1) == 0x3000060, "the first timeline's end");
	ok(identity_left_at(history, 2) == UINT64_C(0x16B374D848),
	   "the second's, above 32 bits");
	ok(identity_left_at(history, 12) == UINT64_C(0x16C0000000),
	   "a number of two digits");
	ok(identity_left_at(history, 3) == LSN_INVALID,
	   "a reason is no timeline, nor is one that is not there");
	ok(identity_left_at("", 1) == LSN_INVALID, "an empty file");
	ok(identity_left_at("1\t0/0300006", 1) == 0x300006,
	   "a line without an end, with zeros in front");
	ok(identity_left_at("1\tx\n1\t0/5\n", 1) == 5, "a line that is none");
}

static void
test_interval(void)
{
	struct feedback feedback = {.confirmed = 1};

	feedback_restart(&feedback, 60000);
	feedback_sent(&feedback, 7);
	ok(feedback_due(&feedback, 7, true) == feedback.at + 1000,
	   "a patient server hears of us once a second");
	feedback_restart(&feedback, 0);
	feedback_sent(&feedback, 7);
	ok(feedback_due(&feedback, 7, true) == feedback.at + 1000,
	   "so does one of endless patience");
	feedback_restart(&feedback, 1000);
	feedback_sent(&feedback, 7);
	ok(feedback_due(&feedback, 7, true) <= feedback.at + 300,
	   "one that waits a second hears of us thrice in it");
}

int
main(void)
{
	test_history();
	test_interval();
	return tap_done();
}
