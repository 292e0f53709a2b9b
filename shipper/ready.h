/*
 * ready.h
 *		Whether records can go from server to sink now, and what is in the way.
 *
 * A set of faults, each set and cleared where it is noticed, in the loop's
 * thread; any thread may ask.  Ready is who has none.  A fault is set at once
 * and cleared by what disproves it, so nothing here expires.
 */
#ifndef READY_H
#define READY_H

#include <stdbool.h>
#include <stdint.h>

enum ready_fault
{
	READY_SERVER,				/* not streaming */
	READY_STANDBY,				/* another connection reads the slot */
	READY_KAFKA,				/* no broker answers */
	READY_STALLED,				/* records wait, and none is acknowledged */
	READY_RESTART,				/* a delivery failed, and none worked since */
	READY_TOPIC,				/* a topic is missing */
	READY_ACCESS,				/* Kafka does not let us at a topic */
	READY_PARTITION,			/* one acknowledges nothing, others may */
	READY_STOPPING,
	READY_COUNT,
};

extern void ready_set(enum ready_fault fault, bool holds);

/* Bits by ready_fault; 0: ready. */
extern unsigned ready_faults(void);

/* One word, and a text for people; constants. */
extern const char *ready_name(enum ready_fault fault);
extern const char *ready_text(enum ready_fault fault);

/*
 * The loop has turned; or waits, within limits of its own, for a server, which
 * is as good.
 */
extern void ready_turned(void);

/* ms since then; large before the first turn. */
extern int64_t ready_idle_ms(void);

#endif							/* READY_H */
