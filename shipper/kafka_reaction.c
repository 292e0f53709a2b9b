/*
 * kafka_reaction.c
 *		What to do when Kafka refuses.
 */
#include "kafka_reaction.h"

#include <stddef.h>

struct row
{
	rd_kafka_resp_err_t err;
	enum kafka_reaction reaction;
	const char *hint;			/* NULL: none */
};

#define LOGIN_HINT	"Check the sasl. and ssl. keys of [kafka]."

#define FENCED_HINT	"Another shipper has taken the transactional id, or a " \
	"transaction was open for longer than transaction.timeout.ms."

static const struct row rows[] = {
	/* --- access: a rule that was taken away is mostly put back --- */
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, KAFKA_ACCESS,
		"Allow the shipper's principal WRITE and DESCRIBE on the topic, and "
		"CREATE with topics = create."},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, KAFKA_ACCESS,
		"Allow the shipper's principal IDEMPOTENT_WRITE on the cluster (Kafka "
		"before 2.8), and CREATE with topics = create."},
	{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KAFKA_ACCESS,
		"Allow the shipper's principal WRITE and DESCRIBE on the "
		"transactional id."},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, KAFKA_ACCESS, LOGIN_HINT},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, KAFKA_ACCESS, LOGIN_HINT},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, KAFKA_ACCESS, LOGIN_HINT},
	{RD_KAFKA_RESP_ERR__SSL, KAFKA_ACCESS,
		"Check security.protocol and the ssl. keys of [kafka], and that the "
		"port is the one with TLS."},

	/* --- records that the broker does not take --- */
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, KAFKA_SHRINK,
		"Raise max.message.bytes of the topic."},
	{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, KAFKA_SHRINK,
		"Lower batch.size in [kafka], or raise segment.bytes of the topic."},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, KAFKA_ONCE,
		"A compacted topic takes no record without a key: give the table a "
		"key, or set cleanup.policy=delete on the topic."},
	{RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, KAFKA_PERSON,
		"Set message.timestamp.type=LogAppendTime on the topic, or widen its "
		"message.timestamp.before.max.ms and after.max.ms."},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, KAFKA_PERSON,
		"Set another compression.type in [kafka]."},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, KAFKA_PERSON,
		"Kafka 0.11 or later is needed, with its message format."},
	{RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, KAFKA_PERSON, NULL},

	/* --- topics that cannot be, or not be made --- */
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, KAFKA_PERSON, NULL},
	{RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, KAFKA_PERSON, NULL},
	{RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, KAFKA_PERSON, NULL},
	{RD_KAFKA_RESP_ERR_INVALID_CONFIG, KAFKA_PERSON, NULL},
	{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, KAFKA_PERSON,
		"A policy of the brokers forbids it."},

	/* --- exactly once --- */
	{RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, KAFKA_PERSON,
		"transaction.timeout.ms in [kafka] must not exceed "
		"transaction.max.timeout.ms of the brokers."},
	{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, KAFKA_PERSON,
		"The brokers are too old for what [wal2kafka] asks for."},
	{RD_KAFKA_RESP_ERR_PRODUCER_FENCED, KAFKA_RETRY, FENCED_HINT},
	{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, KAFKA_RETRY, FENCED_HINT},
	{RD_KAFKA_RESP_ERR__FENCED, KAFKA_RETRY, FENCED_HINT},

	/* --- what only another program or configuration mends --- */
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, KAFKA_PERSON,
		"The brokers are too old, or too new, for this librdkafka."},
	{RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, KAFKA_PERSON, NULL},
};

enum kafka_reaction
kafka_reaction_find(rd_kafka_resp_err_t err, const char **hint)
{
	*hint = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == err)
		{
			*hint = rows[i].hint;
			return rows[i].reaction;
		}
	return KAFKA_RETRY;
}
