/*
 * pin.h
 *		What is known of a topic beyond the life of one producer.
 *
 * The next producer sends again what this one may have delivered in part: to
 * the same partitions, so their number is pinned.  Where each partition stood
 * tells a topic that was made anew, or lost its end, from the one it was.
 */
#ifndef PIN_H
#define PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

struct pin
{
	struct pin *next;
	char	   *name;			/* of the topic */
	int32_t		count;			/* of partitions; 0: never known */
	int64_t    *offsets;		/* count; greatest acknowledged, -1: none */
	struct position *ends;		/* count; of the frames these records are in */
	bool		refused;		/* a record, and it was looked into */
	bool		denied;			/* no access, until a record is acknowledged */
};

/* Never NULL; lives as long as the process. */
extern struct pin *pin_find(const char *name);

/* Partitions that are there before and after keep their offsets. */
extern void pin_set_count(struct pin *pin, int32_t count);

/*
 * A record of the frame that ends at that position was acknowledged.  False,
 * and the greatest offset before in *before, when it does not lie behind those
 * that are older: what they held is gone.  One of the same frame or an older
 * one may lie before: its answer came late, after a retry.
 */
extern bool pin_advance(struct pin *pin, int32_t partition, int64_t offset,
						struct position end, int64_t *before);

/* Kafka does not let us at the topic. */
extern void pin_deny(struct pin *pin);

/* Whether that holds of any topic. */
extern bool pin_any_denied(void);

/* Whether anything at all was acknowledged since the process began. */
extern bool pin_any_worked(void);

#endif							/* PIN_H */
