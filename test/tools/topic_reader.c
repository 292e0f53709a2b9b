/*
 * topic_reader.c
 *		Reads whole Kafka topics, see topic_reader.h.
 *
 * Partitions are assigned by hand: group membership would only add time, and
 * whoever keeps the position keeps it outside Kafka.
 */
#include "topic_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_BATCH			2000
#define READ_TIMEOUT_MS		100
#define BROKER_TIMEOUT_MS	30000

/* One assigned partition. */
struct part
{
	char	   *topic;
	int32_t		id;
	int64_t		end;			/* high watermark when we began */
	bool		done;
};

struct reading
{
	const struct topic_reader *reader;
	rd_kafka_t *rk;
	struct part *parts;
	int			count;
	int			left;			/* parts that are not done */
};

static rd_kafka_conf_t *client_conf(const char *brokers);
static rd_kafka_t *make_client(rd_kafka_type_t type, rd_kafka_conf_t *conf);
static void conf_set(rd_kafka_conf_t *conf, const char *name,
					 const char *value);
static bool add_topic(struct reading *r, const char *topic,
					  rd_kafka_topic_partition_list_t *list);
static bool assign_all(struct reading *r);
static bool read_all(struct reading *r);
static bool handle(struct reading *r, const rd_kafka_message_t *msg);
static void mark_read(struct reading *r, const rd_kafka_message_t *msg,
					  int64_t next);

bool
topic_reader_run(const struct topic_reader *reader)
{
	struct reading r = {.reader = reader};
	bool		ok;

	r.rk = topic_consumer(reader->brokers, reader->isolation ?
						  reader->isolation : "read_committed");
	rd_kafka_poll_set_consumer(r.rk);
	ok = assign_all(&r) && read_all(&r);

	rd_kafka_consumer_close(r.rk);
	rd_kafka_destroy(r.rk);
	for (int i = 0; i < r.count; i++)
		free(r.parts[i].topic);
	free(r.parts);
	return ok;
}

rd_kafka_t *
topic_client(rd_kafka_type_t type, const char *brokers)
{
	rd_kafka_conf_t *conf;

	if (type == RD_KAFKA_CONSUMER)
		return topic_consumer(brokers, "read_committed");
	conf = client_conf(brokers);
	conf_set(conf, "partitioner", "murmur2_random");	/* as Java */
	return make_client(type, conf);
}

rd_kafka_t *
topic_consumer(const char *brokers, const char *isolation)
{
	rd_kafka_conf_t *conf = client_conf(brokers);

	conf_set(conf, "group.id", "unused");	/* assign() wants one */
	conf_set(conf, "enable.auto.commit", "false");
	conf_set(conf, "enable.partition.eof", "true");
	conf_set(conf, "auto.offset.reset", "earliest");
	conf_set(conf, "isolation.level", isolation);
	conf_set(conf, "check.crcs", "true");
	conf_set(conf, "fetch.wait.max.ms", "20");
	return make_client(RD_KAFKA_CONSUMER, conf);
}

int
topic_partition_count(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t err;
	int			count = -1;

	err = rd_kafka_metadata(rk, 0, rkt, &md, BROKER_TIMEOUT_MS);
	rd_kafka_topic_destroy(rkt);
	if (err)
	{
		fprintf(stderr, "could not get metadata of topic \"%s\": %s\n",
				topic, rd_kafka_err2str(err));
		return -1;
	}
	if (md->topic_cnt == 1 && md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
		count = md->topics[0].partition_cnt;
	else if (md->topic_cnt == 1 &&
			 md->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		count = 0;
	rd_kafka_metadata_destroy(md);
	return count;
}

bool
topic_ends(rd_kafka_t *rk, const char *topic, int32_t partition,
		   int64_t *low, int64_t *high)
{
	const struct timespec nap = {.tv_nsec = 50 * 1000 * 1000};
	time_t		until = time(NULL) + BROKER_TIMEOUT_MS / 1000;
	rd_kafka_resp_err_t err;

	while ((err = rd_kafka_query_watermark_offsets(rk, topic, partition, low,
												   high, BROKER_TIMEOUT_MS)) &&
		   time(NULL) < until)
		nanosleep(&nap, NULL);
	if (err)
		fprintf(stderr, "could not get the end of \"%s\" [%d]: %s\n",
				topic, (int) partition, rd_kafka_err2str(err));
	return !err;
}

rd_kafka_t *
topic_consumer_at_end(const char *brokers, const char *topic)
{
	rd_kafka_t *rk = topic_client(RD_KAFKA_CONSUMER, brokers);
	int			count = topic_partition_count(rk, topic);
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(8);

	for (int p = 0; p < count; p++)
	{
		int64_t		low = 0;
		int64_t		high = 0;

		if (!topic_ends(rk, topic, p, &low, &high))
			return NULL;
		rd_kafka_topic_partition_list_add(list, topic, p)->offset = high;
	}
	if (count <= 0 || rd_kafka_assign(rk, list))
		return NULL;
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}

static rd_kafka_conf_t *
client_conf(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	conf_set(conf, "bootstrap.servers", brokers);
	conf_set(conf, "allow.auto.create.topics", "false");
	/* a broker that starts is found at once */
	conf_set(conf, "reconnect.backoff.ms", "20");
	conf_set(conf, "reconnect.backoff.max.ms", "100");
	/* 2.14.2 may lose sight of a broker that starts, for these 5 minutes */
	if (rd_kafka_version() >= 0x020b0000)
		conf_set(conf, "metadata.recovery.rebootstrap.trigger.ms", "5000");
	return conf;
}

static rd_kafka_t *
make_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char		err[512];
	rd_kafka_t *rk = rd_kafka_new(type, conf, err, sizeof(err));

	if (rk == NULL)
	{
		fprintf(stderr, "could not make a Kafka client: %s\n", err);
		exit(2);
	}
	return rk;
}

static void
conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		err[512];

	if (rd_kafka_conf_set(conf, name, value, err, sizeof(err)) !=
		RD_KAFKA_CONF_OK)
	{
		fprintf(stderr, "could not set \"%s\": %s\n", name, err);
		exit(2);
	}
}

static bool
assign_all(struct reading *r)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(8);
	rd_kafka_resp_err_t err;
	bool		ok = true;

	for (int i = 0; ok && i < r->reader->topic_count; i++)
		ok = add_topic(r, r->reader->topics[i], list);
	if (ok && (err = rd_kafka_assign(r->rk, list)) != 0)
	{
		fprintf(stderr, "could not assign partitions: %s\n",
				rd_kafka_err2str(err));
		ok = false;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return ok;
}

/* An empty partition has nothing to wait for and counts as done. */
static bool
add_topic(struct reading *r, const char *topic,
		  rd_kafka_topic_partition_list_t *list)
{
	const struct topic_reader *reader = r->reader;
	int			count = topic_partition_count(r->rk, topic);

	if (count <= 0)
	{
		fprintf(stderr, "topic \"%s\" does not exist\n", topic);
		return false;
	}
	r->parts = realloc(r->parts, (r->count + count) * sizeof(*r->parts));
	for (int32_t id = 0; id < count; id++)
	{
		struct part *part = &r->parts[r->count++];
		int64_t		low;
		int64_t		start = RD_KAFKA_OFFSET_BEGINNING;

		*part = (struct part) {.topic = strdup(topic), .id = id};
		if (!topic_ends(r->rk, topic, id, &low, &part->end))
			return false;
		if (reader->ends)
			reader->ends(topic, id, low, part->end, reader->arg);
		if (reader->start)
			start = reader->start(topic, id, reader->arg);
		part->done = part->end <= (start > low ? start : low);
		r->left += !part->done;
		rd_kafka_topic_partition_list_add(list, topic, id)->offset = start;
	}
	return true;
}

static bool
read_all(struct reading *r)
{
	const struct topic_reader *reader = r->reader;
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(r->rk);
	rd_kafka_message_t *msgs[READ_BATCH];
	bool		ok = true;

	while (ok && !(reader->until_end && r->left == 0) &&
		   !(reader->stop && *reader->stop))
	{
		ssize_t		n = rd_kafka_consume_batch_queue(queue, READ_TIMEOUT_MS,
													 msgs, READ_BATCH);

		for (ssize_t i = 0; i < n; i++)
		{
			ok = ok && handle(r, msgs[i]);
			rd_kafka_message_destroy(msgs[i]);
		}
		ok = ok && (reader->pause == NULL || reader->pause(reader->arg));
	}
	rd_kafka_queue_destroy(queue);
	return ok;
}

static bool
handle(struct reading *r, const rd_kafka_message_t *msg)
{
	if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
	{
		mark_read(r, msg, msg->offset);
		return true;
	}
	if (msg->err)
	{
		/* the client goes on by itself after everything but these */
		bool		fatal = msg->err == RD_KAFKA_RESP_ERR__FATAL ||
			msg->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
			msg->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

		fprintf(stderr, "Kafka: %s\n", rd_kafka_message_errstr(msg));
		return !fatal;
	}
	mark_read(r, msg, msg->offset + 1);
	return r->reader->record(msg, r->reader->arg);
}

static void
mark_read(struct reading *r, const rd_kafka_message_t *msg, int64_t next)
{
	const char *topic = rd_kafka_topic_name(msg->rkt);

	for (int i = 0; i < r->count; i++)
	{
		struct part *part = &r->parts[i];

		if (part->id != msg->partition || strcmp(part->topic, topic) != 0)
			continue;
		if (!part->done && next >= part->end)
		{
			part->done = true;
			r->left--;
		}
		return;
	}
}
