/*
 * row_id.h
 *		Which row of the bench a record is about, whoever wrote the record.
 */
#ifndef ROW_ID_H
#define ROW_ID_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

/*
 * The first number of the key or, without a key, the first number behind "id"
 * (with its quotes) in the value; -1 if there is none.  Every column of that
 * name in every format that we know is told by this.
 */
extern int64_t row_id(const rd_kafka_message_t *msg);

#endif							/* ROW_ID_H */
