/*
 * lsn_test.c
 *		Positions in the log, read and written.
 */
#include <stdlib.h>

#include "lsn.h"
#include "tap.h"

static bool
reads(const char *text, lsn_t expected)
{
	lsn_t		lsn = 0;

	return lsn_parse(text, &lsn) && lsn == expected;
}

static bool
refuses(const char *text)
{
	lsn_t		lsn = 42;

	return !lsn_parse(text, &lsn) && lsn == 42;
}

static bool
comes_back(lsn_t lsn)
{
	char		text[32];

	snprintf(text, sizeof(text), LSN_FORMAT, LSN_ARGS(lsn));
	return reads(text, lsn);
}

int
main(void)
{
	ok(reads("0/0", 0), "zero");
	ok(reads("16/B374D848", UINT64_C(0x16B374D848)), "as the server writes");
	ok(reads("16/b374d848", UINT64_C(0x16B374D848)), "in lower case");
	ok(reads("16/0374D848", UINT64_C(0x160374D848)), "zero-padded, as in 19");
	ok(reads("FFFFFFFF/FFFFFFFF", UINT64_MAX), "the largest");
	ok(comes_back(0) && comes_back(1) && comes_back(UINT64_MAX) &&
	   comes_back(UINT64_C(1) << 32) && comes_back(UINT64_C(0x100000010)),
	   "written and read again");

	ok(refuses(""), "nothing is refused");
	ok(refuses("16"), "half of one is refused");
	ok(refuses("16/"), "without a low half it is refused");
	ok(refuses("16/1 "), "a blank behind is refused");
	ok(refuses("16/1x"), "rubbish behind is refused");
	ok(refuses("x/1"), "rubbish before is refused");
	ok(refuses("123456789/1"), "a half that is too long is refused");
	ok(refuses("1/123456789"), "a low half that is too long is refused");
	return tap_done();
}
