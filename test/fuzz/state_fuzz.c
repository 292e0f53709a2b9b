/*
 * state_fuzz.c
 *		State records from whoever may write to their topic: an error, or a
 *		record that reads back as itself.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

extern int	LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct state state;
	struct state again;
	char	   *error;
	char	   *text;

	if (state_parse(&state, (const char *) data, size, &error))
	{
		text = state_encode(&state);
		if (!state_parse(&again, text, strlen(text), &error) ||
			again.confirmed != state.confirmed ||
			again.sent.ordinal != state.sent.ordinal ||
			again.fingerprint != state.fingerprint ||
			strcmp(again.slot, state.slot) != 0)
			abort();
		free(text);
	}
	free(error);
	return 0;
}
