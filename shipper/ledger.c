/*
 * ledger.c
 *		Frames in flight, and which LSN may be confirmed.
 */
#include "ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

static void advance(struct ledger *ledger);
static void pop(struct ledger *ledger);

void
ledger_init(struct ledger *ledger, void (*free_buffer) (void *buffer))
{
	*ledger = (struct ledger) {.free_buffer = free_buffer};
}

struct ledger_entry *
ledger_add(struct ledger *ledger, void *buffer, size_t size, uint32_t records,
		   lsn_t safe, struct position last)
{
	struct ledger_entry *entry = mem_zalloc(sizeof(*entry));

	entry->buffer = buffer;
	entry->size = size;
	entry->outstanding = records;
	entry->safe = safe;
	entry->held = ledger->hold;
	if (records > 0)
		entry->last = last;

	if (ledger->tail != NULL)
		ledger->tail->next = entry;
	else
		ledger->head = entry;
	ledger->tail = entry;
	ledger->size += size;
	ledger->outstanding += records;

	advance(ledger);
	return ledger->tail;
}

void
ledger_expect(struct ledger *ledger, struct ledger_entry *entry, uint32_t more)
{
	assert(entry->outstanding > 0);
	entry->outstanding += more;
	ledger->outstanding += more;
}

void
ledger_ack(struct ledger *ledger, struct ledger_entry *entry, uint32_t count)
{
	assert(entry->outstanding >= count);
	entry->outstanding -= count;
	ledger->outstanding -= count;
	if (entry == ledger->head)
		advance(ledger);
}

struct ledger_entry *
ledger_settled(const struct ledger *ledger)
{
	struct ledger_entry *settled = NULL;

	for (struct ledger_entry *entry = ledger->head; entry != NULL;
		 entry = entry->next)
		if (entry->next != NULL || entry->outstanding == 0)
			settled = entry;
	return settled;
}

void
ledger_release(struct ledger *ledger, struct ledger_entry *through)
{
	struct ledger_entry *entry = ledger->head;

	if (through == NULL)
		return;
	while (entry != through)
	{
		entry->held = false;
		entry = entry->next;
	}
	entry->held = false;
	advance(ledger);
}

void
ledger_reset(struct ledger *ledger)
{
	while (ledger->head != NULL)
		pop(ledger);
	ledger->outstanding = 0;
}

void
ledger_cut(struct ledger *ledger, lsn_t lsn)
{
	assert(ledger->head == NULL);
	if (ledger->confirmable > lsn)
		ledger->confirmable = lsn;
}

/*
 * A reconnect may hand out a lower safe LSN than the last connection reached,
 * and records before the acknowledged ones: neither moves anything back.
 */
static void
advance(struct ledger *ledger)
{
	while (ledger->head != NULL && ledger->head->outstanding == 0 &&
		   !ledger->head->held)
	{
		const struct ledger_entry *entry = ledger->head;

		if (entry->safe > ledger->confirmable)
			ledger->confirmable = entry->safe;
		if (position_is_after(entry->last, ledger->acked))
			ledger->acked = entry->last;
		if (entry->received > 0 && ledger->done != NULL)
			ledger->done(entry->received, entry->committed);
		pop(ledger);
	}
}

static void
pop(struct ledger *ledger)
{
	struct ledger_entry *entry = ledger->head;

	ledger->head = entry->next;
	if (ledger->head == NULL)
		ledger->tail = NULL;
	ledger->size -= entry->size;
	ledger->free_buffer(entry->buffer);
	free(entry);
}
