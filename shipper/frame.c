/*
 * frame.c
 *		Frame bytes to views into them.
 *
 * One reader serves both purposes: frame_parse() runs it over the whole frame
 * and judges, frame_next() runs it again over bytes known to be good.
 */
#include "frame.h"

#include <string.h>

/* Bytes still to be read: next <= end, always. */
struct reader
{
	const char *next;
	const char *end;
	const char *error;			/* a constant; NULL while all is well */
};

static bool parse_header(struct frame *frame, const char *data, size_t len,
						 struct frame_error *error);
static bool check_entries(struct frame *frame, struct reader *reader);
static inline bool read_entry(struct reader *reader,
							  struct frame_entry *entry);
static inline bool read_plain(struct reader *reader,
							  struct frame_entry *entry);
static bool read_any(struct reader *reader, struct frame_entry *entry);
static bool read_body(struct reader *body, uint8_t flags,
					  struct frame_entry *entry);
static bool read_topic(struct reader *body, struct frame_topic *topic);
static bool read_table(struct reader *body, struct frame_table *table);
static bool read_txn(struct reader *body, struct frame_txn *txn);
static bool read_record(struct reader *body, uint8_t flags,
						struct frame_record *record);
static bool read_notice(struct reader *body, struct frame_notice *notice);
static bool check_headers(struct view headers);
static bool take(struct reader *reader, size_t len, struct view *view,
				 const char *what);
static bool fail(struct reader *reader, const char *what);

bool
frame_parse(struct frame *frame, const char *data, size_t len,
			struct frame_error *error)
{
	struct reader reader;

	if (!parse_header(frame, data, len, error))
		return false;

	reader = (struct reader) {frame->start, frame->end, NULL};
	if (!check_entries(frame, &reader))
	{
		*error = (struct frame_error) {
			reader.error, (size_t) (reader.next - data)
		};
		return false;
	}
	return true;
}

bool
frame_next(struct frame *frame, struct frame_entry *entry)
{
	struct reader reader = {frame->next, frame->end, NULL};

	if (frame->next == frame->end || !read_entry(&reader, entry))
		return false;
	frame->next = reader.next;
	return true;
}

bool
frame_next_header(struct view *headers, struct view *name, struct view *value)
{
	struct reader reader;
	struct view number;

	if (headers->len == 0)		/* then there may be no data at all */
		return false;
	reader = (struct reader) {
		headers->data, headers->data + headers->len, NULL
	};
	if (!take(&reader, 2, &number, "") ||
		!take(&reader, wire_get16(number.data), name, "") ||
		!take(&reader, 4, &number, ""))
		return false;
	if (wire_get32(number.data) == WIRE_HEADER_NULL)
		*value = (struct view) {NULL, 0};
	else if (!take(&reader, wire_get32(number.data), value, ""))
		return false;
	headers->len = (size_t) (reader.end - reader.next);
	headers->data = reader.next;
	return true;
}

static bool
parse_header(struct frame *frame, const char *data, size_t len,
			 struct frame_error *error)
{
	const uint8_t known = WIRE_FRAME_FIRST | WIRE_FRAME_CUT;
	uint8_t		flags;

	*error = (struct frame_error) {NULL, 0};
	if (len < WIRE_HEADER_SIZE)
		error->text = "shorter than a frame header";
	else if (wire_get32(data) != WIRE_MAGIC)
		error->text = "no frame magic";
	else if ((uint8_t) data[4] != WIRE_VERSION)
		error->text = "unknown frame version";
	else if (((uint8_t) data[5] & ~known) != 0 || wire_get16(data + 6) != 0)
		error->text = "unknown frame flags";
	else if (wire_get32(data + 12) != len - WIRE_HEADER_SIZE)
		error->text = "length of entries differs from the message's";
	if (error->text != NULL)
		return false;

	flags = (uint8_t) data[5];
	*frame = (struct frame) {
		.first = (flags & WIRE_FRAME_FIRST) != 0,
		.cut = (flags & WIRE_FRAME_CUT) != 0,
		.records = wire_get32(data + 8),
		.safe = wire_get64(data + 16),
		.fingerprint = wire_get64(data + 24),
		.start = data + WIRE_HEADER_SIZE,
		.next = data + WIRE_HEADER_SIZE,
		.end = data + len,
	};
	return true;
}

/* Every record belongs to a transaction, and as many as announced come. */
static bool
check_entries(struct frame *frame, struct reader *reader)
{
	struct frame_entry entry;
	uint32_t	records = 0;
	bool		in_txn = false;
	uint64_t	ordinal = 0;

	while (reader->next < reader->end)
	{
		const char *start = reader->next;

		if (!read_entry(reader, &entry))
			return false;
		if (entry.kind == WIRE_TXN)
		{
			in_txn = true;
			frame->last_commit = entry.txn.commit;
			ordinal = entry.txn.ordinal;
			frame->last_time = entry.txn.foreign ? 0 : entry.txn.time;
		}
		else if (entry.kind == WIRE_RECORD)
		{
			if (!in_txn || records == frame->records)
			{
				reader->next = start;
				return fail(reader, in_txn ? "more records than announced" :
							"record outside a transaction");
			}
			records++;
			frame->last_ordinal = ordinal++;
		}
	}
	if (records < frame->records)
		return fail(reader, "fewer records than announced");
	return true;
}

/* On failure the reader stands at the entry or the field that is wrong. */
static inline bool
read_entry(struct reader *reader, struct frame_entry *entry)
{
	return read_plain(reader, entry) || read_any(reader, entry);
}

/*
 * Nearly all entries are records of a key and a value: those that are sound
 * are read here in one go, and any other is left to read_any().
 */
static inline bool
read_plain(struct reader *reader, struct frame_entry *entry)
{
	const uint8_t plain = WIRE_RECORD_NULL_VALUE | WIRE_RECORD_NULL_KEY |
		WIRE_RECORD_EVERY_PARTITION;
	const char *head = reader->next;
	size_t		left = (size_t) (reader->end - head);
	const char *body;
	const char *key;
	uint8_t		flags;
	size_t		len;
	size_t		key_len;

	if (left < WIRE_ENTRY_SIZE + WIRE_RECORD_SIZE || head[0] != WIRE_RECORD ||
		(head[1] & ~plain) != 0 || wire_get16(head + 2) != 0)
		return false;
	flags = (uint8_t) head[1];
	len = wire_get32(head + 4);
	body = head + WIRE_ENTRY_SIZE;
	key_len = wire_get32(body + 8);
	if (len > left - WIRE_ENTRY_SIZE || len < WIRE_RECORD_SIZE ||
		key_len > len - WIRE_RECORD_SIZE)
		return false;
	len -= WIRE_RECORD_SIZE + key_len;
	if (((flags & WIRE_RECORD_NULL_KEY) != 0 && key_len > 0) ||
		((flags & WIRE_RECORD_NULL_VALUE) != 0 && len > 0))
		return false;

	key = body + WIRE_RECORD_SIZE;
	entry->kind = WIRE_RECORD;
	entry->record = (struct frame_record) {
		.table = wire_get32(body),
		.hash = wire_get32(body + 4),
		.flags = flags,
		.key = {key, key_len},
		.value = {key + key_len, len},
	};
	reader->next = key + key_len + len;
	return true;
}

static bool
read_any(struct reader *reader, struct frame_entry *entry)
{
	struct reader body;
	struct view head;
	struct view bytes;

	if (!take(reader, WIRE_ENTRY_SIZE, &head, "torn entry") ||
		!take(reader, wire_get32(head.data + 4), &bytes,
			  "entry longer than the frame"))
		return false;

	body = (struct reader) {bytes.data, bytes.data + bytes.len, NULL};
	entry->kind = (enum wire_kind) (uint8_t) head.data[0];
	if (wire_get16(head.data + 2) != 0 ||
		(entry->kind != WIRE_RECORD && head.data[1] != 0))
		fail(&body, "unknown entry flags");
	else if (read_body(&body, (uint8_t) head.data[1], entry))
		return true;
	*reader = body;
	return false;
}

static bool
read_body(struct reader *body, uint8_t flags, struct frame_entry *entry)
{
	switch (entry->kind)
	{
		case WIRE_TOPIC:
			return read_topic(body, &entry->topic);
		case WIRE_TABLE:
			return read_table(body, &entry->table);
		case WIRE_TXN:
			return read_txn(body, &entry->txn);
		case WIRE_RECORD:
			return read_record(body, flags, &entry->record);
		case WIRE_NOTICE:
			return read_notice(body, &entry->notice);
	}
	return fail(body, "unknown kind of entry");
}

static bool
read_topic(struct reader *body, struct frame_topic *topic)
{
	struct view fixed;

	if (!take(body, WIRE_TOPIC_SIZE, &fixed, "short topic entry"))
		return false;
	topic->id = wire_get32(fixed.data);
	if (body->next == body->end)
		return fail(body, "topic without a name");
	return take(body, (size_t) (body->end - body->next), &topic->name, "");
}

static bool
read_table(struct reader *body, struct frame_table *table)
{
	struct view fixed;

	if (!take(body, WIRE_TABLE_SIZE, &fixed, "short table entry"))
		return false;
	table->id = wire_get32(fixed.data);
	table->topic = wire_get32(fixed.data + 4);
	if (!take(body, wire_get16(fixed.data + 8), &table->schema,
			  "schema longer than its entry") ||
		!take(body, wire_get16(fixed.data + 10), &table->name,
			  "table name longer than its entry"))
		return false;
	if (body->next != body->end)
		return fail(body, "bytes left over in a table entry");
	return true;
}

static bool
read_txn(struct reader *body, struct frame_txn *txn)
{
	struct view fixed;

	if (!take(body, WIRE_TXN_SIZE, &fixed, "short transaction entry"))
		return false;
	if (body->next != body->end)
		return fail(body, "bytes left over in a transaction entry");
	txn->commit = wire_get64(fixed.data);
	txn->end = wire_get64(fixed.data + 8);
	txn->time = (int64_t) wire_get64(fixed.data + 16);
	txn->xid = wire_get32(fixed.data + 24);
	txn->foreign = (wire_get32(fixed.data + 28) & WIRE_TXN_FOREIGN) != 0;
	txn->ordinal = wire_get64(fixed.data + 32);
	return true;
}

static bool
read_record(struct reader *body, uint8_t flags, struct frame_record *record)
{
	const uint8_t known = WIRE_RECORD_NULL_VALUE | WIRE_RECORD_NULL_KEY |
		WIRE_RECORD_EVERY_PARTITION | WIRE_RECORD_HEADERS |
		WIRE_RECORD_TIMESTAMP;
	size_t		headers_len = 0;
	struct view fixed;
	struct view number;

	if ((flags & ~known) != 0)
		return fail(body, "unknown record flags");
	if (!take(body, WIRE_RECORD_SIZE, &fixed, "short record entry"))
		return false;
	record->table = wire_get32(fixed.data);
	record->hash = wire_get32(fixed.data + 4);
	record->flags = flags;
	record->timestamp = 0;
	record->headers = (struct view) {NULL, 0};

	if ((flags & WIRE_RECORD_HEADERS) != 0)
	{
		if (!take(body, 4, &number, "record without length of headers"))
			return false;
		headers_len = wire_get32(number.data);
	}
	if ((flags & WIRE_RECORD_TIMESTAMP) != 0)
	{
		if (!take(body, 8, &number, "record without timestamp"))
			return false;
		record->timestamp = (int64_t) wire_get64(number.data);
	}
	if (!take(body, wire_get32(fixed.data + 8), &record->key,
			  "key longer than its record"))
		return false;
	if ((flags & WIRE_RECORD_NULL_KEY) != 0 && record->key.len > 0)
		return fail(body, "null key with bytes");
	if ((flags & WIRE_RECORD_HEADERS) != 0 &&
		!take(body, headers_len, &record->headers,
			  "headers longer than their record"))
		return false;
	if (!check_headers(record->headers))
		return fail(body, "torn headers");
	if ((flags & WIRE_RECORD_NULL_VALUE) != 0 && body->next != body->end)
		return fail(body, "null value with bytes");
	return take(body, (size_t) (body->end - body->next), &record->value, "");
}

static bool
read_notice(struct reader *body, struct frame_notice *notice)
{
	struct view fixed;

	if (!take(body, WIRE_NOTICE_SIZE, &fixed, "short notice entry"))
		return false;
	if (body->next != body->end)
		return fail(body, "bytes left over in a notice entry");
	notice->code = wire_get32(fixed.data);
	notice->table = wire_get32(fixed.data + 4);
	notice->lsn = wire_get64(fixed.data + 8);
	return true;
}

static bool
check_headers(struct view headers)
{
	struct view name;
	struct view value;

	while (frame_next_header(&headers, &name, &value))
		continue;
	return headers.len == 0;
}

/* Takes len bytes off the front, or fails saying what is too short. */
static bool
take(struct reader *reader, size_t len, struct view *view, const char *what)
{
	if (len > (size_t) (reader->end - reader->next))
		return fail(reader, what);
	*view = (struct view) {reader->next, len};
	reader->next += len;
	return true;
}

static bool
fail(struct reader *reader, const char *what)
{
	reader->error = what;
	return false;
}
