/*
 * never_early_test.c
 *		Never confirms early: the ledger and the cursor between a pretended
 *		server and a pretended Kafka, where anything happens in any order.
 *
 * The server has transactions, cuts them into frames, and sends again what
 * commits at or behind the position it was told.  Kafka stores what reaches it
 * partition by partition and acknowledges in any order across them.  Frames
 * without records, records for every partition, sinks that take less than they
 * are given, lost connections, broken sinks, killed processes and servers that
 * forget the last positions come at random.  After each step:
 *
 *	  whatever the server would not send again is stored, in all its copies;
 *	  so is everything up to the position that the ledger calls acknowledged;
 *	  what may be confirmed is what a plain model says, no less either.
 *
 * In the end everything is stored, and first occurrences are in order.
 *
 * Every other run is exactly once: what is stored counts when a transaction is
 * committed, together with a position that the next sink reads back; nobody
 * may hear of a commit, and nothing may be there twice.
 *
 *		never_early_test [SEED [RUNS]]
 */
#include <stdlib.h>
#include <time.h>

#include "pretend.h"
#include "tap.h"

#define STEPS		400
#define RUNS		4000

static void
step(void)
{
	int			what = dice(200);

	if (what < 30)
		write_log();
	else if (what < 80)
		receive();
	else if (what < 130)
		advance();
	else if (what < 175)
		acknowledge();
	else if (what < 185)
		confirm();
	else if (what < 188)
	{
		if (w.once)
			close_transaction();
	}
	else if (what < 190)
		commit_transaction(false);
	else if (what < 194)
	{
		/* only when nothing is on its way: run.c */
		if (!w.connected && ledger_is_empty(&w.ledger))
			connect_at(w.ledger.confirmable);
	}
	else if (what == 194)
		w.connected = false;
	else if (what == 195)
		break_sink();
	else if (what == 196)
		kill_process();
	else if (what == 197)
	{
		w.connected = false;
		w.slot = w.saved;
	}
	else
		w.saved = w.slot;
}

/* --- what must hold --------------------------------------------------- */

/* The first record that is not stored, or what comes after everything. */
static struct position
find_missing(void)
{
	for (; w.complete < w.written; w.complete++)
	{
		const struct txn *txn = &w.txns[w.complete];

		for (int i = 0; i < txn->records; i++)
			if (!is_stored(txn, i))
				return (struct position) {txn->commit, (uint64_t) i};
	}
	return (struct position) {UINT64_MAX, 0};
}

static void
judge(void)
{
	struct position missing = find_missing();

	if (w.ledger.confirmable > missing.commit || w.slot > missing.commit)
		blame("confirmed before it was stored");
	if (!position_is_after(missing, w.ledger.acked))
		blame("called acknowledged before it was stored");

	while (w.first_open < w.frames && !is_open_frame(w.first_open) &&
		   (!w.once || w.first_open < w.released))
	{
		if (w.frame_safe[w.first_open] > w.confirmable)
			w.confirmable = w.frame_safe[w.first_open];
		w.first_open++;
	}
	if (w.ledger.confirmable != w.confirmable)
		blame("the model may confirm something else");
	if (w.cursor.entry == NULL &&
		w.ledger.outstanding != (uint64_t) on_the_way())
		blame("outstanding is not what is on its way");
	if (w.ledger.sent.commit != w.sent.commit ||
		w.ledger.sent.ordinal != w.sent.ordinal)
		blame("\"sent\" is not the greatest that was sent");
}

/* No more faults: everything must come to an end. */
static void
settle(void)
{
	for (int i = 0; i < 10000 && w.wrong == NULL; i++)
	{
		if (!w.connected && ledger_is_empty(&w.ledger))
			connect_at(w.ledger.confirmable);
		receive();
		advance();
		acknowledge();
		if (w.once && dice(4) == 0)
			close_transaction();
		commit_transaction(true);
		confirm();
		judge();
		if (w.slot == w.end)
			break;
	}
	if (w.slot != w.end)
		blame("not everything is confirmed in the end");
	if (w.complete < w.written)
		blame("something is lost");
}

static bool
run_once(unsigned seed)
{
	srandom(seed);
	memset(&w, 0, sizeof(w));
	w.end = w.slot = w.saved = 1000;
	w.once = seed % 2 == 0;
	start_process();
	for (int i = 0; i < STEPS && w.wrong == NULL; i++)
	{
		step();
		judge();
	}
	if (w.wrong == NULL)
		settle();
	break_sink();
	cursor_free(&w.cursor);
	if (buffers != 0)
		blame("a frame's memory was not given back");
	buffers = 0;
	if (w.wrong)
		printf("# seed %u: %s\n", seed, w.wrong);
	return w.wrong == NULL;
}

int
main(int argc, char **argv)
{
	unsigned	first = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) :
		(unsigned) time(NULL);
	unsigned	runs = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : RUNS;
	unsigned	i = 0;

	printf("# seeds from %u on\n", first);
	while (i < runs && run_once(first + i))
		i++;
	ok(i == runs, "never confirms early, whatever happens in whatever order");
	return tap_done();
}
