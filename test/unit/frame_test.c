/*
 * frame_test.c
 *		Frames that are right, torn and hostile.
 *
 * Every frame is parsed from memory of exactly its size, so that one byte too
 * far is seen by the sanitizer.
 */
#include "frame.h"
#include "frames.h"
#include "tap.h"

/* Reads all of a frame; returns the error, or NULL. */
static const char *
read_all(const char *data, size_t len, struct frame *frame)
{
	struct frame_error error;
	struct frame_entry entry;
	struct view name;
	struct view value;
	uint32_t	records = 0;
	volatile char sum = 0;

	if (!frame_parse(frame, data, len, &error))
		return error.offset <= len ? error.text : "offset beyond the frame";
	while (frame_next(frame, &entry))
	{
		if (entry.kind != WIRE_RECORD)
			continue;
		records++;
		for (size_t i = 0; i < entry.record.value.len; i++)
			sum += entry.record.value.data[i];
		for (size_t i = 0; i < entry.record.key.len; i++)
			sum += entry.record.key.data[i];
		while (frame_next_header(&entry.record.headers, &name, &value))
			sum += (char) (name.len + value.len);
	}
	if (frame->next != frame->end || records != frame->records)
		return "parsed, but not read to its end";
	return NULL;
}

static const char *
parse_copy(const struct frames *made, size_t len)
{
	char	   *copy = malloc(len > 0 ? len : 1);
	struct frame frame;
	const char *error;

	memcpy(copy, made->data, len);
	error = read_all(copy, len, &frame);
	free(copy);
	return error;
}

static void
refuses(struct frames *made, const char *expected, const char *name)
{
	const char *error = parse_copy(made, made->len);

	is_text(error != NULL ? error : "(none)", expected, name);
}

static bool
view_is(struct view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

static void
test_sample(void)
{
	struct frames made;
	struct frame frame;
	struct frame_error error;
	struct frame_entry entry;
	struct view name;
	struct view value;

	frames_sample(&made);
	ok(frame_parse(&frame, made.data, made.len, &error), "a frame is parsed");
	ok(frame.first && !frame.cut && frame.records == 4 &&
	   frame.safe == 0x100000200 && frame.fingerprint == 0xfeedfacecafebeef,
	   "its header");
	ok(frame.last_commit == 0x2000 && frame.last_ordinal == 6,
	   "the place of its last record");

	ok(frame_next(&frame, &entry) && entry.kind == WIRE_TOPIC &&
	   entry.topic.id == 1 && view_is(entry.topic.name, "public.orders"),
	   "topic");
	ok(frame_next(&frame, &entry) && entry.kind == WIRE_TABLE &&
	   entry.table.id == 3 && entry.table.topic == 1 &&
	   view_is(entry.table.schema, "public") &&
	   view_is(entry.table.name, "orders"), "table");
	ok(frame_next(&frame, &entry) && entry.kind == WIRE_TXN &&
	   entry.txn.commit == 0x1000 && entry.txn.end == 0x1030 &&
	   entry.txn.time == 1234567 && entry.txn.xid == 777 &&
	   entry.txn.ordinal == 0, "transaction");
	ok(frame_next(&frame, &entry) && entry.kind == WIRE_RECORD &&
	   entry.record.table == 3 && entry.record.hash == 42 &&
	   entry.record.flags == 0 && view_is(entry.record.key, "7") &&
	   view_is(entry.record.value, "{\"a\":1}"), "record");
	ok(frame_next(&frame, &entry) &&
	   entry.record.flags == WIRE_RECORD_NULL_KEY &&
	   entry.record.key.len == 0 && view_is(entry.record.value, "{\"a\":2}"),
	   "record without a key");
	ok(frame_next(&frame, &entry) && entry.txn.ordinal == 5,
	   "a transaction that goes on");
	ok(frame_next(&frame, &entry) &&
	   entry.record.flags == WIRE_RECORD_NULL_VALUE &&
	   entry.record.value.len == 0, "tombstone");
	ok(frame_next(&frame, &entry) &&
	   entry.record.timestamp == 1700000000000 &&
	   view_is(entry.record.key, "9") &&
	   view_is(entry.record.value, "{\"a\":3}"), "record with timestamp");
	ok(frame_next_header(&entry.record.headers, &name, &value) &&
	   view_is(name, "h") && view_is(value, "v") &&
	   !frame_next_header(&entry.record.headers, &name, &value),
	   "and with a header");
	ok(frame_next(&frame, &entry) && entry.kind == WIRE_NOTICE &&
	   entry.notice.code == WIRE_NOTICE_TRUNCATE_SKIPPED &&
	   entry.notice.table == 3 && entry.notice.lsn == 0x2000, "notice");
	ok(!frame_next(&frame, &entry) && !frame_next(&frame, &entry), "the end");
}

static void
test_empty(void)
{
	struct frames made;
	struct frame frame;
	struct frame_error error;

	frames_begin(&made, 77);
	ok(frame_parse(&frame, made.data, made.len, &error) &&
	   frame.records == 0 && frame.safe == 77, "a frame without entries");
}

static void
test_headers_of_frames(void)
{
	struct frames made;

	frames_begin(&made, 1);
	made.data[0] = 'X';
	refuses(&made, "no frame magic", "a text record is no frame");
	frames_begin(&made, 1);
	made.data[4] = 2;
	refuses(&made, "unknown frame version", "version of tomorrow");
	frames_begin(&made, 1);
	made.data[5] = (char) 0x80;
	refuses(&made, "unknown frame flags", "flag of tomorrow");
	frames_begin(&made, 1);
	made.data[6] = 1;
	refuses(&made, "unknown frame flags", "what must be zero");
	frames_begin(&made, 1);
	made.len++;
	refuses(&made, "length of entries differs from the message's",
			"a byte more than announced");
	frames_begin(&made, 1);
	wire_put32(made.data + 12, UINT32_MAX);
	refuses(&made, "length of entries differs from the message's",
			"a length that would overflow");
}

static void
test_counts(void)
{
	struct frames made;

	frames_begin(&made, 1);
	frames_txn(&made, 1, 0);
	wire_put32(made.data + 8, 1);
	refuses(&made, "fewer records than announced", "a record too few");
	frames_record(&made, 1, 0, 0, "", "v");
	wire_put32(made.data + 8, 0);
	refuses(&made, "more records than announced", "a record too many");
	frames_begin(&made, 1);
	frames_record(&made, 1, 0, 0, "", "v");
	refuses(&made, "record outside a transaction", "a record of nowhere");
}

static void
test_entries(void)
{
	struct frames made;
	char	   *body;

	frames_begin(&made, 1);
	frames_entry(&made, 99, 0, 0);
	refuses(&made, "unknown kind of entry", "kind of tomorrow");
	frames_begin(&made, 1);
	frames_entry(&made, WIRE_TXN, 1, WIRE_TXN_SIZE);
	refuses(&made, "unknown entry flags", "flags where there are none");
	frames_begin(&made, 1);
	body = frames_entry(&made, WIRE_TOPIC, 0, WIRE_TOPIC_SIZE);
	refuses(&made, "topic without a name", "nameless topic");
	wire_put32(body - 4, UINT32_MAX);
	refuses(&made, "entry longer than the frame", "length of 4 GB");
	frames_begin(&made, 1);
	frames_entry(&made, WIRE_TXN, 0, WIRE_TXN_SIZE + 1);
	refuses(&made, "bytes left over in a transaction entry",
			"transaction too long");
	frames_begin(&made, 1);
	body = frames_entry(&made, WIRE_TABLE, 0, WIRE_TABLE_SIZE);
	wire_put16(body + 8, UINT16_MAX);
	refuses(&made, "schema longer than its entry", "long schema");
	frames_begin(&made, 1);
	frames_entry(&made, WIRE_TABLE, 0, WIRE_TABLE_SIZE + 1);
	refuses(&made, "bytes left over in a table entry", "table too long");
	frames_begin(&made, 1);
	frames_entry(&made, WIRE_NOTICE, 0, WIRE_NOTICE_SIZE - 1);
	refuses(&made, "short notice entry", "short notice");
}

static void
test_records(void)
{
	struct frames made;
	char	   *body;

	frames_begin(&made, 1);
	frames_txn(&made, 1, 0);
	body = frames_entry(&made, WIRE_RECORD, 0, WIRE_RECORD_SIZE);
	wire_put32(body + 8, UINT32_MAX);
	refuses(&made, "key longer than its record", "key of 4 GB");
	body[-7] = (char) 0x80;
	refuses(&made, "unknown record flags", "record flag of tomorrow");
	body[-7] = WIRE_RECORD_HEADERS;
	refuses(&made, "record without length of headers", "headers without room");
	body[-7] = WIRE_RECORD_TIMESTAMP;
	refuses(&made, "record without timestamp", "timestamp without room");

	frames_begin(&made, 1);
	frames_txn(&made, 1, 0);
	frames_record(&made, 1, 0, WIRE_RECORD_NULL_KEY, "k", "v");
	refuses(&made, "null key with bytes", "null key that is none");
	frames_begin(&made, 1);
	frames_txn(&made, 1, 0);
	frames_record(&made, 1, 0, WIRE_RECORD_NULL_VALUE, "k", "v");
	refuses(&made, "null value with bytes", "null value that is none");

	frames_begin(&made, 1);
	frames_txn(&made, 1, 0);
	frames_dated_record(&made, 1, 0, "", "v");
	wire_put16(made.data + made.len - 9, 100);
	refuses(&made, "torn headers", "header name too long");
	wire_put16(made.data + made.len - 9, 1);
	wire_put32(made.data + made.len - 6, UINT32_MAX - 1);
	refuses(&made, "torn headers", "header value of 4 GB");
	wire_put32(made.data + made.len - 6, WIRE_HEADER_NULL);
	refuses(&made, "torn headers", "null value with bytes behind it");
}

static void
test_null_header(void)
{
	char		bytes[7] = "\001\000h";
	struct view headers = {bytes, sizeof(bytes)};
	struct view name;
	struct view value = {bytes, 1};

	wire_put32(bytes + 3, WIRE_HEADER_NULL);
	ok(frame_next_header(&headers, &name, &value) && view_is(name, "h") &&
	   value.data == NULL && value.len == 0 && headers.len == 0,
	   "a header's null value");
}

/* Each prefix, with and without a length that owns up to it. */
static void
test_torn(void)
{
	struct frames made;
	bool		refused = true;

	frames_sample(&made);
	for (size_t len = 0; len < made.len; len++)
	{
		struct frames cut = made;

		refused &= parse_copy(&cut, len) != NULL;
		if (len >= WIRE_HEADER_SIZE)
			wire_put32(cut.data + 12, (uint32_t) (len - WIRE_HEADER_SIZE));
		/* without its last entry it lacks no record */
		if (len != made.len - WIRE_ENTRY_SIZE - WIRE_NOTICE_SIZE)
			refused &= parse_copy(&cut, len) != NULL;
	}
	ok(refused, "every torn frame is refused");
}

/* Each byte set to each of some values: nothing may be read out of bounds. */
static void
test_bent(void)
{
	static const unsigned char values[] = {0, 1, 2, 5, 0x7f, 0x80, 0xff};
	struct frames made;
	unsigned	bent = 0;
	bool		sound = true;

	frames_sample(&made);
	for (size_t at = 0; at < made.len; at++)
		for (size_t i = 0; i < sizeof(values); i++)
		{
			struct frames copy = made;
			const char *error;

			copy.data[at] = (char) values[i];
			error = parse_copy(&copy, copy.len);
			if (error != NULL)
			{
				bent++;
				sound &= strcmp(error, "parsed, but not read to its end") != 0;
				sound &= strcmp(error, "offset beyond the frame") != 0;
			}
		}
	ok(sound && bent > 100, "bent frames are refused or read to their end");
}

int
main(void)
{
	test_sample();
	test_empty();
	test_headers_of_frames();
	test_counts();
	test_entries();
	test_records();
	test_null_header();
	test_torn();
	test_bent();
	return tap_done();
}
