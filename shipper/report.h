/*
 * report.h
 *		Findings of "check" on standard output, each with its remedy.
 */
#ifndef REPORT_H
#define REPORT_H

struct report
{
	int			problems;
	int			warnings;
};

#define REPORT_PRINTF __attribute__((format(printf, 2, 3)))

/* Names may hold anything: what would end a line is escaped. */
extern void report_ok(struct report *report, const char *format, ...)
			REPORT_PRINTF;
extern void report_note(struct report *report, const char *format, ...)
			REPORT_PRINTF;
extern void report_warning(struct report *report, const char *format, ...)
			REPORT_PRINTF;
extern void report_problem(struct report *report, const char *format, ...)
			REPORT_PRINTF;

/* What to do about the finding before. */
extern void report_remedy(struct report *report, const char *format, ...)
			REPORT_PRINTF;

/* The last line: how many there were. */
extern void report_end(const struct report *report);

#endif							/* REPORT_H */
