/*
 * oversize_test.c
 *		The address of a record that the broker has refused for its size.
 *		Prints TAP.
 */
#include "frames.h"
#include "logged.h"
#include "oversize.h"
#include "tap.h"

static struct frames frame;
static struct ledger_entry entry;
static rd_kafka_message_t message;

/* librdkafka's, of a topic that does not exist */
const char *
rd_kafka_topic_name(const rd_kafka_topic_t *topic)
{
	return "t";
}

static void
refuse(void)
{
	oversize_refused(&message);
}

static const char *
refused(void *value, size_t len, const char *key)
{
	message = (rd_kafka_message_t) {
		.payload = value,
		.len = len,
		.key = (void *) key,
		.key_len = strlen(key),
		._private = &entry,
	};
	return logged(refuse);
}

int
main(void)
{
	frames_begin(&frame, 0x200);
	frames_topic(&frame, 1, "t");
	frames_table(&frame, 1, 1, "public", "t");
	frames_txn(&frame, 0x100, 7);
	frames_record(&frame, 1, 0, 0, "one", "value");
	frames_record(&frame, 1, 0, WIRE_RECORD_NULL_VALUE, "one", "");
	frames_record(&frame, 1, 0, WIRE_RECORD_NULL_VALUE, "two", "");
	frames_record(&frame, 1, 0, 0, "two", "");
	entry.frame = frame.data;
	entry.frame_size = frame.len;

	ok(strstr(refused(memmem(frame.data, frame.len, "value", 5), 5, "one"),
			  "the record at LSN 0/100, seq_id 7 has 8 bytes, and topic "
			  "\"t\" does not take it") != NULL, "a record is named");
	ok(strstr(refused(NULL, 0, "two"), "seq_id 9 has 3 bytes") != NULL,
	   "a tombstone, too");
	return tap_done();
}
