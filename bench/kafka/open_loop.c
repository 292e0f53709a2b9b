/*
 * open_loop.c
 *		Latency from commit to Kafka and to a consumer, under a fixed load.
 *
 *	open_loop CONNINFO BROKERS TABLE TOPIC FIRST RATE WARM SECONDS
 *
 * Inserts RATE rows a second, with ids from FIRST on and each its own
 * transaction, whether what came before has arrived or not: a pipeline that
 * stands still for a while is charged for every row that was due meanwhile,
 * too.  What is due in the first WARM seconds does not count, nor a few rows at
 * the end, for pipelines that let go of a row when the next one comes.
 *
 * The table is (id int PRIMARY KEY, name text, created_on timestamptz), the
 * topic has the broker's time, in whole milliseconds, and the server keeps
 * commit timestamps.  Prints one line of NAME=VALUE; latencies are the median,
 * the 99th and 99.9th percentile and the maximum, in milliseconds.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "load.h"
#include "row_id.h"
#include "topic_reader.h"

#define POLL_MS		20
#define PATIENCE_US	(30 * INT64_C(1000000))
#define AFTER_ROWS	100

struct bench
{
	struct load load;
	int64_t		first;			/* rows that count: from first .. */
	int64_t		end;			/* .. up to here */
	int64_t    *committed;		/* by row, us since the epoch; 0: not seen */
	int64_t    *appended;
	int64_t    *consumed;
	int64_t		arrived;		/* of those that count */
};

static int
compare(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static void
note(struct bench *b, const rd_kafka_message_t *msg, int64_t now)
{
	int64_t		row = row_id(msg) - b->load.first_id;

	if (row < b->first || row >= b->end || b->consumed[row] != 0)
		return;
	b->consumed[row] = now;
	b->appended[row] = rd_kafka_message_timestamp(msg, NULL) * 1000;
	b->arrived++;
}

/* Until all that counts has arrived, or nothing more has for a while. */
static void
consume(struct bench *b, rd_kafka_t *rk)
{
	int64_t		last = now_us();

	while (b->arrived < b->end - b->first && !atomic_load(&b->load.failed))
	{
		rd_kafka_message_t *msg = rd_kafka_consumer_poll(rk, POLL_MS);
		int64_t		now = now_us();

		if (msg && !msg->err)
		{
			last = now;
			note(b, msg, now);
		}
		if (msg)
			rd_kafka_message_destroy(msg);
		if (now > last + PATIENCE_US ||
			now > load_due(&b->load, b->load.rows) + PATIENCE_US)
			break;
	}
}

/* As the server says it, so that all pipelines are held to one clock. */
static bool
read_commits(struct bench *b, const char *conninfo)
{
	char		sql[256];
	PGconn	   *conn = PQconnectdb(conninfo);
	PGresult   *result;
	bool		ok;

	snprintf(sql, sizeof(sql), "SELECT id, (1000000 * extract(epoch FROM "
			 "pg_xact_commit_timestamp(xmin)))::bigint FROM %s "
			 "WHERE id >= %" PRId64, b->load.table, b->load.first_id);
	result = PQexec(conn, sql);
	ok = PQresultStatus(result) == PGRES_TUPLES_OK;
	if (!ok)
		fprintf(stderr, "open_loop: %s", PQerrorMessage(conn));
	for (int i = 0; i < PQntuples(result); i++)
	{
		int64_t		row = atoll(PQgetvalue(result, i, 0)) -
			b->load.first_id;

		if (row < b->load.rows)
			b->committed[row] = atoll(PQgetvalue(result, i, 1));
	}
	PQclear(result);
	PQfinish(conn);
	return ok;
}

/* Time from "from" to "to", plus "shift", of each row that has arrived. */
static void
print_latency(const struct bench *b, const char *name, const int64_t *from,
			  const int64_t *to, int64_t shift)
{
	int64_t    *times = calloc((size_t) (b->end - b->first), sizeof(*times));
	int64_t		n = 0;

	for (int64_t row = b->first; times && row < b->end; row++)
		if (b->consumed[row])
			times[n++] = to[row] + shift -
				(from ? from[row] : load_due(&b->load, row));
	if (n > 0)
	{
		qsort(times, (size_t) n, sizeof(*times), compare);
		printf(" %s=%.2f,%.2f,%.2f,%.2f", name,
			   (double) times[n / 2] / 1e3,
			   (double) times[n * 99 / 100] / 1e3,
			   (double) times[n * 999 / 1000] / 1e3,
			   (double) times[n - 1] / 1e3);
	}
	free(times);
}

static void
print_result(const struct bench *b)
{
	int64_t		span = b->committed[b->end - 1] - b->committed[b->first];

	printf("rows=%" PRId64 " missing=%" PRId64 " rate=%.0f",
		   b->end - b->first, b->end - b->first - b->arrived,
		   (double) (b->end - b->first - 1) * 1e6 /
		   (double) (span > 0 ? span : 1));
	/* the middle of the broker's millisecond */
	print_latency(b, "acked", b->committed, b->appended, 500);
	print_latency(b, "consumed", b->committed, b->consumed, 0);
	print_latency(b, "due", NULL, b->consumed, 0);
	printf("\n");
}

static bool
prepare(struct bench *b, char **argv)
{
	int64_t		rate = atoll(argv[6]);

	b->first = rate * atoll(argv[7]);
	b->end = b->first + rate * atoll(argv[8]);
	b->load.conninfo = argv[1];
	b->load.table = argv[3];
	b->load.first_id = atoll(argv[5]);
	b->load.rate = rate;
	b->load.rows = b->end + AFTER_ROWS;
	b->committed = calloc((size_t) b->load.rows, sizeof(int64_t));
	b->appended = calloc((size_t) b->load.rows, sizeof(int64_t));
	b->consumed = calloc((size_t) b->load.rows, sizeof(int64_t));
	return b->end > b->first && b->committed && b->appended && b->consumed;
}

int
main(int argc, char **argv)
{
	struct bench b = {0};
	pthread_t	thread;
	rd_kafka_t *rk;

	if (argc != 9 || !prepare(&b, argv))
	{
		fprintf(stderr, "usage: open_loop CONNINFO BROKERS TABLE TOPIC FIRST "
				"RATE WARM SECONDS\n");
		return 1;
	}
	rk = topic_consumer_at_end(argv[2], argv[4]);
	if (!rk || !load_open(&b.load) ||
		pthread_create(&thread, NULL, load_run, &b.load) != 0)
		return 2;
	consume(&b, rk);
	pthread_join(thread, NULL);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	if (atomic_load(&b.load.failed) || !read_commits(&b, argv[1]))
		return 2;
	print_result(&b);
	return 0;
}
