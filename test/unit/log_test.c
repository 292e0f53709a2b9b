/*
 * log_test.c
 *		Log lines: repeats are counted, nothing forges a line.
 */
#include "log.h"
#include "logged.h"
#include "tap.h"

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
