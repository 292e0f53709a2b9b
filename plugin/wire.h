/*
 * wire.h
 *		Layout of a frame: what the output plugin writes and the shipper reads.
 *
 * One replication message carries one frame: a header followed by entries.
 * All integers are little-endian and unaligned; read and write them through
 * the functions below.  Every length counts bytes.
 *
 *	header	WIRE_HEADER_SIZE bytes
 *		 0	u32	magic, WIRE_MAGIC
 *		 4	u8	version, WIRE_VERSION
 *		 5	u8	flags, WIRE_FRAME_*
 *		 6	u16	zero
 *		 8	u32	number of RECORD entries in this frame
 *		12	u32	bytes of entries that follow the header, exactly
 *		16	u64	safe LSN: every record of every transaction that ends at or
 *				below it is in this frame or in an earlier one
 *		24	u64	fingerprint of the options that affect bytes when
 *				WIRE_FRAME_FIRST is set, else zero
 *
 *	entry	WIRE_ENTRY_SIZE bytes, then its body
 *		 0	u8	kind, WIRE_TOPIC ... WIRE_NOTICE
 *		 1	u8	flags, WIRE_RECORD_* for a RECORD, else zero
 *		 2	u16	zero
 *		 4	u32	length of the body
 *
 *	bodies
 *		TOPIC	u32 id, name
 *		TABLE	u32 id, u32 topic id, u16 length of schema, u16 length of name,
 *				schema, name
 *		TXN		u64 commit LSN (the "lsn" of its records), u64 end LSN,
 *				i64 commit time (microseconds since 1970-01-01 UTC), u32 xid,
 *				u32 flags, WIRE_TXN_*, u64 ordinal ("seq_id") of the next
 *				record
 *		RECORD	u32 table id, u32 partition hash, u32 length of key,
 *				[u32 length of headers]	with WIRE_RECORD_HEADERS
 *				[i64 timestamp, ms]		with WIRE_RECORD_TIMESTAMP
 *				key, [headers,] value (the rest)
 *		NOTICE	u32 code, WIRE_NOTICE_*, u32 table id, u64 LSN
 *
 * Headers are a sequence of u16 length, name, u32 length, value; a value of
 * length WIRE_HEADER_NULL is a null and has no bytes.
 *
 * Order: a TOPIC is announced before the first TABLE that names it, a TABLE
 * before the first RECORD or NOTICE that names it, each once per connection;
 * through the SQL interface once per frame, so that a frame can be read alone.
 * Names are not terminated.  Every frame that has records of a transaction
 * repeats its TXN before the first of them; each RECORD then takes the next
 * ordinal.  The record goes to partition (hash modulo partition count).  A
 * NOTICE about a message names table 0.
 *
 * A message that did not wait for a commit is a transaction of its own: commit
 * LSN is where its record in the log begins, time and xid are zero.  The pair
 * of commit LSN and ordinal grows from each RECORD to the next.
 *
 * Frames of a snapshot (wal2kafka.snapshot_frames()) come by no stream: each can
 * be read alone, safe is zero, and none ends inside a transaction.  Their one
 * TXN has the LSN and the ordinal that the caller named, no xid, and for a time
 * when the reading transaction began.
 *
 * A frame without records only carries safe (and perhaps notices); it is
 * confirmed in its turn like any other.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>
#include <string.h>

#define WIRE_MAGIC			0x314B3257u /* "W2K1" as bytes */
#define WIRE_VERSION		1
#define WIRE_HEADER_SIZE	32
#define WIRE_ENTRY_SIZE		8

/* bytes of a body before its variable part */
#define WIRE_TOPIC_SIZE		4
#define WIRE_TABLE_SIZE		12
#define WIRE_TXN_SIZE		40
#define WIRE_RECORD_SIZE	12
#define WIRE_NOTICE_SIZE	16

#define WIRE_HEADER_NULL	0xffffffffu /* length of a header's null value */

enum wire_frame_flag
{
	WIRE_FRAME_FIRST = 0x01,	/* first of a connection, has a fingerprint */
	WIRE_FRAME_CUT = 0x02,		/* ends inside a transaction */
};

enum wire_kind
{
	WIRE_TOPIC = 1,
	WIRE_TABLE,
	WIRE_TXN,
	WIRE_RECORD,
	WIRE_NOTICE,
};

enum wire_txn_flag
{
	WIRE_TXN_FOREIGN = 0x01,	/* an origin brought it: time is that one's */
};

enum wire_record_flag
{
	WIRE_RECORD_NULL_VALUE = 0x01,	/* tombstone: no value bytes follow */
	WIRE_RECORD_EVERY_PARTITION = 0x02, /* one copy to each; hash unused */
	WIRE_RECORD_HEADERS = 0x04,
	WIRE_RECORD_TIMESTAMP = 0x08,
	WIRE_RECORD_NULL_KEY = 0x10,	/* length of key is zero */
};

enum wire_notice
{
	WIRE_NOTICE_TRUNCATE_SKIPPED = 1,
	WIRE_NOTICE_NO_IDENTITY,	/* an update or delete whose OLD is all null */
	WIRE_NOTICE_STUB,			/* the next record lacks values that are too
								 * large or have no text; LSN of its commit */
	WIRE_NOTICE_NO_MESSAGE,		/* a message of ours that cannot be read */
	WIRE_NOTICE_DROPPED,		/* a record that could not be sent even so */
};

static inline void
wire_put16(char *to, uint16_t v)
{
	unsigned char b[2] = {(unsigned char) v, (unsigned char) (v >> 8)};

	memcpy(to, b, sizeof(b));
}

static inline void
wire_put32(char *to, uint32_t v)
{
	wire_put16(to, (uint16_t) v);
	wire_put16(to + 2, (uint16_t) (v >> 16));
}

static inline void
wire_put64(char *to, uint64_t v)
{
	wire_put32(to, (uint32_t) v);
	wire_put32(to + 4, (uint32_t) (v >> 32));
}

static inline uint16_t
wire_get16(const char *from)
{
	const unsigned char *b = (const unsigned char *) from;

	return (uint16_t) (b[0] | (b[1] << 8));
}

static inline uint32_t
wire_get32(const char *from)
{
	return (uint32_t) wire_get16(from) | (uint32_t) wire_get16(from + 2) << 16;
}

static inline uint64_t
wire_get64(const char *from)
{
	return (uint64_t) wire_get32(from) | (uint64_t) wire_get32(from + 4) << 32;
}

#endif							/* WIRE_H */
