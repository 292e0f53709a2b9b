/*
 * ledger_test.c
 *		What may be confirmed, and when memory is let go.
 */
#include <stdlib.h>

#include "ledger.h"
#include "tap.h"

#define MODEL_FRAMES	300
#define MODEL_ROUNDS	200

static unsigned freed;

static void
count_free(void *buffer)
{
	freed++;
	free(buffer);
}

static struct ledger_entry *
add(struct ledger *ledger, uint32_t records, lsn_t safe)
{
	struct position last = {safe, records};

	return ledger_add(ledger, malloc(10), 10, records, safe, last);
}

static void
test_order(void)
{
	struct ledger ledger;
	struct ledger_entry *first;
	struct ledger_entry *second;
	struct ledger_entry *third;

	freed = 0;
	ledger_init(&ledger, count_free);
	ok(ledger_is_empty(&ledger) && ledger.confirmable == LSN_INVALID,
	   "a new ledger is empty and confirms nothing");

	first = add(&ledger, 2, 100);
	second = add(&ledger, 1, 200);
	third = add(&ledger, 0, 300);
	ok(third != NULL && ledger.size == 30 && ledger.outstanding == 3,
	   "three frames are held");

	ledger_ack(&ledger, second, 1);
	ok(ledger.confirmable == LSN_INVALID && freed == 0,
	   "an acknowledgement behind a gap confirms nothing");
	ledger_ack(&ledger, first, 1);
	ok(ledger.confirmable == LSN_INVALID, "half a frame confirms nothing");
	ledger_ack(&ledger, first, 1);
	ok(ledger.confirmable == 300 && freed == 3 && ledger_is_empty(&ledger),
	   "the gap closed: all are confirmed, the empty one behind them too");
	ok(ledger.acked.commit == 200 && ledger.acked.ordinal == 1,
	   "the last record acknowledged is that of the last frame with records");
	ok(ledger.size == 0 && ledger.outstanding == 0, "nothing is counted");
}

static void
test_empty_frames(void)
{
	struct ledger ledger;
	struct ledger_entry *entry;

	freed = 0;
	ledger_init(&ledger, count_free);
	ok(add(&ledger, 0, 50) == NULL && ledger.confirmable == 50 && freed == 1,
	   "a frame without records is confirmed at once when nothing waits");
	ok(ledger.acked.commit == LSN_INVALID, "and acknowledges no record");
	entry = add(&ledger, 1, 60);
	add(&ledger, 0, 70);
	ok(ledger.confirmable == 50, "behind one that waits it waits too");
	ledger_ack(&ledger, entry, 1);
	ok(ledger.confirmable == 70, "and follows it");
}

static void
test_never_back(void)
{
	struct ledger ledger;

	ledger_init(&ledger, count_free);
	ledger_ack(&ledger, add(&ledger, 1, 500), 1);
	ledger_ack(&ledger, add(&ledger, 1, 400), 1);
	ok(ledger.confirmable == 500, "a lower safe LSN moves nothing back");
	ok(ledger.acked.commit == 500, "nor does a repeated record");
	add(&ledger, 1, 600);
	freed = 0;
	ledger_reset(&ledger);
	ok(freed == 1 && ledger_is_empty(&ledger) && ledger.size == 0 &&
	   ledger.outstanding == 0, "a reset frees what was in flight");
	ok(ledger.confirmable == 500 && ledger.acked.commit == 500,
	   "and keeps what was reached");
	ledger_cut(&ledger, 450);
	ok(ledger.confirmable == 450 && ledger.acked.commit == 500,
	   "a cut moves back what is confirmable alone");
	ledger_cut(&ledger, 460);
	ok(ledger.confirmable == 450, "and never forward");
}

static void
test_copies(void)
{
	struct ledger ledger;
	struct ledger_entry *entry;

	ledger_init(&ledger, count_free);
	entry = add(&ledger, 1, 10);
	ledger_expect(&ledger, entry, 5);
	ok(ledger.outstanding == 6, "a record for six partitions is six");
	ledger_ack(&ledger, entry, 5);
	ok(ledger.confirmable == LSN_INVALID, "five of six are not enough");
	ledger_ack(&ledger, entry, 1);
	ok(ledger.confirmable == 10, "six are");
}

static void
test_position(void)
{
	struct position a = {100, 5};

	ok(position_is_after(a, (struct position) {100, 4}) &&
	   position_is_after(a, (struct position) {99, 9}) &&
	   position_is_after(a, (struct position) {LSN_INVALID, 0}),
	   "after an earlier ordinal, an earlier transaction, nothing");
	ok(!position_is_after(a, a) &&
	   !position_is_after(a, (struct position) {100, 6}) &&
	   !position_is_after(a, (struct position) {101, 0}),
	   "not after itself, a later ordinal, a later transaction");
}

/* Random frames and acknowledgements against the plainest possible model. */
static bool
model_round(unsigned seed)
{
	struct ledger ledger;
	struct ledger_entry *entries[MODEL_FRAMES];
	uint32_t	left[MODEL_FRAMES];
	lsn_t		safe[MODEL_FRAMES];
	int			added = 0;
	lsn_t		lsn = 1;
	bool		right = true;

	srandom(seed);
	ledger_init(&ledger, count_free);
	while (right)
	{
		lsn_t		expected = LSN_INVALID;
		bool		open = false;

		if (added < MODEL_FRAMES && random() % 2 == 0)
		{
			left[added] = (uint32_t) (random() % 4);
			safe[added] = lsn += (lsn_t) (random() % 3);
			entries[added] = add(&ledger, left[added], lsn);
			added++;
		}
		else if (added > 0)
		{
			int			i = (int) (random() % added);

			if (left[i] > 0)
			{
				left[i]--;
				ledger_ack(&ledger, entries[i], 1);
			}
		}
		for (int i = 0; i < added && !open; i++)
		{
			open = left[i] > 0;
			if (!open)
				expected = safe[i];
		}
		right = ledger.confirmable == expected;
		if (added == MODEL_FRAMES && !open)
			break;
	}
	right = right && ledger_is_empty(&ledger);
	ledger_reset(&ledger);
	return right;
}

static void
test_model(void)
{
	unsigned	seed;

	for (seed = 1; seed <= MODEL_ROUNDS; seed++)
		if (!model_round(seed))
			break;
	if (!ok(seed > MODEL_ROUNDS, "any order of acknowledgements"))
		printf("# seed %u\n", seed);
}

/* With exactly once, an entry is done when its transaction is committed. */
static void
test_hold(void)
{
	struct ledger ledger;
	struct ledger_entry *first;
	struct ledger_entry *second;
	struct ledger_entry *third;

	freed = 0;
	ledger_init(&ledger, count_free);
	ledger.hold = true;
	ok(ledger_settled(&ledger) == NULL, "an empty ledger has nothing to end");
	first = add(&ledger, 0, 100);
	ok(first != NULL && ledger.confirmable == LSN_INVALID,
	   "a held frame without records is not done");
	ok(ledger_settled(&ledger) == first, "but settled");
	second = add(&ledger, 1, 200);
	third = add(&ledger, 2, 300);
	ok(ledger_settled(&ledger) == second,
	   "frames before the last were given to the sink");
	ledger_ack(&ledger, second, 1);
	ledger_ack(&ledger, third, 1);
	ok(freed == 0 && ledger.confirmable == LSN_INVALID,
	   "delivered is not committed");
	ledger_release(&ledger, second);
	ok(freed == 2 && ledger.confirmable == 200 && ledger.head == third,
	   "committed is");
	ledger_ack(&ledger, third, 1);
	ok(ledger_settled(&ledger) == third && freed == 2,
	   "the last one is settled with its last delivery");
	ledger_release(&ledger, NULL);
	ok(freed == 2, "half a frame releases nothing");
	ledger_release(&ledger, third);
	ok(freed == 3 && ledger.confirmable == 300 && ledger_is_empty(&ledger),
	   "and released by the next commit");
}

int
main(void)
{
	test_hold();
	test_order();
	test_empty_frames();
	test_never_back();
	test_copies();
	test_position();
	test_model();
	return tap_done();
}
