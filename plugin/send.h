/*
 * send.h
 *		One record on its way: encoded, cut down where it must and may be, and
 *		handed to the batch or the client.
 */
#ifndef SEND_H
#define SEND_H

#include "change.h"

/* Sends the record, whose Kafka key is taken from key_row, and numbers it. */
extern void wal2kafka_send(Wal2KafkaState *state,
						   const Wal2KafkaRecord *record,
						   const Wal2KafkaRow *key_row);

/* The key of a row alone; false: it cannot be in a record. */
extern bool wal2kafka_send_key(Wal2KafkaState *state, StringInfo key,
							   Wal2KafkaRelation *relation,
							   const Wal2KafkaRow *row);

#endif							/* SEND_H */
