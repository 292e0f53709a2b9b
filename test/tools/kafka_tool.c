/*
 * kafka_tool.c
 *		What the tests need of a Kafka cluster: topics made, filled, read.
 *
 * The tools that come with Kafka take a second each to start a JVM; a test
 * calls for dozens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topic_reader.h"

#define TIMEOUT_MS	120000

static int	cmd_wait(const char *brokers, int argc, char **argv);
static int	cmd_create(const char *brokers, int argc, char **argv);
static int	cmd_delete(const char *brokers, int argc, char **argv);
static int	cmd_add_partitions(const char *brokers, int argc, char **argv);
static int	cmd_list(const char *brokers, int argc, char **argv);
static int	cmd_ends(const char *brokers, int argc, char **argv);
static int	cmd_truncate(const char *brokers, int argc, char **argv);
static int	cmd_read(const char *brokers, int argc, char **argv);
static int	cmd_read_all(const char *brokers, int argc, char **argv);
static int	cmd_dump(const char *brokers, int argc, char **argv);
static int	cmd_produce(const char *brokers, int argc, char **argv);

static const struct command
{
	const char *name;
	int			min_args;
	int			(*run) (const char *brokers, int argc, char **argv);
	const char *args;
	const char *help;
}			commands[] =
{
	{"wait", 0, cmd_wait, "[BROKERS]",
	"return when the cluster answers and has that many brokers"},
	{"create", 2, cmd_create, "NAME PARTITIONS [CONFIG=VALUE...]",
	"make a topic and wait for its leaders"},
	{"delete", 1, cmd_delete, "NAME", "until it is gone"},
	{"add-partitions", 2, cmd_add_partitions, "NAME TOTAL",
	"until they have leaders"},
	{"list", 0, cmd_list, "", "lines of topic, partition count"},
	{"ends", 1, cmd_ends, "NAME...",
	"lines of topic, partition, high watermark"},
	{"truncate", 1, cmd_truncate, "NAME...", "delete every record"},
	{"read", 1, cmd_read, "NAME...", "one line of JSON for each record"},
	{"read-all", 1, cmd_read_all, "NAME...",
	"the same of what is aborted or open, too"},
	{"dump", 1, cmd_dump, "NAME...",
	"lines of topic, partition, offset and in hex key, value, headers"},
	{"produce", 1, cmd_produce, "NAME",
	"lines of partition (-1: by key), key, value; \\N is null"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc >= 3 && i < COMMANDS; i++)
		if (strcmp(argv[2], commands[i].name) == 0 &&
			argc - 3 >= commands[i].min_args)
			return commands[i].run(argv[1], argc - 3, argv + 3);

	fprintf(stderr, "usage: kafka_tool BROKERS COMMAND ...\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stderr, "  %s %s\n\t%s\n", commands[i].name,
				commands[i].args, commands[i].help);
	return 1;
}

/* Whether "ready" comes true before the time is over. */
static bool
wait_for(bool (*ready) (rd_kafka_t *rk, const char *topic, int want),
		 rd_kafka_t *rk, const char *topic, int want)
{
	const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
	time_t		until = time(NULL) + TIMEOUT_MS / 1000;

	while (!ready(rk, topic, want))
	{
		if (time(NULL) > until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static bool
cluster_answers(rd_kafka_t *rk, const char *topic, int want)
{
	const struct rd_kafka_metadata *md;
	bool		ok;

	/* the library tries to connect each time that it is asked, not between */
	if (rd_kafka_metadata(rk, 0, NULL, &md, 300) != 0)
		return false;
	ok = md->broker_cnt >= want;
	rd_kafka_metadata_destroy(md);
	return ok;
}

/* All "want" partitions have a leader; with 0: the topic is gone. */
static bool
topic_settled(rd_kafka_t *rk, const char *topic, int want)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *md;
	int			leaders = 0;

	if (rd_kafka_metadata(rk, 0, rkt, &md, TIMEOUT_MS) != 0)
	{
		rd_kafka_topic_destroy(rkt);
		return false;
	}
	for (int i = 0; md->topic_cnt == 1 && md->topics[0].err == 0 &&
		 i < md->topics[0].partition_cnt; i++)
		leaders += md->topics[0].partitions[i].leader >= 0;
	rd_kafka_metadata_destroy(md);
	rd_kafka_topic_destroy(rkt);
	return leaders == want;
}

static int
cmd_wait(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	bool		ok;

	/* "connection refused" until the broker is up is what we wait for */
	rd_kafka_set_log_level(rk, 0);
	ok = wait_for(cluster_answers, rk, NULL, argc > 0 ? atoi(argv[0]) : 1);
	rd_kafka_destroy(rk);
	if (!ok)
		fprintf(stderr, "no answer from \"%s\"\n", brokers);
	return ok ? 0 : 2;
}

/*
 * Waits for the one result of an admin request and judges it.  Takes the
 * queue and the client.
 */
static int
finish_admin(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *what,
			 const char *topic, int partitions)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	const rd_kafka_topic_result_t **results = NULL;
	size_t		count = 0;
	const char *error = NULL;
	int			status = 0;

	if (event == NULL)
		error = "no answer";
	else if (rd_kafka_event_error(event))
		error = rd_kafka_event_error_string(event);
	else if (rd_kafka_event_CreateTopics_result(event))
		results = rd_kafka_CreateTopics_result_topics(
			rd_kafka_event_CreateTopics_result(event), &count);
	else if (rd_kafka_event_DeleteTopics_result(event))
		results = rd_kafka_DeleteTopics_result_topics(
			rd_kafka_event_DeleteTopics_result(event), &count);
	else if (rd_kafka_event_CreatePartitions_result(event))
		results = rd_kafka_CreatePartitions_result_topics(
			rd_kafka_event_CreatePartitions_result(event), &count);
	if (count == 1 && rd_kafka_topic_result_error(results[0]))
		error = rd_kafka_topic_result_error_string(results[0]);
	if (!error && !wait_for(topic_settled, rk, topic, partitions))
		error = "the cluster did not settle";
	if (error)
	{
		fprintf(stderr, "could not %s topic \"%s\": %s\n", what, topic, error);
		status = 2;
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return status;
}

static int
cmd_create(const char *brokers, int argc, char **argv)
{
	char		err[512];
	int			partitions = atoi(argv[1]);
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_NewTopic_t *topic;

	/* as many replicas as the brokers give by default */
	topic = rd_kafka_NewTopic_new(argv[0], partitions, -1, err, sizeof(err));
	if (topic == NULL)
	{
		fprintf(stderr, "topic \"%s\": %s\n", argv[0], err);
		return 1;
	}
	for (int i = 2; i < argc; i++)
	{
		char	   *value = strchr(argv[i], '=');

		if (value == NULL)
		{
			fprintf(stderr, "\"%s\" is not CONFIG=VALUE\n", argv[i]);
			return 1;
		}
		*value++ = '\0';
		rd_kafka_NewTopic_set_config(topic, argv[i], value);
	}
	rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
	rd_kafka_NewTopic_destroy(topic);
	return finish_admin(rk, queue, "create", argv[0], partitions);
}

static int
cmd_delete(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[0]);

	rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
	rd_kafka_DeleteTopic_destroy(topic);
	return finish_admin(rk, queue, "delete", argv[0], 0);
}

static int
cmd_add_partitions(const char *brokers, int argc, char **argv)
{
	char		err[512];
	int			total = atoi(argv[1]);
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_NewPartitions_t *parts;

	parts = rd_kafka_NewPartitions_new(argv[0], total, err, sizeof(err));
	if (parts == NULL)
	{
		fprintf(stderr, "topic \"%s\": %s\n", argv[0], err);
		return 1;
	}
	rd_kafka_CreatePartitions(rk, &parts, 1, NULL, queue);
	rd_kafka_NewPartitions_destroy(parts);
	return finish_admin(rk, queue, "add partitions to", argv[0], total);
}

static int
cmd_list(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 1, NULL, &md, TIMEOUT_MS);

	if (err)
	{
		fprintf(stderr, "could not list topics: %s\n", rd_kafka_err2str(err));
		return 2;
	}
	for (int i = 0; i < md->topic_cnt; i++)
		printf("%s\t%d\n", md->topics[i].topic, md->topics[i].partition_cnt);
	rd_kafka_metadata_destroy(md);
	rd_kafka_destroy(rk);
	return 0;
}

static int
cmd_ends(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_CONSUMER, brokers);
	int			status = 0;

	for (int i = 0; i < argc; i++)
	{
		int			count = topic_partition_count(rk, argv[i]);

		for (int part = 0; part < count; part++)
		{
			int64_t		low;
			int64_t		high;

			if (topic_ends(rk, argv[i], part, &low, &high))
				printf("%s\t%d\t%lld\n", argv[i], part, (long long) high);
			else
				status = 2;
		}
		if (count <= 0)
			status = 2;
	}
	rd_kafka_destroy(rk);
	return status;
}

/* As retention would: the partitions keep their offsets. */
static int
cmd_truncate(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(argc);
	rd_kafka_DeleteRecords_t *request;
	rd_kafka_event_t *event;
	int			status = 0;

	for (int i = 0; i < argc; i++)
		for (int part = topic_partition_count(rk, argv[i]); part-- > 0;)
			rd_kafka_topic_partition_list_add(list, argv[i], part)->offset =
				RD_KAFKA_OFFSET_END;
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	if (event == NULL || rd_kafka_event_error(event))
	{
		fprintf(stderr, "could not delete records: %s\n", event == NULL ?
				"no answer" : rd_kafka_event_error_string(event));
		status = 2;
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return status;
}

static void
print_string(const char *bytes, size_t len)
{
	if (bytes == NULL)
	{
		fputs("null", stdout);
		return;
	}
	putc_unlocked('"', stdout);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (c == '"' || c == '\\')
			putc_unlocked('\\', stdout);
		if (c < 0x20)
			printf("\\u%04x", c);
		else
			putc_unlocked(c, stdout);
	}
	putc_unlocked('"', stdout);
}

static bool
print_record(const rd_kafka_message_t *msg, void *arg)
{
	printf("{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"key\":",
		   rd_kafka_topic_name(msg->rkt), (int) msg->partition,
		   (long long) msg->offset);
	print_string(msg->key, msg->key_len);
	fputs(",\"value\":", stdout);
	print_string(msg->payload, msg->len);
	puts("}");
	return !ferror(stdout);
}

static int
cmd_read(const char *brokers, int argc, char **argv)
{
	struct topic_reader reader = {
		.brokers = brokers,
		.topics = argv,
		.topic_count = argc,
		.until_end = true,
		.record = print_record,
	};

	return topic_reader_run(&reader) && fflush(stdout) == 0 ? 0 : 2;
}

static int
cmd_read_all(const char *brokers, int argc, char **argv)
{
	struct topic_reader reader = {
		.brokers = brokers,
		.topics = argv,
		.topic_count = argc,
		.isolation = "read_uncommitted",
		.until_end = true,
		.record = print_record,
	};

	return topic_reader_run(&reader) && fflush(stdout) == 0 ? 0 : 2;
}

/* \N for null */
static void
print_hex(const void *bytes, size_t len)
{
	if (bytes == NULL)
		fputs("\\N", stdout);
	for (size_t i = 0; bytes != NULL && i < len; i++)
		printf("%02x", ((const unsigned char *) bytes)[i]);
}

static bool
dump_record(const rd_kafka_message_t *msg, void *arg)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t		len;

	printf("%s\t%d\t%lld\t", rd_kafka_topic_name(msg->rkt),
		   (int) msg->partition, (long long) msg->offset);
	print_hex(msg->key, msg->key_len);
	putchar('\t');
	print_hex(msg->payload, msg->len);
	if (rd_kafka_message_headers(msg, &headers) != 0)
		headers = NULL;
	for (size_t i = 0; headers != NULL &&
		 rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0; i++)
	{
		putchar('\t');
		print_hex(name, strlen(name));
		putchar('\t');
		print_hex(value, len);
	}
	putchar('\n');
	return !ferror(stdout);
}

static int
cmd_dump(const char *brokers, int argc, char **argv)
{
	struct topic_reader reader = {
		.brokers = brokers,
		.topics = argv,
		.topic_count = argc,
		.until_end = true,
		.record = dump_record,
	};

	return topic_reader_run(&reader) && fflush(stdout) == 0 ? 0 : 2;
}

/* Splits off the text up to the next tab; NULL when there is none. */
static char *
next_field(char **rest)
{
	char	   *field = *rest;
	char	   *tab = strchr(field, '\t');

	if (tab == NULL)
		return NULL;
	*tab = '\0';
	*rest = tab + 1;
	return field;
}

static bool
produce_line(rd_kafka_t *rk, const char *topic, char *line)
{
	char	   *partition = next_field(&line);
	char	   *key = partition ? next_field(&line) : NULL;
	bool		null_key = key && strcmp(key, "\\N") == 0;
	bool		null_value = strcmp(line, "\\N") == 0;
	rd_kafka_resp_err_t err;

	if (key == NULL)
	{
		fprintf(stderr, "a line is not PARTITION<tab>KEY<tab>VALUE\n");
		return false;
	}
	err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
							RD_KAFKA_V_PARTITION(atoi(partition)),
							RD_KAFKA_V_KEY(null_key ? NULL : key,
										   null_key ? 0 : strlen(key)),
							RD_KAFKA_V_VALUE(null_value ? NULL : line,
											 null_value ? 0 : strlen(line)),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY |
												RD_KAFKA_MSG_F_BLOCK),
							RD_KAFKA_V_END);
	if (err)
		fprintf(stderr, "could not produce: %s\n", rd_kafka_err2str(err));
	return !err;
}

static int
cmd_produce(const char *brokers, int argc, char **argv)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_PRODUCER, brokers);
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;
	int			count = 0;
	bool		ok = true;

	while (ok && (len = getline(&line, &size, stdin)) > 0)
	{
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		ok = produce_line(rk, argv[0], line);
		/* a topic just made may refuse a batch: then none is behind it */
		if (++count <= 20)
			ok = rd_kafka_flush(rk, TIMEOUT_MS) == 0 && ok;
	}
	free(line);
	ok = rd_kafka_flush(rk, TIMEOUT_MS) == 0 && ok;
	rd_kafka_destroy(rk);
	return ok ? 0 : 2;
}
