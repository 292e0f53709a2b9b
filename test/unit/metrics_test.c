/*
 * metrics_test.c
 *		Counters of tables and errors, histograms, lag, and the page of them.
 *		Prints TAP.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exposition.h"
#include "lag.h"
#include "metrics.h"
#include "tap.h"

static uint64_t *
table(const char *schema, const char *name)
{
	return metrics_table(schema, strlen(schema), name, strlen(name));
}

static void
test_tables(void)
{
	uint64_t   *first = table("public", "a");
	uint64_t   *rest;
	char		name[20];

	ok(table("public", "a") == first, "a table keeps its counter");
	ok(table("publica", "") != first && table("publi", "ca") != first &&
	   table("", "publica") != table("publica", ""),
	   "names are told apart where they meet");
	ok(metrics_table("ab\0c", 4, "d", 1) == table("abc", "d"),
	   "a NUL gets into no name, and ends none");

	ok(table("s", "caf\xe9") == table("s", "caf\xc3\xa9"),
	   "a byte that is no UTF-8 is the LATIN1 character");
	table("s", "\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xf8\xe2\x82");
	ok(strcmp(metrics.tables[metrics.table_count - 1].name,
			  "\xc3\x80\xc2\x80\xc3\xad\xc2\xa0\xc2\x80\xc3\xb4\xc2\x90"
			  "\xc2\x80\xc2\x80\xc3\xb8\xc3\xa2\xc2\x82") == 0,
	   "so are long forms, surrogates, what is beyond the last, torn ends");
	table("s", "\xe2\x82\xac\xf0\x9f\x90\x98");
	ok(strcmp(metrics.tables[metrics.table_count - 1].name,
			  "\xe2\x82\xac\xf0\x9f\x90\x98") == 0, "UTF-8 stays");

	for (int i = 0; i < 3000; i++)
	{
		snprintf(name, sizeof(name), "t%d", i);
		table("public", name);
	}
	rest = table("public", "t2999");
	ok(metrics.table_count == METRICS_TABLES_MAX, "tables are bounded");
	ok(rest == &metrics.tables[METRICS_TABLES_MAX].records &&
	   rest == table("public", "t2998"), "the rest has one counter");
	ok(table("public", "a") == first && table("public", "t1") != rest,
	   "who had one keeps it");
}

static void
test_kinds(void)
{
	char		name[16];

	for (int i = 0; i < 100; i++)
	{
		snprintf(name, sizeof(name), "E%d", i);
		metrics_kafka_error(name);
	}
	metrics_kafka_error("E0");
	ok(metrics.kafka_errors[0].count == 2 &&
	   metrics.kafka_errors[1].count == 1,
	   "errors are counted by name");
	ok(metrics.kafka_errors[METRICS_KINDS_MAX].count == 100 -
	   METRICS_KINDS_MAX, "and those beyond the bound together");
}

static void
test_histogram(void)
{
	int64_t		now = metrics_now();
	uint64_t	sum = 0;

	metrics_frame_done(now, 0);
	ok(metrics.commit_time == 0 && metrics.commit_latency.sum == 0,
	   "what has no commit time of here gives none");
	metrics_frame_done(now + 60000000, now + 60000000);
	ok(metrics.receive_latency.buckets[0] == 2 &&
	   metrics.receive_latency.sum < 1000000, "no time is negative");
	metrics_frame_done(now - 1500000, now - 1500000);
	ok(metrics.commit_latency.buckets[11] == 1, "1.5 s is below 2 s");
	metrics_frame_done(now - 400000000, now - 400000000);
	ok(metrics.commit_latency.buckets[METRICS_BUCKETS] == 1,
	   "what takes very long is beyond the last bound");
	for (int i = 0; i <= METRICS_BUCKETS; i++)
		sum += metrics.receive_latency.buckets[i];
	ok(sum == 4, "each is in one bucket");
	ok(metrics.commit_time == now - 400000000, "the last commit's time");
	for (int i = 1; i < METRICS_BUCKETS; i++)
		if (metrics_bounds[i] <= metrics_bounds[i - 1])
			ok(false, "bounds grow");
}

static void
test_lag(void)
{
	struct metrics m = {.started_at = 1000000};
	const int64_t now = 100000000;

	ok(isnan(lag_bytes(&m)), "no lag is known before anything is");
	ok(lag_seconds(&m, now) == 99, "since the start nothing is known");
	m.server_end = 500;
	ok(isnan(lag_bytes(&m)), "nor before a position is confirmed");
	m.slot.confirmed = 200;
	ok(lag_bytes(&m) == 300, "then the slot's counts");
	m.confirmed = 450;
	ok(lag_bytes(&m) == 50, "and later what we confirmed");
	m.confirmed = 600;
	ok(lag_bytes(&m) == 0, "it is never negative");

	m.streaming = true;
	m.slot.told_at = 1;
	m.slot.end = 550;
	ok(lag_seconds(&m, now) == 0, "nothing waits: no lag");
	m.outstanding = 1;
	m.oldest = now - 7000000;
	ok(lag_seconds(&m, now) == 7, "the oldest that waits is the lag");
	m.oldest = now + 7000000;
	ok(lag_seconds(&m, now) == 0, "clocks that differ make no negative one");
	m.outstanding = 0;

	m.slot.end = 700;
	m.commit_time = now - 20000000;
	ok(lag_seconds(&m, now) == 20, "the log goes further: since the last one");
	m.caught_up_at = now - 5000000;
	ok(lag_seconds(&m, now) == 5, "or since all was well");
	m.slot.end = 550;
	m.streaming = false;
	ok(lag_seconds(&m, now) == 5, "without a connection likewise");
}

static void
test_page(void)
{
	char	   *page;

	metrics.snapshot_hold_us = 1500000;
	metrics.snapshot_tables[SNAPSHOT_FAILED] = 2;
	page = exposition_text(&metrics);

	ok(strstr(page, "\nwal2kafka_table_records_total{schema=\"public\","
			  "table=\"a\"} 0\n") != NULL, "a page");
	ok(strstr(page, "\nwal2kafka_snapshot_hold_seconds_total 1.500000\n") !=
	   NULL && strstr(page, "\nwal2kafka_snapshot_tables{state=\"failed\"} "
					  "2\n") != NULL, "what a snapshot counts");
	ok(page[strlen(page) - 1] == '\n', "ends with a line's end");
	free(page);
}

int
main(void)
{
	test_tables();
	test_kinds();
	test_histogram();
	test_lag();
	test_page();
	return tap_done();
}
