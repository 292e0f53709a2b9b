/*
 * latency.c
 *		Time from an INSERT on an idle server to its record at a consumer.
 *
 *	latency CONNINFO BROKERS TABLE TOPIC COUNT
 *
 * Each insert waits until the one before has arrived: the table is
 * (id int PRIMARY KEY), empty, and captured into the topic.  Prints one line
 * of milliseconds, measured from before the statement is sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libpq-fe.h>

#include "topic_reader.h"

#define ARRIVE_MS 30000

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static int
compare(const void *a, const void *b)
{
	double		d = *(const double *) a - *(const double *) b;

	return d < 0 ? -1 : d > 0;
}

static bool
insert_and_wait(PGconn *conn, rd_kafka_t *rk, const char *table, int id)
{
	char		sql[256];
	PGresult   *result;
	rd_kafka_message_t *msg;
	double		end = now_ms() + ARRIVE_MS;
	bool		arrived = false;

	snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (%d)", table, id);
	result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		fprintf(stderr, "latency: %s", PQerrorMessage(conn));
		return false;
	}
	PQclear(result);

	while (!arrived && now_ms() < end)
	{
		msg = rd_kafka_consumer_poll(rk, 1000);
		arrived = msg && !msg->err;
		if (msg)
			rd_kafka_message_destroy(msg);
	}
	return arrived;
}

int
main(int argc, char **argv)
{
	int			count = argc == 6 ? atoi(argv[5]) : 0;
	double	   *times;
	PGconn	   *conn;
	rd_kafka_t *rk;

	if (count < 1)
	{
		fprintf(stderr, "usage: latency CONNINFO BROKERS TABLE TOPIC COUNT\n");
		return 1;
	}
	times = malloc(sizeof(double) * (size_t) count);
	conn = PQconnectdb(argv[1]);
	rk = topic_consumer_at_end(argv[2], argv[4]);
	if (!times || !rk || PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "latency: could not connect: %s",
				PQerrorMessage(conn));
		return 1;
	}

	/* the first one also opens connections */
	for (int i = -1; i < count; i++)
	{
		double		start = now_ms();

		if (!insert_and_wait(conn, rk, argv[3], i))
		{
			fprintf(stderr, "latency: record %d did not arrive\n", i);
			return 1;
		}
		if (i >= 0)
			times[i] = now_ms() - start;
	}
	qsort(times, (size_t) count, sizeof(double), compare);
	printf("%d inserts: median %.2f ms, p99 %.2f ms, max %.2f ms\n", count,
		   times[count / 2], times[count * 99 / 100], times[count - 1]);

	PQfinish(conn);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	free(times);
	return 0;
}
