/*
 * state_fuzz.c
 *		State records from whoever may write to their topic: an error, or a
 *		record that reads back as itself, with its plan of a snapshot.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "snapshot_plan.h"
#include "state.h"

extern int	LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static json_t *
plan_record(const json_t *snapshot)
{
	struct snapshot_plan plan = {.version = 0};
	json_t	   *record;

	snapshot_plan_load(&plan, snapshot);
	record = snapshot_plan_record(&plan, (struct position) {0, 0});
	snapshot_plan_free(&plan);
	return record;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct state state;
	struct state again;
	json_t	   *plan;
	char	   *error;
	char	   *text;

	log_open(false, LOG_LEVEL_ERROR);
	if (state_parse(&state, (const char *) data, size, &error))
	{
		plan = plan_record(state.snapshot);
		text = state_encode(&state, plan);
		if (!state_parse(&again, text, strlen(text), &error) ||
			again.confirmed != state.confirmed ||
			again.sent.ordinal != state.sent.ordinal ||
			again.fingerprint != state.fingerprint ||
			strcmp(again.slot, state.slot) != 0)
			abort();
		plan = plan_record(again.snapshot);
		if (plan != NULL && !json_equal(plan, again.snapshot))
			abort();
		json_decref(plan);
		free(text);
		state_free(&state);
		state_free(&again);
	}
	free(error);
	return 0;
}
