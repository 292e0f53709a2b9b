/*
 * report.c
 *		Findings of "check" on standard output, each with its remedy.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

static void put_line(const char *lead, const char *format, va_list args)
			__attribute__((format(printf, 2, 0)));

static void
put_line(const char *lead, const char *format, va_list args)
{
	char	   *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = mem_strdup("out of memory");
	fputs(lead, stdout);
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c < 0x20 || *c == 0x7f)
			printf("\\x%02x", *c);
		else
			putchar(*c);
	}
	putchar('\n');
	free(text);
}

#define PUT_LINE(lead) \
	do { \
		va_list		args; \
		va_start(args, format); \
		put_line(lead, format, args); \
		va_end(args); \
	} while (0)

void
report_ok(struct report *report, const char *format,...)
{
	(void) report;
	PUT_LINE("ok       ");
}

void
report_note(struct report *report, const char *format,...)
{
	(void) report;
	PUT_LINE("note     ");
}

void
report_warning(struct report *report, const char *format,...)
{
	report->warnings++;
	PUT_LINE("warning  ");
}

void
report_problem(struct report *report, const char *format,...)
{
	report->problems++;
	PUT_LINE("PROBLEM  ");
}

void
report_remedy(struct report *report, const char *format,...)
{
	(void) report;
	PUT_LINE("         remedy: ");
}

void
report_end(const struct report *report)
{
	if (report->problems == 0 && report->warnings == 0)
		puts("Nothing is wrong.");
	else
		printf("%d problem%s, %d warning%s.\n", report->problems,
			   report->problems == 1 ? "" : "s", report->warnings,
			   report->warnings == 1 ? "" : "s");
	fflush(stdout);
}
