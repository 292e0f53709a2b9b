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

/*
 * Some of a row's columns alone, as a key has them; false: they cannot be in
 * a record.
 */
extern bool wal2kafka_send_columns(Wal2KafkaState *state, StringInfo out,
								   Wal2KafkaRelation *relation,
								   const int *columns, int count,
								   const Wal2KafkaRow *row);

#endif							/* SEND_H */
