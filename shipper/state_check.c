/*
 * state_check.c
 *		What "check" says of the state record.
 */
#include "state_check.h"

#include "store.h"

static void
report_state(const struct store *store, const struct state *state,
			 struct report *report)
{
	const char *how = state->clean ? "stopped cleanly" :
		state->stopped ? "stopped inside a transaction" :
		"running, or not stopped in order";

	report_ok(report, "state record in %s: delivered up to " LSN_FORMAT
			  ", %s", store_where(store), LSN_ARGS(state->confirmed), how);
}

void
state_check(const struct config *cfg, struct report *report)
{
	bool		failed;
	struct store *store = store_open(cfg, NULL, &failed);
	struct state state;

	if (store == NULL)
	{
		if (!failed && cfg->sink != SINK_STDOUT)
			report_note(report, "no state record is kept (state = none): a "
						"slot that was moved or made anew, or a server that "
						"was restored, cannot be noticed at a start");
		return;
	}
	switch (store_read(store, &state, false))
	{
		case STORE_FOUND:
			report_state(store, &state, report);
			state_free(&state);
			break;
		case STORE_NONE:
		case STORE_FORGOTTEN:
			report_note(report, "there is no state record in %s yet",
						store_where(store));
			break;
		case STORE_LATER:
			break;				/* that Kafka does not answer was said */
		case STORE_PERSON:
			report_problem(report, "the state record in %s cannot be kept or "
						   "used (see above)", store_where(store));
			break;
	}
	store_close(store);
}
