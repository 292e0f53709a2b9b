/*
 * feedback.c
 *		When the server is told how far everything is delivered.
 */
#include "feedback.h"

#include "clock.h"

#define STATUS_MS			1000
#define STATUS_MOVED_MS		100	/* while deliveries are outstanding */
#define STATUS_IDLE_MS		1	/* when the last one has come */
#define QUESTIONS_MAX		100 /* in a second: the server is stopping */

int64_t
feedback_due(const struct feedback *feedback, lsn_t confirmable, bool idle)
{
	if (feedback->wanted)
		return 0;
	if (confirmable == feedback->confirmed)
		return feedback->at + feedback->interval;
	return feedback->at + (idle ? STATUS_IDLE_MS : STATUS_MOVED_MS);
}

void
feedback_sent(struct feedback *feedback, lsn_t confirmed)
{
	feedback->wanted = false;
	feedback->confirmed = confirmed;
	feedback->at = clock_ms();
}

void
feedback_restart(struct feedback *feedback, int patience)
{
	feedback->interval = STATUS_MS;
	if (patience > 0 && patience / 4 < STATUS_MS)
		feedback->interval = patience / 4 + 1;
	feedback->at = 0;
	feedback->wanted = false;
	feedback->questions = 0;
}

bool
feedback_asked(struct feedback *feedback)
{
	int64_t		now = clock_ms();

	feedback->wanted = true;
	if (feedback->questions == 0 || now - feedback->questions_from > 1000)
	{
		feedback->questions = 0;
		feedback->questions_from = now;
	}
	return ++feedback->questions >= QUESTIONS_MAX;
}
