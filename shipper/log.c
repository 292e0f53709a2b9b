/*
 * log.c
 *		Log lines on stderr.
 */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

#define LOG_TEXT_MAX	2048	/* bytes of one event, before escaping */
#define LOG_LINE_MAX	(6 * LOG_TEXT_MAX + 128)
#define LOG_FOLD_SECONDS 60		/* a repeated line is shown again after this */

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* one process, one log: kept here so that any module can write a line */
static bool log_json = false;
static enum log_level log_threshold = LOG_LEVEL_INFO;

/* librdkafka's threads write, too, while the state record is read */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* of all below */
static bool hint_folded = false;
static char last_text[LOG_TEXT_MAX];
static const char *last_name = "";
static int64_t last_time;		/* s; nobody sets that clock */
static unsigned folded;

static void write_event(const char *name, const char *format, va_list args);
static void fold_event(const char *name, const char *text);
static void write_line(const char *name, const char *text);
static size_t escape(char *to, const char *text, bool json);

void
log_open(bool json, enum log_level level)
{
	log_json = json;
	log_threshold = level;
}

bool
log_enabled(enum log_level level)
{
	return level <= log_threshold;
}

#define LOG_FUNCTION(function, level) \
void \
function(const char *format, ...) \
{ \
	va_list		args; \
\
	if (!log_enabled(level)) \
		return; \
	va_start(args, format); \
	write_event(level_names[level], format, args); \
	va_end(args); \
}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void
log_hint(const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	write_event("hint", format, args);
	va_end(args);
}

static void
write_event(const char *name, const char *format, va_list args)
{
	char		text[LOG_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	pthread_mutex_lock(&lock);
	fold_event(name, text);
	pthread_mutex_unlock(&lock);
}

/*
 * An outage repeats two lines in turn, a message and its hint; a hint alone
 * says nothing, so hints are folded with what they follow.
 */
static void
fold_event(const char *name, const char *text)
{
	bool		is_hint = strcmp(name, "hint") == 0;
	char		note[64];
	int64_t		now = clock_ms() / 1000;

	if (is_hint && hint_folded)
		return;
	hint_folded = !is_hint && name == last_name &&
		strcmp(text, last_text) == 0 && now - last_time < LOG_FOLD_SECONDS;
	if (hint_folded)
	{
		folded++;
		return;
	}
	if (!is_hint)
	{
		if (folded > 0)
		{
			snprintf(note, sizeof(note), "last message repeated %u times",
					 folded);
			write_line(last_name, note);
		}
		folded = 0;
		last_name = name;
		last_time = now;
		strcpy(last_text, text);
	}
	write_line(name, text);
}

/* One fwrite per line: lines of several threads must not mix. */
static void
write_line(const char *name, const char *text)
{
	char		line[LOG_LINE_MAX];
	char		stamp[32];
	char		time[48];
	struct timespec now;
	struct tm	utc;
	size_t		len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(time, sizeof(time), "%s.%03ldZ", stamp, now.tv_nsec / 1000000);
	if (log_json)
		len = (size_t) sprintf(line, "{\"time\":\"%s\",\"level\":\"%s\","
							   "\"text\":\"", time, name);
	else
		len = (size_t) sprintf(line, "%s %-7s ", time, name);
	len += escape(line + len, text, log_json);
	len += (size_t) sprintf(line + len, log_json ? "\"}\n" : "\n");
	fwrite(line, 1, len, stderr);
}

/* Returns the bytes written, at most six for each of text. */
static size_t
escape(char *to, const char *text, bool json)
{
	size_t		len = 0;

	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c < 0x20 || *c == 0x7f)
			len += (size_t) sprintf(to + len, json ? "\\u%04x" : "\\x%02x",
									*c);
		else
		{
			if (json && (*c == '"' || *c == '\\'))
				to[len++] = '\\';
			to[len++] = (char) *c;
		}
	}
	return len;
}
