/*
 * topic_watch.c
 *		Says how many records a topic holds, until it holds enough.
 *
 *	topic_watch BROKERS TOPIC COUNT
 *
 * Prints a number ten times a second, from the high watermarks: what counts is
 * acknowledged by every replica in sync.  One client asks, and not often, so
 * that the broker has its time for the bench.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "topic_reader.h"

#define PERIOD_NS	(100 * 1000 * 1000)

/* -1 if the cluster did not answer */
static int64_t
records(rd_kafka_t *rk, const char *topic, int partitions)
{
	int64_t		sum = 0;

	for (int p = 0; p < partitions; p++)
	{
		int64_t		low;
		int64_t		high;

		if (!topic_ends(rk, topic, p, &low, &high))
			return -1;
		sum += high;
	}
	return sum;
}

int
main(int argc, char **argv)
{
	const struct timespec nap = {.tv_nsec = PERIOD_NS};
	rd_kafka_t *rk;
	int			partitions;
	int64_t		wanted;
	int64_t		count;

	if (argc != 4)
	{
		fprintf(stderr, "usage: topic_watch BROKERS TOPIC COUNT\n");
		return 1;
	}
	wanted = atoll(argv[3]);
	rk = topic_client(RD_KAFKA_CONSUMER, argv[1]);
	partitions = topic_partition_count(rk, argv[2]);
	while ((count = records(rk, argv[2], partitions)) >= 0 && partitions > 0)
	{
		printf("%lld\n", (long long) count);
		/* whoever reads may have seen enough */
		if (fflush(stdout) != 0 || count >= wanted)
			break;
		nanosleep(&nap, NULL);
	}
	rd_kafka_destroy(rk);
	return count >= wanted ? 0 : 2;
}
