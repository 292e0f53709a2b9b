/*
 * keeper_test.c
 *		When the keeper of the state record wants to be called, and what is
 *		worth a record.  Prints TAP.
 */
#include "clock.h"
#include "keeper_state.h"
#include "log.h"
#include "tap.h"

static struct snapshot_plan no_snapshot;

static unsigned written = 0;

static void
count_write(struct store *store, const char *text)
{
	(void) store;
	written += text != NULL;
}

static enum store_progress
is_written(struct store *store)
{
	(void) store;
	return STORE_WRITTEN;
}

static const struct store_ops counting = {
	.write = count_write,
	.drain = is_written,
};

/* Within a long transaction nothing is confirmed, and much is sent. */
static void
test_sent(void)
{
	const struct config config = {.slot = "s"};
	struct store store = {.ops = &counting};
	struct keeper keeper = {
		.plan = &no_snapshot,
		.config = &config, .store = &store, .admitted = true, .known = true,
		.stored = {.confirmed = 90, .sent = {80, 0}},
	};
	struct keeper_facts facts = {.confirmable = 90, .sent = {200, 5}};

	keeper.next = keeper.stored;
	keeper_serve(&keeper, &facts);
	ok(written == 0, "what was sent is worth no record at once");
	keeper.unknown_since -= 1000;
	keeper_serve(&keeper, &facts);
	ok(written == 1 && keeper.stored.sent.commit == 200,
	   "it is when nothing is confirmed for a second");
	facts.sent.ordinal = 6;
	keeper_serve(&keeper, &facts);
	keeper_serve(&keeper, &facts);
	ok(written == 1 && keeper.unknown_since == 0,
	   "the same transaction is not worth another");
}

/* A server that stops asks without a pause. */
static void
test_wanted(void)
{
	const struct config config = {.slot = "s"};
	struct store store = {.ops = &counting};
	struct keeper keeper = {
		.plan = &no_snapshot,
		.config = &config, .store = &store, .admitted = true, .known = true,
		.stored = {.confirmed = 1},
	};
	struct keeper_facts facts = {.wanted = true};

	keeper.next = keeper.stored;
	written = 0;
	for (facts.confirmable = 2; facts.confirmable < 1000; facts.confirmable++)
		keeper_serve(&keeper, &facts);
	ok(written == 998, "a server that asks has everything on record");
	facts.wanted = false;
	keeper_serve(&keeper, &facts);
	keeper_serve(&keeper, &facts);
	ok(keeper_timeout(&keeper) <= 1000,
	   "and what comes later is on record within a second all the same");
}

/* --- a server and a store that say what they are told ---------------- */

static struct standing server;
static enum store_answer there;

bool
stream_standing(struct stream *stream, struct standing *standing)
{
	(void) stream;
	*standing = server;
	return true;
}

bool
stream_find_fork(struct stream *stream, uint32_t timeline,
				 struct standing *standing)
{
	(void) stream;
	(void) timeline;
	(void) standing;
	return true;
}

static enum store_answer
read_it(struct store *store, struct state *state, bool make)
{
	(void) store;
	(void) state;
	(void) make;
	return there;
}

/* The record's topic is deleted under a shipper that lives. */
static void
test_lost(void)
{
	static const struct store_ops ops = {
		.read = read_it, .write = count_write, .drain = is_written,
	};
	const struct config config = {.slot = "s"};
	struct store store = {.ops = &ops, .where = "topic \"t\""};
	struct keeper keeper = {
		.plan = &no_snapshot,
		.config = &config, .store = &store, .known = true,
		.stored = {
			.system = "7", .slot = "s", .timeline = 1, .confirmed = 90,
		},
	};
	const struct keeper_facts facts = {.confirmable = 90};

	log_open(false, LOG_LEVEL_ERROR);
	server = (struct standing) {
		.system = "7", .timeline = 1, .end = 200, .slot = 95,
	};
	there = STORE_NONE;
	ok(keeper_admit(&keeper, NULL) == KEEPER_PERSON,
	   "with the record gone, a slot that was moved is refused all the same");
	server.slot = 90;
	ok(keeper_admit(&keeper, NULL) == KEEPER_GO && keeper.admitted,
	   "one that stands where it was left is not");
	ok(keeper_bound(&keeper, 90) == LSN_INVALID,
	   "nothing is confirmed without a record");
	written = 0;
	keeper_serve(&keeper, &facts);
	keeper_serve(&keeper, &facts);
	ok(written == 1 && keeper_bound(&keeper, 90) == 90, "it is written anew");
	server.slot = 95;
	there = STORE_FORGOTTEN;
	ok(keeper_admit(&keeper, NULL) == KEEPER_GO,
	   "if somebody dropped it, the slot counts as it stands");
}

int
main(void)
{
	struct store store = {.where = NULL};
	struct keeper keeper = {.store = &store, .plan = &no_snapshot};

	keeper.behind_since = clock_ms();
	ok(keeper_timeout(&keeper) == -1,
	   "behind, and no server is admitted: it has nothing to do");
	keeper.admitted = true;
	ok(keeper_timeout(&keeper) == 0, "once one is, a record is due");
	keeper.retry_at = clock_ms() + 60000;
	ok(keeper_timeout(&keeper) > 0, "after a failure it waits");
	keeper.writing = true;
	ok(keeper_timeout(&keeper) == -1, "while one is written it is woken");
	keeper.writing = false;
	keeper.behind_since = 0;
	ok(keeper_timeout(&keeper) == -1, "with all on record it is not due");
	test_sent();
	test_wanted();
	test_lost();
	return tap_done();
}
