/*
 * tap.h
 *		As much of the Test Anything Protocol as C tests need.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_count;
static int	tap_failed;

#define ok(condition, name) tap_ok((condition), (name), __FILE__, __LINE__)

static inline bool
tap_ok(bool passed, const char *name, const char *file, int line)
{
	printf("%sok %d - %s\n", passed ? "" : "not ", ++tap_count, name);
	if (!passed)
	{
		tap_failed++;
		printf("# at %s line %d\n", file, line);
	}
	fflush(stdout);
	return passed;
}

#define is_text(got, expected, name) do { \
	if (!ok(strcmp((got), (expected)) == 0, (name))) \
		printf("# got:      %s\n# expected: %s\n", (got), (expected)); \
} while (0)

/* The plan, and what main() returns. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif							/* TAP_H */
