/*
 * ready.c
 *		Whether records can go, and what is in the way.
 */
#include "ready.h"

#include "clock.h"

static const struct
{
	const char *name;
	const char *text;
}			words[READY_COUNT] = {
	[READY_SERVER] = {"server", "not streaming from the server"},
	[READY_STANDBY] = {"standby", "another connection reads the slot"},
	[READY_KAFKA] = {"kafka", "Kafka does not answer"},
	[READY_STALLED] = {"stalled", "Kafka acknowledges nothing"},
	[READY_RESTART] = {"restart", "what failed is being sent again"},
	[READY_TOPIC] = {"topic", "a topic is missing"},
	[READY_ACCESS] = {"access", "Kafka refuses access to a topic"},
	[READY_PARTITION] = {"partition", "a partition acknowledges nothing"},
	[READY_STOPPING] = {"stopping", "stopping"},
};

/* one process, one answer: read by other threads, hence atomic */
static unsigned faults = 1u << READY_SERVER;
static int64_t turned_at = 0;	/* ms */

/* Asked often, changed seldom: the write is what costs. */
void
ready_set(enum ready_fault fault, bool holds)
{
	unsigned	bit = 1u << fault;

	if (((__atomic_load_n(&faults, __ATOMIC_RELAXED) & bit) != 0) == holds)
		return;
	if (holds)
		__atomic_fetch_or(&faults, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&faults, ~bit, __ATOMIC_RELAXED);
}

unsigned
ready_faults(void)
{
	return __atomic_load_n(&faults, __ATOMIC_RELAXED);
}

const char *
ready_name(enum ready_fault fault)
{
	return words[fault].name;
}

const char *
ready_text(enum ready_fault fault)
{
	return words[fault].text;
}

void
ready_turned(void)
{
	__atomic_store_n(&turned_at, clock_ms(), __ATOMIC_RELAXED);
}

int64_t
ready_idle_ms(void)
{
	return clock_ms() - __atomic_load_n(&turned_at, __ATOMIC_RELAXED);
}
