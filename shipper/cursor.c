/*
 * cursor.c
 *		One received frame on its way from the ledger into the sink.
 *
 * The frame's ledger entry counts one delivery more than there are records
 * until the cursor is done with it: the last acknowledgement frees the bytes,
 * and may come while the cursor still reads them.
 */
#include "cursor.h"

#include <inttypes.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "metrics.h"

static bool begin(struct cursor *cursor, void *buffer, size_t size,
				  const char *data, size_t len);
static struct catalog *names(struct cursor *cursor);
static bool fill(struct cursor *cursor);
static bool take_entry(struct cursor *cursor, const struct frame_entry *entry);
static bool take_topic(struct cursor *cursor, const struct frame_topic *topic);
static bool take_record(struct cursor *cursor,
						const struct frame_record *record);
static void take_notice(struct cursor *cursor,
						const struct frame_notice *notice);
static void note_fingerprint(struct cursor *cursor);

void
cursor_init(struct cursor *cursor, struct ledger *ledger)
{
	*cursor = (struct cursor) {.ledger = ledger};
	catalog_init(&cursor->catalog);
	catalog_init(&cursor->chunk);
}

void
cursor_free(struct cursor *cursor)
{
	catalog_free(&cursor->catalog);
	catalog_free(&cursor->chunk);
}

void
cursor_connect(struct cursor *cursor)
{
	catalog_free(&cursor->catalog);
}

bool
cursor_begin(struct cursor *cursor, void *buffer, size_t size,
			 const char *data, size_t len)
{
	cursor->alone = false;
	return begin(cursor, buffer, size, data, len);
}

bool
cursor_begin_alone(struct cursor *cursor, void *buffer, size_t size,
				   const char *data, size_t len)
{
	cursor->alone = true;
	catalog_free(&cursor->chunk);
	return begin(cursor, buffer, size, data, len);
}

static bool
begin(struct cursor *cursor, void *buffer, size_t size, const char *data,
	  size_t len)
{
	struct frame_error error;
	struct position last;

	if (!frame_parse(&cursor->frame, data, len, &error))
	{
		log_error("the plugin sent what is no frame: %s, at byte %zu of %zu",
				  error.text, error.offset, len);
		log_hint("Library and program must speak the same version.");
		cursor->ledger->free_buffer(buffer);
		return false;
	}
	last = (struct position) {
		cursor->frame.last_commit, cursor->frame.last_ordinal
	};
	if (cursor->frame.records == 0)
		last = (struct position) {LSN_INVALID, 0};
	cursor->entry = ledger_add(cursor->ledger, buffer, size,
							   cursor->frame.records + 1,
							   cursor->frame.safe, last);
	cursor->entry->frame = data;
	cursor->entry->frame_size = len;
	if (cursor->frame.records > 0)
	{
		cursor->entry->received = metrics_now();
		cursor->entry->committed = cursor->frame.last_time;
	}
	cursor->used = cursor->taken = 0;
	metrics.frames++;
	metrics.frame_bytes += len;
	metrics.received += cursor->frame.records;
	if (cursor->frame.first)
		note_fingerprint(cursor);
	log_debug("frame: %zu bytes, %" PRIu32 " records, safe " LSN_FORMAT, len,
			  cursor->frame.records, LSN_ARGS(cursor->frame.safe));
	return true;
}

/* What the frame's ids mean. */
static struct catalog *
names(struct cursor *cursor)
{
	return cursor->alone ? &cursor->chunk : &cursor->catalog;
}

enum cursor_state
cursor_advance(struct cursor *cursor)
{
	struct ledger_entry *entry = cursor->entry;

	while (cursor->entry != NULL)
	{
		size_t		taken;

		if (cursor->taken == cursor->used && !fill(cursor))
			return CURSOR_BROKEN;
		if (cursor->used == 0)
		{
			cursor->entry = NULL;
			ledger_ack(cursor->ledger, entry, 1);
			break;
		}
		taken = cursor->sink->ops->send(cursor->sink,
										cursor->records + cursor->taken,
										cursor->used - cursor->taken);
		cursor->taken += taken;
		metrics.produced += taken;
		if (taken > 0 &&
			position_is_after(cursor->records[cursor->taken - 1].position,
							  cursor->ledger->sent))
			cursor->ledger->sent =
				cursor->records[cursor->taken - 1].position;
		if (cursor->taken < cursor->used)
			return CURSOR_STALLED;
	}
	return CURSOR_IDLE;
}

void
cursor_drop(struct cursor *cursor)
{
	cursor->entry = NULL;
	cursor->used = cursor->taken = 0;
}

/* Reads on in the frame; nothing in "used" afterwards means its end. */
static bool
fill(struct cursor *cursor)
{
	struct frame_entry entry;

	cursor->used = cursor->taken = 0;
	while (cursor->used < CURSOR_RECORDS &&
		   frame_next(&cursor->frame, &entry))
		if (!take_entry(cursor, &entry))
			return false;
	return true;
}

static bool
take_entry(struct cursor *cursor, const struct frame_entry *entry)
{
	switch (entry->kind)
	{
		case WIRE_TOPIC:
			return take_topic(cursor, &entry->topic);
		case WIRE_TABLE:
			if (catalog_add_table(names(cursor), &entry->table))
				return true;
			log_error("the plugin named table %" PRIu32 " of a topic that it "
					  "did not announce", entry->table.id);
			return false;
		case WIRE_TXN:
			cursor->next = (struct position) {
				entry->txn.commit, entry->txn.ordinal
			};
			if (!cursor->alone && entry->txn.xid != 0)
				sight_note(&cursor->sent, entry->txn.xid);
			return true;
		case WIRE_RECORD:
			return take_record(cursor, &entry->record);
		case WIRE_NOTICE:
			take_notice(cursor, &entry->notice);
			return true;
	}
	return false;
}

static bool
take_topic(struct cursor *cursor, const struct frame_topic *announced)
{
	char	   *name = mem_strndup(announced->name.data, announced->name.len);
	struct topic *topic = cursor->sink->ops->topic(cursor->sink, name);
	bool		added = topic != NULL &&
		catalog_add_topic(names(cursor), announced->id, topic);

	if (topic != NULL && !added)
		log_error("the plugin gave topic \"%s\" the number %" PRIu32, name,
				  announced->id);
	free(name);
	return added;
}

/* Acknowledged before the last reconnect: sending it again helps no one. */
static bool
take_record(struct cursor *cursor, const struct frame_record *record)
{
	const struct catalog_table *table = catalog_table(names(cursor),
													  record->table);
	struct position position = cursor->next;

	if (table == NULL)
	{
		log_error("the plugin sent a record of table %" PRIu32 ", which it "
				  "did not announce", record->table);
		return false;
	}
	cursor->next.ordinal++;
	if (!position_is_after(position, cursor->ledger->acked))
	{
		metrics.repeated++;
		ledger_ack(cursor->ledger, cursor->entry, 1);
		return true;
	}
	if (position_is_after(position, cursor->counted))
	{
		cursor->counted = position;
		++*table->records;
	}
	cursor->records[cursor->used++] = (struct sink_record) {
		.topic = table->topic,
		.entry = cursor->entry,
		.table = table->name,
		.position = position,
		.body = *record,
	};
	return true;
}

static void
take_notice(struct cursor *cursor, const struct frame_notice *notice)
{
	struct catalog_table *table = catalog_table(names(cursor),
												notice->table);
	const char *name = table != NULL ? table->name : "wal2kafka.emit_message";

	switch (notice->code)
	{
		case WIRE_NOTICE_TRUNCATE_SKIPPED:
			metrics.truncates++;
			log_warning("table %s was truncated at LSN " LSN_FORMAT ": "
						"consumers are not told (truncate = skip)", name,
						LSN_ARGS(notice->lsn));
			break;
		case WIRE_NOTICE_NO_IDENTITY:
			metrics.no_identity++;
			if (table != NULL && table->no_identity++ == 0)
				log_warning("table %s has no replica identity: its updates "
							"and deletes name no row, first at LSN "
							LSN_FORMAT, name, LSN_ARGS(notice->lsn));
			break;
		case WIRE_NOTICE_STUB:
			/* it is in front of the record */
			if (position_is_after(cursor->next, cursor->counted))
				metrics.stubs++;
			log_warning("record " LSN_FORMAT "/%" PRIu64 " of table %s is a "
						"stub, without what is too large or has no text",
						LSN_ARGS(notice->lsn), cursor->next.ordinal, name);
			break;
		case WIRE_NOTICE_DROPPED:
			metrics.dropped++;
			log_warning("a record of table %s with the commit LSN " LSN_FORMAT
						" is dropped, as \"stub\" asks", name,
						LSN_ARGS(notice->lsn));
			break;
		case WIRE_NOTICE_NO_MESSAGE:
			/* any role may write as many of them as it likes */
			if (metrics.no_messages++ == 0)
				log_warning("a message at LSN " LSN_FORMAT " cannot be read "
							"and is ignored, as any other like it: "
							"wal2kafka.emit_message() did not write it",
							LSN_ARGS(notice->lsn));
			break;
		default:
			log_debug("notice %" PRIu32 " of table %s", notice->code, name);
			break;
	}
}

/* Equal fingerprints mean that repeats have equal bytes. */
static void
note_fingerprint(struct cursor *cursor)
{
	uint64_t	fingerprint = cursor->frame.fingerprint;

	if (!cursor->fingerprint_known)
		log_info("fingerprint of the plugin's options is %016" PRIx64,
				 fingerprint);
	else if (cursor->fingerprint != fingerprint)
		log_warning("fingerprint of the plugin's options changed from %016"
					PRIx64 " to %016" PRIx64 ": records that are sent again "
					"may differ", cursor->fingerprint, fingerprint);
	cursor->fingerprint_known = true;
	cursor->fingerprint = fingerprint;
}
