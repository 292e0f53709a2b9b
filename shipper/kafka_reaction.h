/*
 * kafka_reaction.h
 *		What to do when Kafka refuses: one table of its errors.
 *
 * Only errors that librdkafka gives up for come here: what it retries by
 * itself, for ever as we set it, is none of our business.
 */
#ifndef KAFKA_REACTION_H
#define KAFKA_REACTION_H

#include <librdkafka/rdkafka.h>

enum kafka_reaction
{
	KAFKA_RETRY,				/* a new producer, after a growing delay */
	KAFKA_SHRINK,				/* the same, in smaller batches if possible */
	KAFKA_ACCESS,				/* a person at the first start, else a retry */
	KAFKA_ONCE,					/* a retry, it may tell more; then a person */
	KAFKA_PERSON,				/* no retry mends it */
	KAFKA_REACTION_COUNT,
};

/*
 * The reaction to an error, and a hint that names the remedy or NULL.  What is
 * not in the table is retried.
 */
extern enum kafka_reaction kafka_reaction_find(rd_kafka_resp_err_t err,
											   const char **hint);

#endif							/* KAFKA_REACTION_H */
