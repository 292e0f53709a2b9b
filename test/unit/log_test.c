/*
 * log_test.c
 *		Log lines: repeats are counted, nothing forges a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "tap.h"

/* What it logs, without the times; static. */
static const char *
logged(void (*write_lines) (void))
{
	static char text[16384];
	char		line[8192];
	FILE	   *file = tmpfile();
	int			saved = dup(STDERR_FILENO);

	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	write_lines();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);

	text[0] = '\0';
	rewind(file);
	while (fgets(line, sizeof(line), file) != NULL)
		strcat(text, strchr(line, ' ') + 1);
	fclose(file);
	return text;
}

static void
outage(void)
{
	for (int i = 0; i < 5; i++)
	{
		log_error("could not connect");
		log_hint("Look at the server.");
	}
	log_info("connected");
}

static void
forgery(void)
{
	log_warning("table \"a\nb\"");
	log_warning("%5000s", "x");
}

int
main(void)
{
	is_text(logged(outage), "error   could not connect\n"
			"hint    Look at the server.\n"
			"error   last message repeated 4 times\n"
			"info    connected\n",
			"a message and its hint are printed once and counted");
	ok(strstr(logged(forgery), "warning table \"a\\x0ab\"\n") != NULL,
	   "a line feed is escaped");
	ok(strlen(logged(forgery)) < 2200, "a line has a bound");
	return tap_done();
}
