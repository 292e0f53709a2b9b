/*
 * state_test.c
 *		The state record: written, read back, and refused when it is not one.
 */
#include <stdlib.h>

#include "state.h"
#include "tap.h"

#define GOOD \
	"{\"format\":1,\"slot\":\"s\",\"system_identifier\":\"7\"," \
	"\"timeline\":3,\"confirmed\":\"1/2A\",\"delivered\":\"1/29/4\"," \
	"\"sent\":\"1/29/5\",\"stopped\":true,\"clean\":true,\"program\":\"0.1\"}"

static const struct state sample = {
	.system = "18446744073709551615",
	.timeline = 4294967295,
	.slot = "wal2kafka",
	.confirmed = 0xFFFFFFFFFFFFFFFF,
	.delivered = {0x16B374D848, 0},
	.sent = {0xFFFFFFFFFFFFFFFF, 18446744073709551615u},
	.has_fingerprint = true,
	.fingerprint = 0x00000000deadbeef,
	.stopped = true,
	.clean = true,
};

static bool
parses(const char *text, struct state *state)
{
	char	   *error;
	bool		good = state_parse(state, text, strlen(text), &error);

	if (!good)
		printf("# %s\n", error);
	free(error);
	return good;
}

static bool
same(const struct state *a, const struct state *b)
{
	return strcmp(a->system, b->system) == 0 && a->timeline == b->timeline &&
		strcmp(a->slot, b->slot) == 0 && a->confirmed == b->confirmed &&
		a->delivered.commit == b->delivered.commit &&
		a->delivered.ordinal == b->delivered.ordinal &&
		a->sent.commit == b->sent.commit &&
		a->sent.ordinal == b->sent.ordinal &&
		a->has_fingerprint == b->has_fingerprint &&
		a->fingerprint == b->fingerprint && a->clean == b->clean &&
		a->stopped == b->stopped;
}

static void
test_round_trip(void)
{
	struct state state = sample;
	struct state back;
	char	   *text = state_encode(&state, NULL);

	ok(strchr(text, '\n') == NULL, "a record is one line");
	ok(parses(text, &back) && same(&state, &back),
	   "the largest of everything comes back");
	is_text(back.program, WAL2KAFKA_VERSION, "with the version");
	ok(back.written[0] == '2', "and the time");
	free(text);

	state = (struct state) {.system = "1", .timeline = 1, .slot = "a"};
	text = state_encode(&state, NULL);
	ok(parses(text, &back) && same(&state, &back),
	   "the least of everything comes back");
	free(text);
}

static void
test_good(void)
{
	struct state state;

	ok(parses(GOOD, &state), "a short record is taken");
	ok(state.confirmed == 0x10000002A && state.delivered.ordinal == 4 &&
	   !state.has_fingerprint && state.clean, "for what it says");
	ok(parses(" {\"format\":1,\"slot\":\"s\",\"system_identifier\":\"7\","
			  "\"timeline\":3,\"confirmed\":\"00000001/0000002A\","
			  "\"delivered\":\"0/0/0\",\"sent\":\"0/0/0\",\"stopped\":true,"
			  "\"clean\":false,"
			  "\"program\":\"\",\"more\":[{}]} ", &state),
	   "what a later program adds does not matter");
}

/* Each is the good one with one thing bent. */
static void
test_bad(void)
{
	static const char *const bent[][2] = {
		{"\"format\":1", "\"format\":2"},
		{"\"format\":1", "\"format\":0"},
		{"\"format\":1", "\"format\":\"1\""},
		{"\"format\":1", "\"format\":99999999999999999999"},
		{"\"slot\":\"s\"", "\"slot\":\"\""},
		{"\"slot\":\"s\"", "\"slot\":\"a\\nb\""},
		{"\"slot\":\"s\"", "\"slot\":\"s\\u0000x\""},
		{"\"slot\":\"s\"", "\"slot\":\"0123456789012345678901234567890123"
		"456789012345678901234567890123\""},
		{"\"slot\":\"s\"", "\"slot\":\"s\",\"slot\":\"s\""},
		{"\"timeline\":3", "\"timeline\":0"},
		{"\"timeline\":3", "\"timeline\":4294967296"},
		{"\"timeline\":3", "\"timeline\":-1"},
		{"\"timeline\":3", "\"timeline\":3.0"},
		{"\"1/2A\"", "\"1/2A \""},
		{"\"1/2A\"", "\"\""},
		{"\"1/2A\"", "42"},
		{"\"1/29/4\"", "\"1/29\""},
		{"\"1/29/4\"", "\"1/29/\""},
		{"\"1/29/4\"", "\"1/29/-4\""},
		{"\"1/29/4\"", "\"1/29/ 4\""},
		{"\"1/29/4\"", "\"4\""},
		{"\"1/29/4\"", "\"\""},
		{"\"1/29/4\"", "\"1/29/99999999999999999999\""},
		{"\"1/29/4\"", "\"00000000000000000000000000000000000001/29/4\""},
		{"\"stopped\":true", "\"stopped\":1"},
		{"\"clean\":true", "\"clean\":1"},
		{"\"clean\":true", "\"clean\":null"},
		{"\"clean\":true", "\"clean\":true,\"fingerprint\":\"x\""},
		{"\"clean\":true", "\"clean\":true,\"fingerprint\":7"},
		{"\"clean\":true", "\"clean\":true,\"fingerprint\":"
		"\"-00000000000000f\""},
		{"\"program\":\"0.1\"", "\"program\":[]"},
		{"{\"format\"", "[{\"format\""},
		{"true", "tru"},
	};
	struct state state;
	char		text[1024];
	bool		all = true;

	for (size_t i = 0; i < sizeof(bent) / sizeof(bent[0]); i++)
	{
		const char *at = strstr(GOOD, bent[i][0]);

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (at - GOOD), GOOD,
				 bent[i][1], at + strlen(bent[i][0]));
		if (parses(text, &state))
		{
			printf("# was taken: %s\n", text);
			all = false;
		}
	}
	ok(all, "whatever is bent is refused");
	ok(!parses("", &state) && !parses("null", &state) &&
	   !parses("[]", &state) && !parses("\xff\xfe", &state) &&
	   !parses("{}", &state), "so is what is nothing like it");
}

static void
test_torn(void)
{
	struct state state;
	char	   *error;
	bool		all = true;

	for (size_t len = 0; len < strlen(GOOD); len++)
	{
		char	   *part = malloc(len + 1);

		memcpy(part, GOOD, len);
		all &= !state_parse(&state, part, len, &error);
		free(error);
		free(part);
	}
	ok(all, "a part of a record is none");
}

static void
test_order(void)
{
	struct state one;
	struct state other;

	parses(GOOD, &one);
	other = one;
	other.clean = false;
	ok(state_supersedes(&other, &one), "of equals the later holds");
	other.confirmed--;
	ok(!state_supersedes(&other, &one), "a late, older promise does not");
	other.timeline++;
	ok(state_supersedes(&other, &one), "a newer timeline's does");
	ok(!state_supersedes(&one, &other), "what an older one promised does not");
	other = one;
	other.confirmed = 0;
	strcpy(other.system, "8");
	ok(state_supersedes(&other, &one), "another server's does");
}

int
main(void)
{
	test_round_trip();
	test_good();
	test_bad();
	test_torn();
	test_order();
	return tap_done();
}
