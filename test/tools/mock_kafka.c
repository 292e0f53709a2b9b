/*
 * mock_kafka.c
 *		librdkafka's mock cluster as a process, for tests without Java and for
 *		faults that a real broker does not produce on demand.
 *
 * Prints its bootstrap servers, then obeys lines on stdin and answers each
 * with "ok" or "error": a test has no other way to know that a fault is in
 * place.  Ends at end of file.  The mock keeps only the last 5 MB or 100,000
 * records of a partition, which it says in librdkafka's source alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define PRODUCE_API	0

static rd_kafka_resp_err_t obey(rd_kafka_mock_cluster_t *cluster, char *line);

int
main(void)
{
	char		err[512];
	char		line[1024];
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;

	rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), err,
					  sizeof(err));
	cluster = rk ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
	if (cluster == NULL)
	{
		fprintf(stderr, "could not make a mock cluster\n");
		return 2;
	}
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);

	while (fgets(line, sizeof(line), stdin))
	{
		rd_kafka_resp_err_t code;

		line[strcspn(line, "\n")] = '\0';
		code = obey(cluster, line);
		printf("%s\n", code ? "error" : "ok");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}

static rd_kafka_resp_err_t
obey(rd_kafka_mock_cluster_t *cluster, char *line)
{
	char		topic[256];
	int			number;
	int			count;

	if (strcmp(line, "down") == 0)
		return rd_kafka_mock_broker_set_down(cluster, 1);
	if (strcmp(line, "up") == 0)
		return rd_kafka_mock_broker_set_up(cluster, 1);
	if (sscanf(line, "topic %255s %d", topic, &number) == 2)
		return rd_kafka_mock_topic_create(cluster, topic, number, 1);
	if (sscanf(line, "rtt %d", &number) == 1)
		return rd_kafka_mock_broker_set_rtt(cluster, 1, number);
	if (sscanf(line, "fail %d %d", &count, &number) == 2)
	{
		while (count-- > 0)
			rd_kafka_mock_push_request_errors(cluster, PRODUCE_API, 1,
											  (rd_kafka_resp_err_t) number);
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	return RD_KAFKA_RESP_ERR__INVALID_ARG;
}
