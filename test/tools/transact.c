/*
 * transact.c
 *		One Kafka transaction by hand, for histories as they should not be.
 *
 *		transact BROKERS ID commit|abort|leave TOPIC
 *
 * Lines on stdin are PARTITION <tab> KEY <tab> VALUE.  "leave" ends without a
 * word, as a process that was killed: its records stay undecided.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define TIMEOUT_MS	30000

static void
demand(rd_kafka_error_t *error, const char *what)
{
	if (error == NULL)
		return;
	fprintf(stderr, "could not %s: %s\n", what, rd_kafka_error_string(error));
	exit(2);
}

static rd_kafka_t *
make_producer(const char *brokers, const char *id)
{
	char		err[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, err,
						  sizeof(err)) != 0 ||
		rd_kafka_conf_set(conf, "transactional.id", id, err,
						  sizeof(err)) != 0 ||
		/* a coordinator that is not ready yet is asked again */
		rd_kafka_conf_set(conf, "log_level", "3", err, sizeof(err)) != 0 ||
		(rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err))) == NULL)
	{
		fprintf(stderr, "could not make a producer: %s\n", err);
		exit(2);
	}
	return rk;
}

static void
produce_line(rd_kafka_t *rk, const char *topic, char *line)
{
	int			partition = atoi(strsep(&line, "\t"));
	char	   *key = strsep(&line, "\t");
	rd_kafka_resp_err_t err;

	if (key == NULL || line == NULL)
		exit(1);
	err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
							RD_KAFKA_V_PARTITION(partition),
							RD_KAFKA_V_KEY(key, strlen(key)),
							RD_KAFKA_V_VALUE(line, strlen(line)),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							RD_KAFKA_V_END);
	if (err)
	{
		fprintf(stderr, "could not produce: %s\n", rd_kafka_err2str(err));
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	char	   *line = NULL;
	size_t		size = 0;
	rd_kafka_t *rk;

	if (argc != 5)
		return 1;
	rk = make_producer(argv[1], argv[2]);
	demand(rd_kafka_init_transactions(rk, TIMEOUT_MS), "begin");
	demand(rd_kafka_begin_transaction(rk), "begin");
	while (getline(&line, &size, stdin) > 0)
	{
		line[strcspn(line, "\n")] = '\0';
		produce_line(rk, argv[4], line);
	}
	if (rd_kafka_flush(rk, TIMEOUT_MS) != 0)
		return 2;
	if (strcmp(argv[3], "commit") == 0)
		demand(rd_kafka_commit_transaction(rk, TIMEOUT_MS), "commit");
	else if (strcmp(argv[3], "abort") == 0)
		demand(rd_kafka_abort_transaction(rk, TIMEOUT_MS), "abort");
	else
		_Exit(0);
	free(line);
	rd_kafka_destroy(rk);
	return 0;
}
