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

struct pin
{
	struct pin *next;
	char	   *name;			/* of the topic */
	int32_t		count;			/* of partitions; 0: never known */
	int64_t    *offsets;		/* count; last acknowledged, -1: none */
	bool		refused;		/* a record, and it was looked into */
	bool		denied;			/* no access, until a record is acknowledged */
};

/* Never NULL; lives as long as the process. */
extern struct pin *pin_find(const char *name);

/* Partitions that are there before and after keep their offsets. */
extern void pin_set_count(struct pin *pin, int32_t count);

/*
 * A record was acknowledged there.  False, and the offset before in *before,
 * when it is not behind all that were: what they held is gone.
 */
extern bool pin_advance(struct pin *pin, int32_t partition, int64_t offset,
						int64_t *before);

/* Kafka does not let us at the topic. */
extern void pin_deny(struct pin *pin);

/* Whether that holds of any topic. */
extern bool pin_any_denied(void);

/* Whether anything at all was acknowledged since the process began. */
extern bool pin_any_worked(void);

#endif							/* PIN_H */
