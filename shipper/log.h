/*
 * log.h
 *		Log lines on stderr: one line an event, "TIME LEVEL  TEXT", or one JSON
 *		object.
 *
 * Control characters and bytes that end a line are escaped, so that names and
 * server messages cannot forge lines.  A line that repeats the previous one is
 * counted instead of printed.  No function here takes row values.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level
{
	LOG_LEVEL_ERROR,			/* the program could not do its work */
	LOG_LEVEL_WARNING,			/* it could, with loss of time */
	LOG_LEVEL_INFO,				/* start, stop, reconnect, statistics */
	LOG_LEVEL_DEBUG,			/* per frame */
};

#define LOG_PRINTF __attribute__((format(printf, 1, 2)))

/* Sets form and threshold; before it, text from INFO up. */
extern void log_open(bool json, enum log_level level);

/* Whether lines of this level are printed, to spare making them. */
extern bool log_enabled(enum log_level level);

extern void log_error(const char *format, ...) LOG_PRINTF;
extern void log_warning(const char *format, ...) LOG_PRINTF;
extern void log_info(const char *format, ...) LOG_PRINTF;
extern void log_debug(const char *format, ...) LOG_PRINTF;

/* What to do about the line before; printed whenever errors are. */
extern void log_hint(const char *format, ...) LOG_PRINTF;

#endif							/* LOG_H */
