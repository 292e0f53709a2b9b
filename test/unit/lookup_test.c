/*
 * lookup_test.c
 *		Topics whose settings no broker tells in time.  Prints TAP.
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "lookup.h"
#include "tap.h"
#include "topic.h"

#define WAIT_MS		20000

static int	asked;				/* for settings; the thread's until it answers */

/* --- a Kafka that knows the topic, and is slow to tell its settings --- */

rd_kafka_resp_err_t
rd_kafka_metadata(rd_kafka_t *kafka, int all, rd_kafka_topic_t *only,
				  const struct rd_kafka_metadata **metadata, int timeout)
{
	static struct rd_kafka_metadata_topic topic = {
		.topic = (char *) "t",
		.partition_cnt = 3,
	};
	static const struct rd_kafka_metadata answer = {
		.topic_cnt = 1,
		.topics = &topic,
	};

	*metadata = &answer;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata)
{
}

void
rd_kafka_DescribeConfigs(rd_kafka_t *kafka, rd_kafka_ConfigResource_t **list,
						 size_t count, const rd_kafka_AdminOptions_t *options,
						 rd_kafka_queue_t *queue)
{
	asked++;
}

rd_kafka_event_t *
rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout)
{
	return NULL;
}

/* --------------------------------------------------------------------- */

/* Partitions of the topic; 0: no answer. */
static int32_t
look_up(struct lookups *lookups, struct topic *topic, int wake)
{
	struct pollfd fd = {wake, POLLIN, 0};
	struct lookup *answer = NULL;
	char		byte;
	int32_t		count;

	lookups_ask(lookups, topic, false);
	if (poll(&fd, 1, WAIT_MS) == 1 && read(wake, &byte, 1) == 1)
		answer = lookups_take(lookups);
	count = answer != NULL ? answer->count : 0;
	free(answer);
	return count;
}

int
main(void)
{
	char		err[512];
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, err,
									 sizeof(err));
	struct config config = {.topics = TOPICS_REQUIRE};
	struct topic topic = {.name = (char *) "t"};
	struct lookups *lookups;
	int			wake[2];

	if (kafka == NULL || pipe(wake) != 0)
		return 1;
	lookups = lookups_open(&config, kafka, wake[1]);
	ok(look_up(lookups, &topic, wake[0]) == 3 && asked == 1,
	   "a topic is known without its settings");
	ok(look_up(lookups, &topic, wake[0]) == 3 && asked == 2,
	   "those of the next are asked for all the same");
	lookups_close(lookups);
	rd_kafka_destroy(kafka);
	return tap_done();
}
