/*
 * producer.h
 *		Records into Kafka, delivery reports out of it.
 *
 * The sink that matters; see sink.h for what each function promises.
 */
#ifndef PRODUCER_H
#define PRODUCER_H

#include <stddef.h>
#include <librdkafka/rdkafka.h>

#include "config.h"

struct sink;

#define PRODUCER_ERROR_SIZE 512

/* A record may be this much smaller than message.max.bytes: batch overhead. */
#define PRODUCER_OVERHEAD 1024

/*
 * A librdkafka configuration from [kafka]: safe settings forced, keys that
 * load code or run commands refused, plaintext to another machine refused
 * unless it was asked for.  NULL with a message in err (errsize at least
 * PRODUCER_ERROR_SIZE), which names the key.  The caller owns the result.
 */
extern rd_kafka_conf_t *producer_conf(const struct config *config,
									  char *err, size_t errsize);

/* The number that a property is, in one that producer_conf() made. */
extern double producer_setting(const rd_kafka_conf_t *conf, const char *name);

/* The largest key and value that the client's settings let through. */
extern size_t producer_max_record(const struct config *config);

/*
 * What is known to be in the way of a login that was refused, or NULL:
 * librdkafka before 2.6.1 does not do SCRAM as Kafka 4 wants it.
 */
extern const char *producer_login_hint(const struct config *config);

extern const struct sink_ops producer_ops;

#endif							/* PRODUCER_H */
