/*
 * frames.h
 *		Makes frames, for tests: a buffer to which entries are added.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct frames
{
	char		data[65536];
	size_t		len;
	uint32_t	records;
};

/* Brings the header up to date with what follows it. */
static inline void
frames_seal(struct frames *frame)
{
	wire_put32(frame->data + 8, frame->records);
	wire_put32(frame->data + 12, (uint32_t) (frame->len - WIRE_HEADER_SIZE));
}

static inline void
frames_begin(struct frames *frame, uint64_t safe)
{
	memset(frame, 0, sizeof(*frame));
	wire_put32(frame->data, WIRE_MAGIC);
	frame->data[4] = WIRE_VERSION;
	wire_put64(frame->data + 16, safe);
	frame->len = WIRE_HEADER_SIZE;
	frames_seal(frame);
}

/* Adds the head of an entry and returns where its body goes. */
static inline char *
frames_entry(struct frames *frame, enum wire_kind kind, uint8_t flags,
			 size_t body)
{
	char	   *entry = frame->data + frame->len;

	entry[0] = (char) kind;
	entry[1] = (char) flags;
	wire_put32(entry + 4, (uint32_t) body);
	frame->len += WIRE_ENTRY_SIZE + body;
	if (kind == WIRE_RECORD)
		frame->records++;
	frames_seal(frame);
	return entry + WIRE_ENTRY_SIZE;
}

static inline void
frames_topic(struct frames *frame, uint32_t id, const char *name)
{
	char	   *body = frames_entry(frame, WIRE_TOPIC, 0,
									WIRE_TOPIC_SIZE + strlen(name));

	wire_put32(body, id);
	memcpy(body + WIRE_TOPIC_SIZE, name, strlen(name));
}

static inline void
frames_table(struct frames *frame, uint32_t id, uint32_t topic,
			 const char *schema, const char *name)
{
	char	   *body = frames_entry(frame, WIRE_TABLE, 0, WIRE_TABLE_SIZE +
									strlen(schema) + strlen(name));

	wire_put32(body, id);
	wire_put32(body + 4, topic);
	wire_put16(body + 8, (uint16_t) strlen(schema));
	wire_put16(body + 10, (uint16_t) strlen(name));
	memcpy(body + WIRE_TABLE_SIZE, schema, strlen(schema));
	memcpy(body + WIRE_TABLE_SIZE + strlen(schema), name, strlen(name));
}

static inline void
frames_txn(struct frames *frame, uint64_t commit, uint64_t ordinal)
{
	char	   *body = frames_entry(frame, WIRE_TXN, 0, WIRE_TXN_SIZE);

	wire_put64(body, commit);
	wire_put64(body + 8, commit + 48);
	wire_put64(body + 16, 1234567);
	wire_put32(body + 24, 777);
	wire_put64(body + 32, ordinal);
}

static inline void
frames_record(struct frames *frame, uint32_t table, uint32_t hash,
			  uint8_t flags, const char *key, const char *value)
{
	char	   *body = frames_entry(frame, WIRE_RECORD, flags,
									WIRE_RECORD_SIZE + strlen(key) +
									strlen(value));

	wire_put32(body, table);
	wire_put32(body + 4, hash);
	wire_put32(body + 8, (uint32_t) strlen(key));
	memcpy(body + WIRE_RECORD_SIZE, key, strlen(key));
	memcpy(body + WIRE_RECORD_SIZE + strlen(key), value, strlen(value));
}

/* A record with one header "h" = "v" and a timestamp. */
static inline void
frames_dated_record(struct frames *frame, uint32_t table, int64_t timestamp,
					const char *key, const char *value)
{
	char	   *body = frames_entry(frame, WIRE_RECORD,
									WIRE_RECORD_HEADERS |
									WIRE_RECORD_TIMESTAMP,
									WIRE_RECORD_SIZE + 4 + 8 + strlen(key) +
									8 + strlen(value));

	wire_put32(body, table);
	wire_put32(body + 4, 9);
	wire_put32(body + 8, (uint32_t) strlen(key));
	wire_put32(body + 12, 8);
	wire_put64(body + 16, (uint64_t) timestamp);
	body += 24;
	memcpy(body, key, strlen(key));
	body += strlen(key);
	wire_put16(body, 1);
	body[2] = 'h';
	wire_put32(body + 3, 1);
	body[7] = 'v';
	memcpy(body + 8, value, strlen(value));
}

static inline void
frames_notice(struct frames *frame, uint32_t code, uint32_t table,
			  uint64_t lsn)
{
	char	   *body = frames_entry(frame, WIRE_NOTICE, 0, WIRE_NOTICE_SIZE);

	wire_put32(body, code);
	wire_put32(body + 4, table);
	wire_put64(body + 8, lsn);
}

/* One of everything. */
static inline void
frames_sample(struct frames *frame)
{
	frames_begin(frame, 0x100000200);
	frame->data[5] = WIRE_FRAME_FIRST;
	wire_put64(frame->data + 24, 0xfeedfacecafebeef);
	frames_topic(frame, 1, "public.orders");
	frames_table(frame, 3, 1, "public", "orders");
	frames_txn(frame, 0x1000, 0);
	frames_record(frame, 3, 42, 0, "7", "{\"a\":1}");
	frames_record(frame, 3, 43, WIRE_RECORD_NULL_KEY, "", "{\"a\":2}");
	frames_txn(frame, 0x2000, 5);
	frames_record(frame, 3, 44, WIRE_RECORD_NULL_VALUE, "8", "");
	frames_dated_record(frame, 3, 1700000000000, "9", "{\"a\":3}");
	frames_notice(frame, WIRE_NOTICE_TRUNCATE_SKIPPED, 3, 0x2000);
}

#endif							/* FRAMES_H */
