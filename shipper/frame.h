/*
 * frame.h
 *		Frame bytes to views into them; see wire.h for the layout.
 *
 * The bytes come from a server and are trusted in nothing: frame_parse()
 * checks all of a frame before any of it is used.  No I/O, no allocation.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../plugin/wire.h"
#include "lsn.h"

/* Borrowed bytes, not terminated. */
struct view
{
	const char *data;
	size_t		len;
};

struct frame_topic
{
	uint32_t	id;
	struct view name;
};

struct frame_table
{
	uint32_t	id;
	uint32_t	topic;
	struct view schema;
	struct view name;
};

struct frame_txn
{
	lsn_t		commit;
	lsn_t		end;
	int64_t		time;			/* microseconds since 1970 */
	uint32_t	xid;
	bool		foreign;		/* an origin brought it, with its time */
	uint64_t	ordinal;		/* of the next record */
};

struct frame_record
{
	uint32_t	table;
	uint32_t	hash;
	uint8_t		flags;			/* enum wire_record_flag */
	int64_t		timestamp;		/* ms; with WIRE_RECORD_TIMESTAMP */
	struct view key;
	struct view headers;		/* for frame_next_header() */
	struct view value;
};

struct frame_notice
{
	uint32_t	code;			/* enum wire_notice, or one of tomorrow */
	uint32_t	table;
	lsn_t		lsn;
};

struct frame_entry
{
	enum wire_kind kind;
	union
	{
		struct frame_topic topic;
		struct frame_table table;
		struct frame_txn txn;
		struct frame_record record;
		struct frame_notice notice;
	};
};

/* What is wrong with a frame, and at which byte. */
struct frame_error
{
	const char *text;			/* a constant */
	size_t		offset;
};

struct frame
{
	bool		first;			/* has a fingerprint */
	bool		cut;			/* ends inside a transaction */
	uint32_t	records;
	lsn_t		safe;
	uint64_t	fingerprint;
	lsn_t		last_commit;	/* of the last record, if there are any */
	uint64_t	last_ordinal;
	int64_t		last_time;		/* as in frame_txn; 0: none by our clock */
	const char *start;
	const char *next;			/* start <= next <= end: not yet read */
	const char *end;
};

/*
 * Checks a whole frame and stands before its first entry.  The frame borrows
 * the bytes.  False: they are no frame, error says why.
 */
extern bool frame_parse(struct frame *frame, const char *data, size_t len,
						struct frame_error *error);

/* The next entry of a parsed frame; false when there are no more. */
extern bool frame_next(struct frame *frame, struct frame_entry *entry);

/*
 * Takes the next header off a record's headers; false when there are none.
 * The data of a null value is NULL.
 */
extern bool frame_next_header(struct view *headers, struct view *name,
							  struct view *value);

#endif							/* FRAME_H */
