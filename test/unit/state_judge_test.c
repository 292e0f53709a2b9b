/*
 * state_judge_test.c
 *		The state record against what a server says of itself: what is refused,
 *		and what must not be.
 */
#include <stdlib.h>

#include "state_judge.h"
#include "tap.h"

static const struct state stored = {
	.system = "7", .timeline = 2, .slot = "s", .confirmed = 1000,
	.delivered = {900, 3}, .sent = {950, 1},
	.has_fingerprint = true, .fingerprint = 1,
	.program = WAL2KAFKA_VERSION,
};

static const struct standing same = {
	.system = "7", .timeline = 2, .end = 2000, .slot = 1000,
};

static void
judges(const struct standing *now, enum judgement expected, const char *name)
{
	struct judgement_words words;
	enum judgement judgement = state_judge(&stored, now, "topic \"t\"",
										   &words);

	ok(judgement == expected && (judgement == JUDGEMENT_GO ||
								 words.what != NULL) &&
	   (judgement != JUDGEMENT_REFUSE || words.how != NULL), name);
	if (words.what != NULL)
		printf("# %s\n", words.what);
	free(words.what);
	free(words.how);
}

static void
test_slot(void)
{
	struct standing now = same;

	judges(&now, JUDGEMENT_GO, "a slot that stands as it was left");
	now.slot = 500;
	judges(&now, JUDGEMENT_GO, "one that a crash put back");
	now.slot = LSN_INVALID;
	judges(&now, JUDGEMENT_GO, "one that is not there is for others");
	now.slot = 1001;
	judges(&now, JUDGEMENT_REFUSE, "one that stands a byte further");
}

static void
test_server(void)
{
	struct standing now = same;

	now.end = 1000;
	judges(&now, JUDGEMENT_GO, "a log that ends where it was confirmed");
	now.end = 999;
	now.slot = 500;
	judges(&now, JUDGEMENT_REFUSE, "one that ends a byte before");
	now.standby = true;
	judges(&now, JUDGEMENT_WAIT, "a standby's may yet come");
	now = same;
	strcpy(now.system, "8");
	judges(&now, JUDGEMENT_REFUSE, "another server");
}

static void
test_timeline(void)
{
	struct standing now = same;

	now.timeline = 1;
	judges(&now, JUDGEMENT_REFUSE, "an older timeline");
	now.timeline = 3;
	now.slot = 500;
	now.fork = 1500;
	judges(&now, JUDGEMENT_GO, "a newer one that begins behind all");
	now.fork = 951;
	judges(&now, JUDGEMENT_GO, "or between the last record and the end");
	now.end = 960;
	judges(&now, JUDGEMENT_GO, "though its log ends before the confirmation");
	now.slot = 951;
	judges(&now, JUDGEMENT_GO, "with the slot where it begins");
	now.slot = 952;
	judges(&now, JUDGEMENT_REFUSE, "or with one that was made anew on it");
	now.fork = 1500;
	now.slot = 1001;
	judges(&now, JUDGEMENT_REFUSE, "which more than the record promised is");
	now.slot = 500;
	now.fork = 950;
	judges(&now, JUDGEMENT_REFUSE,
		   "one that begins where the last commit does");
	now.fork = 940;
	judges(&now, JUDGEMENT_REFUSE, "one that lacks the last record");
	now.fork = LSN_INVALID;
	judges(&now, JUDGEMENT_REFUSE, "one of another history");
}

static void
judges_options(struct state state, uint64_t fingerprint,
			   enum judgement expected, bool said, const char *name)
{
	struct judgement_words words;

	ok(state_judge_fingerprint(&state, fingerprint, &words) == expected &&
	   (words.what != NULL) == said, name);
	free(words.what);
	free(words.how);
}

static void
test_options(void)
{
	struct state state = stored;

	judges_options(state, 1, JUDGEMENT_GO, false, "the same options");
	judges_options(state, 2, JUDGEMENT_REFUSE, true, "others after a crash");
	state.stopped = true;
	judges_options(state, 2, JUDGEMENT_REFUSE, true,
				   "others inside a transaction");
	state.clean = true;
	judges_options(state, 2, JUDGEMENT_GO, true, "others after a clean stop");
	state = stored;
	strcpy(state.program, "0.0.1");
	judges_options(state, 2, JUDGEMENT_GO, true, "another version");
	state = stored;
	state.has_fingerprint = false;
	judges_options(state, 2, JUDGEMENT_GO, false, "none were known");
}

int
main(void)
{
	test_slot();
	test_server();
	test_timeline();
	test_options();
	return tap_done();
}
