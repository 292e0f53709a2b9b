/*
 * rows_test.c
 *		What the component bench counts, and what it finds out of order.
 */
#include "frames.h"
#include "tap.h"
#include "../../bench/rows.c"

/* Verifies frames of the transactions 100 and 200, given as {commit, first
 * ordinal, records}; returns the reason, or "". */
static const char *
verify(size_t count, const uint64_t (*frames)[3])
{
	struct rows_place place = {0, 0};
	const char *reason;

	for (size_t i = 0; i < count; i++)
	{
		struct frames made;

		frames_begin(&made, 0);
		frames_txn(&made, frames[i][0], frames[i][1]);
		for (uint64_t n = 0; n < frames[i][2]; n++)
			frames_record(&made, 1, 0, 0, "key", "value");
		if (!rows_verify(&place, made.data, made.len, &reason))
			return reason;
	}
	return "";
}

static int
count(const char *plugin, const char *message, size_t len)
{
	return rows_counter_of(plugin) (message, len);
}

static void
test_order(void)
{
	const char *wrong = "a record is lost, repeated or out of order";
	const uint64_t good[][3] = {{100, 0, 2}, {100, 2, 1}, {200, 0, 1}};
	const uint64_t lost[][3] = {{100, 0, 2}, {100, 3, 1}};
	const uint64_t lost_first[][3] = {{100, 0, 2}, {200, 1, 1}};
	const uint64_t again[][3] = {{100, 0, 2}, {100, 0, 2}};
	const uint64_t swapped[][3] = {{200, 0, 1}, {100, 0, 2}};

	is_text(verify(3, good), "", "in order");
	is_text(verify(2, lost), wrong, "a record lost between frames");
	is_text(verify(2, lost_first), wrong, "the first of a transaction lost");
	is_text(verify(2, again), wrong, "a frame repeated");
	is_text(verify(2, swapped), wrong, "two transactions swapped");
}

static void
test_counts(void)
{
	/* of DecoderBufs: field 1 a number, 3 a name, 4 what happened */
	const char insert[] = "\x08\x05\x1a\x02to\x20\x00";
	const char commit[] = "\x08\x05\x20\x04";
	struct frames frame;

	frames_begin(&frame, 0);
	frames_txn(&frame, 100, 0);
	frames_record(&frame, 1, 0, 0, "key", "value");
	frames_record(&frame, 1, 0, 0, "key", "value");
	ok(count("frames", frame.data, frame.len) == 2, "a frame of two");
	ok(count("frames", frame.data, 20) == -1, "a torn frame");
	ok(count("null", "x", 1) == -1, "nothing is expected of null");
	ok(count("pgoutput", "I...", 4) == 1, "pgoutput: an insert");
	ok(count("pgoutput", "R...", 4) == 0, "pgoutput: a relation");
	ok(count("test_decoding", "table public.a: INSERT:", 23) == 1,
	   "test_decoding: an insert");
	ok(count("test_decoding", "BEGIN 7", 7) == 0, "test_decoding: a begin");
	ok(count("wal2json", "{\"action\":\"U\"", 13) == 1, "wal2json: an update");
	ok(count("wal2json", "{\"action\":\"C\"}", 14) == 0, "wal2json: a commit");
	ok(count("decoderbufs", insert, sizeof(insert) - 1) == 1,
	   "decoderbufs: an insert");
	ok(count("decoderbufs", commit, sizeof(commit) - 1) == 0,
	   "decoderbufs: a commit");
	ok(count("decoderbufs", insert, 4) == -1, "decoderbufs: torn");
	ok(count("text", "{\"table_name\":\"a\"", 17) == 1, "text: a record");
	ok(count("text", "table", 5) == -1, "text: something else");
	ok(rows_counter_of("other") == NULL, "an unknown plugin");
}

int
main(void)
{
	test_order();
	test_counts();
	return tap_done();
}
