/*
 * verdict.c
 *		What can be wrong, by name, see verdict.h.
 */
#include "verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_EXAMPLES 10

static const char *const names[FAULTS] = {
	[FAULT_UNREADABLE] = "unreadable",
	[FAULT_LOST] = "lost",
	[FAULT_MADE_UP] = "made up",
	[FAULT_TORN] = "torn",
	[FAULT_SPLIT] = "one transaction as two",
	[FAULT_MERGED] = "two transactions as one",
	[FAULT_REORDERED] = "reordered",
	[FAULT_DIFFERENT] = "duplicated but different",
	[FAULT_ELSEWHERE] = "repeated in another partition",
	[FAULT_GAP] = "gap in the sequence",
	[FAULT_KEY_MOVED] = "key in another partition",
	[FAULT_MISPLACED] = "wrong partition",
	[FAULT_COPY_MISSING] = "not in every partition",
	[FAULT_TWICE] = "more than once",
	[FAULT_ABORTED] = "only aborted",
	[FAULT_INCONSISTENT] = "inconsistent offset",
	[FAULT_VANISHED] = "vanished",
	[FAULT_EARLY] = "confirmed before acknowledged",
	[FAULT_STALE] = "snapshot not above what is before it",
	[FAULT_INSIDE] = "snapshot inside a transaction",
};

void
verdict_add(struct verdict *verdict, enum fault fault, const char *format,...)
{
	va_list		args;

	if (++verdict->found[fault] > MAX_EXAMPLES)
		return;
	printf("%s: ", names[fault]);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (verdict->level)
		printf(", at %s", verdict->level);
	printf("\n");
}

void
verdict_print(const struct verdict *verdict)
{
	for (int i = 0; i < FAULTS; i++)
		if (verdict->found[i] > 0)
			printf(", %s %" PRIu64, names[i], verdict->found[i]);
	printf("%s\n", verdict_is_clean(verdict) ? ", nothing wrong" : "");
}

bool
verdict_is_clean(const struct verdict *verdict)
{
	for (int i = 0; i < FAULTS; i++)
		if (verdict->found[i] > 0)
			return false;
	return true;
}
