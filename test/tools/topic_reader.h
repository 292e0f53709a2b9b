/*
 * topic_reader.h
 *		Reads whole Kafka topics from where the caller wants to the end, or
 *		for ever.
 */
#ifndef TOPIC_READER_H
#define TOPIC_READER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

/* All get "arg"; those that return false stop the reading. */
struct topic_reader
{
	const char *brokers;
	char	  **topics;
	int			topic_count;
	const char *isolation;		/* level; NULL: read_committed */
	bool		until_end;		/* stop at the high watermarks seen first */
	const volatile sig_atomic_t *stop;	/* or when this is set; may be NULL */

	/* offset to start a partition at; NULL means all at the beginning */
	int64_t		(*start) (const char *topic, int32_t partition, void *arg);
	/* told before that where the partition begins and ends; may be NULL */
	void		(*ends) (const char *topic, int32_t partition, int64_t low,
						 int64_t high, void *arg);
	bool		(*record) (const rd_kafka_message_t *msg, void *arg);
	/* no record waits, or many were handed out; NULL for none */
	bool		(*pause) (void *arg);
	void	   *arg;
};

/* Logs to stderr what went wrong and returns false then. */
extern bool topic_reader_run(const struct topic_reader *reader);

/* A client for "brokers"; exits with a message if it cannot be made. */
extern rd_kafka_t *topic_client(rd_kafka_type_t type, const char *brokers);

/* A consumer of an isolation level, likewise. */
extern rd_kafka_t *topic_consumer(const char *brokers, const char *isolation);

/* Number of partitions, 0 if the topic does not exist, -1 on failure. */
extern int	topic_partition_count(rd_kafka_t *rk, const char *topic);

/*
 * The offsets of a partition's first and next record.  A leader that is new
 * does not answer at once, so this tries for a while.
 */
extern bool topic_ends(rd_kafka_t *rk, const char *topic, int32_t partition,
					   int64_t *low, int64_t *high);

/* A consumer that stands behind what each partition holds now, or NULL. */
extern rd_kafka_t *topic_consumer_at_end(const char *brokers,
										 const char *topic);

#endif							/* TOPIC_READER_H */
