/*
 * kafka_reaction_test.c
 *		What an error of Kafka leads to, and what outlives a producer.
 */
#include "kafka_reaction.h"
#include "pin.h"
#include "tap.h"

#define ERR(name) RD_KAFKA_RESP_ERR_##name

static const struct
{
	rd_kafka_resp_err_t err;
	enum kafka_reaction reaction;
	const char *hint_part;		/* NULL: none is wanted */
	const char *name;
}			cases[] = {
	{ERR(TOPIC_AUTHORIZATION_FAILED), KAFKA_ACCESS, "WRITE and DESCRIBE",
	"the topic's access rules"},
	{ERR(CLUSTER_AUTHORIZATION_FAILED), KAFKA_ACCESS, "IDEMPOTENT_WRITE",
	"the cluster's"},
	{ERR(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), KAFKA_ACCESS,
	"transactional id", "the transactional id's"},
	{ERR(SASL_AUTHENTICATION_FAILED), KAFKA_ACCESS, "sasl.", "a login"},
	{ERR(UNSUPPORTED_SASL_MECHANISM), KAFKA_ACCESS, "sasl.", "its kind"},
	{ERR(_AUTHENTICATION), KAFKA_ACCESS, "sasl.", "a login, said locally"},
	{ERR(_SSL), KAFKA_ACCESS, "ssl.", "TLS"},
	{ERR(MSG_SIZE_TOO_LARGE), KAFKA_SHRINK, "max.message.bytes",
	"a batch that is too large"},
	{ERR(RECORD_LIST_TOO_LARGE), KAFKA_SHRINK, "batch.size",
	"one larger than a segment"},
	{ERR(INVALID_RECORD), KAFKA_ONCE, "compacted", "a record without a key"},
	{ERR(INVALID_TIMESTAMP), KAFKA_PERSON, "message.timestamp", "a time"},
	{ERR(UNSUPPORTED_COMPRESSION_TYPE), KAFKA_PERSON, "compression.type",
	"a compression"},
	{ERR(UNSUPPORTED_FOR_MESSAGE_FORMAT), KAFKA_PERSON, "0.11", "a format"},
	{ERR(INVALID_MSG_SIZE), KAFKA_PERSON, NULL, "a size"},
	{ERR(TOPIC_EXCEPTION), KAFKA_PERSON, NULL, "a topic's name"},
	{ERR(INVALID_PARTITIONS), KAFKA_PERSON, NULL, "its partitions"},
	{ERR(INVALID_REPLICATION_FACTOR), KAFKA_PERSON, NULL, "its replicas"},
	{ERR(INVALID_CONFIG), KAFKA_PERSON, NULL, "its settings"},
	{ERR(POLICY_VIOLATION), KAFKA_PERSON, "policy", "a policy"},
	{ERR(UNSUPPORTED_VERSION), KAFKA_PERSON, "librdkafka", "a version"},
	{ERR(INVALID_REQUIRED_ACKS), KAFKA_PERSON, NULL, "acks"},

	{ERR(NOT_LEADER_FOR_PARTITION), KAFKA_RETRY, NULL, "another leader"},
	{ERR(NOT_ENOUGH_REPLICAS), KAFKA_RETRY, NULL, "too few replicas"},
	{ERR(UNKNOWN_TOPIC_OR_PART), KAFKA_RETRY, NULL, "a topic that is gone"},
	{ERR(OUT_OF_ORDER_SEQUENCE_NUMBER), KAFKA_RETRY, NULL, "a gap"},
	{ERR(UNKNOWN_PRODUCER_ID), KAFKA_RETRY, NULL, "a forgotten producer"},
	{ERR(KAFKA_STORAGE_ERROR), KAFKA_RETRY, NULL, "a broker's disk"},
	{ERR(_MSG_TIMED_OUT), KAFKA_RETRY, NULL, "silence"},
	{ERR(UNKNOWN), KAFKA_RETRY, NULL, "what nobody knows"},
};

static void
test_reactions(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const char *hint;
		bool		right = kafka_reaction_find(cases[i].err, &hint) ==
			cases[i].reaction;

		if (cases[i].hint_part == NULL)
			right = right && hint == NULL;
		else
			right = right && hint != NULL &&
				strstr(hint, cases[i].hint_part) != NULL;
		ok(right, cases[i].name);
	}
}

static void
test_pins(void)
{
	const struct position frame[] = {{100, 9}, {200, 0}, {200, 1}};
	struct pin *pin = pin_find("t");
	int64_t		before;

	ok(pin->count == 0 && !pin_any_worked(), "nothing is known at first");
	pin_set_count(pin, 2);
	ok(pin_advance(pin, 1, 0, frame[0], &before) && pin_any_worked(),
	   "the first offset may be 0");
	ok(pin_advance(pin, 1, 5, frame[1], &before), "offsets grow, with gaps");
	ok(!pin_advance(pin, 1, 5, frame[2], &before) && before == 5,
	   "the same offset again is a loss");
	ok(!pin_advance(pin, 1, 3, frame[2], &before) && before == 5,
	   "a smaller one too");
	ok(pin_advance(pin, 1, 3, frame[1], &before) &&
	   pin_advance(pin, 1, 2, frame[0], &before),
	   "but not of an older record, whose answer came late");
	ok(pin_advance(pin, 1, 6, frame[0], &before) &&
	   !pin_advance(pin, 1, 5, frame[1], &before) && before == 6,
	   "records that are sent again lie behind all");
	pin_set_count(pin, 4);
	ok(pin_find("t") == pin && !pin_advance(pin, 1, 4, frame[2], &before) &&
	   pin_advance(pin, 3, 0, frame[2], &before),
	   "more partitions: those there keep their offsets");
	ok(pin_find("u") != pin && pin_find("u")->count == 0,
	   "another topic is another");
}

int
main(void)
{
	test_reactions();
	test_pins();
	return tap_done();
}
