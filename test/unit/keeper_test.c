/*
 * keeper_test.c
 *		When the keeper of the state record wants to be called.  Prints TAP.
 */
#include "clock.h"
#include "keeper_state.h"
#include "tap.h"

int
main(void)
{
	struct store store = {.where = NULL};
	struct keeper keeper = {.store = &store};

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
	return tap_done();
}
