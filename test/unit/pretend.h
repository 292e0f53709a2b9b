/*
 * pretend.h
 *		A pretended server and a pretended Kafka with ledger.c and cursor.c
 *		between them, for never_early_test.c.
 *
 * One world, moved by the functions here; whatever they decide comes from
 * random(), so a seed replays it.
 */
#ifndef PRETEND_H
#define PRETEND_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "frames.h"
#include "ledger.h"

#define TXNS		12
#define RECORDS		9			/* of one transaction, at most */
#define FRAMES		4000		/* of one process, at most */
#define PLACES		4			/* partitions of both topics */
#define QUEUE		512
#define ARRIVALS	(PLACES * TXNS * RECORDS)

/* What the server wrote. */
struct txn
{
	lsn_t		commit;
	lsn_t		end;
	int			records;
	uint32_t	table[RECORDS];
	uint32_t	hash[RECORDS];
	bool		everywhere[RECORDS];
	unsigned	stored[RECORDS];	/* bits of places */
};

/* One record on its way to one place. */
struct delivery
{
	struct ledger_entry *entry;
	struct position position;
	struct view key;			/* in the frame: must still be there */
	int			frame;
};

/* One record in one place, in a transaction that may not be committed. */
struct arrival
{
	struct position position;
	int			place;
};

/* A position as Kafka keeps it. */
struct place
{
	struct position delivered;
	lsn_t		confirmed;
};

struct topic
{
	int			first;			/* its first place */
	int			count;
};

static struct topic topics[] = {{0, 3}, {3, 1}};

static struct world
{
	struct txn	txns[TXNS];
	int			written;
	int			complete;		/* leading transactions that are all stored */
	lsn_t		end;			/* of the log */
	lsn_t		slot;			/* what the server was told */
	lsn_t		saved;			/* what it will remember */

	bool		connected;
	bool		announced;
	int			next_txn;		/* to be sent */
	int			next_record;
	lsn_t		safe;

	struct delivery queue[PLACES][QUEUE];
	int			queued[PLACES];
	struct position last[PLACES];	/* greatest stored */

	struct sink sink;

	bool		once;
	struct arrival arrived[ARRIVALS];	/* in the open transaction */
	int			arrivals;
	struct position produced;	/* by this sink, or what it began at */
	struct ledger_entry *through;	/* what the transaction completes */
	int			settled;		/* likewise, as a number of frames */
	bool		closing;		/* takes no more */
	struct place closed;		/* the position in the transaction */
	struct place position;		/* the position in Kafka */

	struct ledger ledger;
	struct cursor cursor;
	int			frames;			/* received by this process */
	lsn_t		frame_safe[FRAMES];
	int			released;		/* frames before it need no commit any more */
	int			first_open;		/* frames before it are acknowledged */
	lsn_t		confirmable;	/* as the model has it */
	struct position sent;
	const char *wrong;
} w;

static long buffers;			/* allocated and not freed */

static int
dice(int sides)
{
	return (int) (random() % sides);
}

static void
blame(const char *what)
{
	if (w.wrong == NULL)
		w.wrong = what;
}

static void
free_buffer(void *buffer)
{
	buffers--;
	free(buffer);
}

static void break_sink(void);

/* --- Kafka ----------------------------------------------------------- */

static struct topic *
sink_topic(struct sink *sink, const char *name)
{
	return &topics[name[0] - 'a'];
}

static void
enqueue(int place, const struct sink_record *record)
{
	if (w.queued[place] == QUEUE)
		abort();
	w.queue[place][w.queued[place]++] = (struct delivery) {
		.entry = record->entry,
		.position = record->position,
		.key = record->body.key,
		.frame = w.frames - 1,
	};
}

/* As the producer does: counted as many before the first can be delivered. */
static void
send_copies(const struct sink_record *record)
{
	struct topic *topic = record->topic;

	ledger_expect(&w.ledger, record->entry, (uint32_t) topic->count - 1);
	for (int i = 0; i < topic->count; i++)
		enqueue(topic->first + i, record);
}

static size_t
sink_send(struct sink *sink, const struct sink_record *records, size_t count)
{
	size_t		taken = 0;

	for (; taken < count && !w.closing && dice(8) != 0; taken++)
	{
		const struct sink_record *record = &records[taken];
		const struct topic *topic = record->topic;

		if ((record->body.flags & WIRE_RECORD_EVERY_PARTITION) == 0)
			enqueue(topic->first +
					(int) (record->body.hash % (uint32_t) topic->count),
					record);
		else
			send_copies(record);
		w.produced = record->position;
		if (position_is_after(record->position, w.sent))
			w.sent = record->position;
	}
	return taken;
}

static const struct sink_ops sink_ops = {
	.topic = sink_topic,
	.send = sink_send,
};

static struct txn *
find_txn(lsn_t commit)
{
	for (int i = 0; i < w.written; i++)
		if (w.txns[i].commit == commit)
			return &w.txns[i];
	abort();
}

static bool
is_stored(const struct txn *txn, int record)
{
	const struct topic *topic = &topics[txn->table[record]];
	unsigned	wanted = txn->everywhere[record] ?
		((1u << topic->count) - 1) << topic->first :
		1u << (topic->first +
			   (int) (txn->hash[record] % (uint32_t) topic->count));

	return (txn->stored[record] & wanted) == wanted;
}

/* There for all to see. */
static void
store(struct position position, int place)
{
	unsigned   *stored = &find_txn(position.commit)->stored[position.ordinal];

	if ((*stored & 1u << place) == 0)
	{
		if (!position_is_after(position, w.last[place]))
			blame("a first occurrence is out of order");
		w.last[place] = position;
	}
	else if (w.once)
		blame("a record is there twice");
	*stored |= 1u << place;
}

/* The next record in line arrives; its bytes are looked at one last time. */
static void
arrive(int place, int at)
{
	const struct delivery *delivery = &w.queue[place][at];
	char		key[64];

	snprintf(key, sizeof(key), "%" PRIu64 "/%" PRIu64,
			 delivery->position.commit, delivery->position.ordinal);
	if (strlen(key) != delivery->key.len ||
		memcmp(key, delivery->key.data, delivery->key.len) != 0)
		blame("another record was sent");
	if (!w.once)
		store(delivery->position, place);
	else if (w.arrivals == ARRIVALS)
		blame("a transaction has more records than there are");
	else
		w.arrived[w.arrivals++] = (struct arrival) {delivery->position, place};
}

/* Some from the front of one partition, those of one frame in one step. */
static void
acknowledge(void)
{
	int			place = dice(PLACES);
	int			count = w.queued[place] > 0 ? 1 + dice(w.queued[place]) : 0;
	int			done = 0;

	for (int i = 0; i < count; i++)
		arrive(place, i);
	while (done < count)
	{
		struct ledger_entry *entry = w.queue[place][done].entry;
		int			frame = w.queue[place][done].frame;
		uint32_t	same = 0;

		while (done < count && w.queue[place][done].frame == frame)
		{
			same++;
			done++;
		}
		ledger_ack(&w.ledger, entry, same);
	}
	w.queued[place] -= count;
	memmove(w.queue[place], w.queue[place] + count,
			(size_t) w.queued[place] * sizeof(struct delivery));
}

/* What was on its way arrives in part, and nobody will hear of it. */
static void
abandon(void)
{
	for (int place = 0; place < PLACES; place++)
	{
		int			arrived = dice(w.queued[place] + 1);

		for (int i = 0; i < arrived; i++)
			arrive(place, i);
		w.queued[place] = 0;
	}
	w.arrivals = 0;
	w.closing = false;
}

static bool
is_open_frame(int frame)
{
	if (frame == w.frames - 1 && w.cursor.entry != NULL)
		return true;
	for (int place = 0; place < PLACES; place++)
		for (int i = 0; i < w.queued[place]; i++)
			if (w.queue[place][i].frame == frame)
				return true;
	return false;
}

/* As transaction.c does: the position goes with what was sent. */
static void
close_transaction(void)
{
	if (w.closing)
		return;
	w.through = ledger_settled(&w.ledger);
	w.settled = w.frames - (w.frames > 0 && is_open_frame(w.frames - 1));
	w.closed = (struct place) {w.produced, w.ledger.confirmable};
	if (w.through != NULL && w.through->safe > w.closed.confirmed)
		w.closed.confirmed = w.through->safe;
	w.closing = true;
}

static int
on_the_way(void)
{
	int			queued = 0;

	for (int place = 0; place < PLACES; place++)
		queued += w.queued[place];
	return queued;
}

/* Kafka commits or does not; the sink hears of it or does not. */
static void
commit_transaction(bool sure)
{
	bool		heard = sure || dice(8) != 0;

	if (!w.closing || on_the_way() > 0)
		return;
	if (heard || dice(2) == 0)
	{
		for (int i = 0; i < w.arrivals; i++)
			store(w.arrived[i].position, w.arrived[i].place);
		w.position = w.closed;
	}
	if (!heard)
	{
		break_sink();
		return;
	}
	w.closing = false;
	w.arrivals = 0;
	w.released = w.settled;
	ledger_release(&w.ledger, w.through);
}

/* --- the server ------------------------------------------------------ */

/* A transaction, or some log that concerns nobody. */
static void
write_log(void)
{
	struct txn *txn = &w.txns[w.written];

	if (w.written == TXNS || dice(3) == 0)
	{
		w.end += (lsn_t) (1 + dice(50));
		return;
	}
	/* one may follow another without a byte between */
	txn->commit = w.end + (lsn_t) (dice(2) * dice(30));
	txn->end = w.end = txn->commit + 48;
	txn->records = dice(4) == 0 ? 0 : 1 + dice(RECORDS);
	for (int i = 0; i < txn->records; i++)
	{
		txn->table[i] = (uint32_t) dice(2);
		txn->hash[i] = (uint32_t) dice(100);
		txn->everywhere[i] = dice(10) == 0;
		txn->stored[i] = 0;
	}
	w.written++;
}

static void
announce(struct frames *frame)
{
	if (w.announced)
		return;
	w.announced = true;
	frames_topic(frame, 1, "a");
	frames_topic(frame, 2, "b");
	frames_table(frame, 1, 1, "s", "a");
	frames_table(frame, 2, 2, "s", "b");
}

/* Returns how many records of the next transaction went into the frame. */
static int
fill_frame(struct frames *frame)
{
	const struct txn *txn = &w.txns[w.next_txn];
	int			count = 0;

	while (w.next_record < txn->records && dice(6) != 0)
	{
		int			i = w.next_record++;
		char		key[64];

		announce(frame);
		if (count++ == 0)
			frames_txn(frame, txn->commit, (uint64_t) i);
		snprintf(key, sizeof(key), "%" PRIu64 "/%d", txn->commit, i);
		frames_record(frame, txn->table[i] + 1, txn->hash[i],
					  txn->everywhere[i] ? WIRE_RECORD_EVERY_PARTITION : 0,
					  key, "{}");
	}
	if (w.next_record == txn->records)
	{
		w.safe = txn->end;
		w.next_txn++;
		w.next_record = 0;
	}
	return count;
}

/* A frame holds parts of transactions, whole ones, or nothing at all. */
static void
receive(void)
{
	static struct frames frame;
	char	   *bytes;

	if (!w.connected || w.cursor.entry != NULL || w.frames == FRAMES)
		return;
	frames_begin(&frame, 0);
	while (w.next_txn < w.written && dice(4) != 0)
		fill_frame(&frame);
	if (w.next_txn == w.written)
		w.safe = w.end;
	wire_put64(frame.data + 16, w.safe);

	bytes = malloc(frame.len);
	memcpy(bytes, frame.data, frame.len);
	buffers++;
	w.frame_safe[w.frames++] = w.safe;
	if (!cursor_begin(&w.cursor, bytes, frame.len, bytes, frame.len))
		blame("a frame was refused");
}

/* What commits before the position is not sent again. */
static void
connect_at(lsn_t start)
{
	if (start < w.slot)
		start = w.slot;
	w.next_txn = w.next_record = 0;
	while (w.next_txn < w.written && w.txns[w.next_txn].commit < start)
		w.next_txn++;
	w.safe = start;
	w.connected = true;
	w.announced = false;
	cursor_connect(&w.cursor);
}

/* --- the process ----------------------------------------------------- */

/* What is at or below the position in Kafka is never sent again. */
static void
open_sink(void)
{
	if (w.once && w.position.delivered.commit != LSN_INVALID)
		w.ledger.acked = w.ledger.sent = w.sent = w.position.delivered;
	if (w.once && w.position.confirmed > w.ledger.confirmable)
		w.ledger.confirmable = w.confirmable = w.position.confirmed;
	w.produced = w.ledger.acked;
}

static void
start_process(void)
{
	ledger_init(&w.ledger, free_buffer);
	w.ledger.hold = w.once;
	cursor_init(&w.cursor, &w.ledger);
	w.sink.ops = &sink_ops;
	w.cursor.sink = &w.sink;
	w.frames = w.first_open = w.released = 0;
	w.confirmable = LSN_INVALID;
	w.sent = (struct position) {LSN_INVALID, 0};
	w.connected = false;
	open_sink();
}

static void
break_sink(void)
{
	w.connected = false;
	abandon();
	cursor_drop(&w.cursor);
	cursor_connect(&w.cursor);
	ledger_reset(&w.ledger);
	w.first_open = w.released = w.frames;
	open_sink();
}

static void
kill_process(void)
{
	break_sink();
	cursor_free(&w.cursor);
	start_process();
}

static void
confirm(void)
{
	if (w.connected && w.ledger.confirmable > w.slot)
		w.slot = w.ledger.confirmable;
}

static void
advance(void)
{
	if (cursor_advance(&w.cursor) == CURSOR_BROKEN)
		blame("the cursor broke");
}

#endif							/* PRETEND_H */
