/*
 * scalar.h
 *		Values of fixed-size types, and short numerics, as their text.
 *
 * The bytes are those of the type's output function under the settings that
 * session.c pins, without the call, the memory and the copy.
 */
#ifndef SCALAR_H
#define SCALAR_H

#include "datatype/timestamp.h"

#include "relation.h"

/* bytes that the text of one may have; most of them a numeric's */
#define SCALAR_MAX		336

static inline bool
wal2kafka_is_scalar(Wal2KafkaOutput output)
{
	return output <= OUTPUT_LAST_SCALAR;
}

/*
 * Stores the text at "to", where SCALAR_MAX bytes are free: ASCII that JSON
 * does not escape.  Returns the place behind it, or NULL for a value that is
 * left to the output function: infinite times, years before 1 or after 9999,
 * long numerics.
 */
extern char *wal2kafka_scalar_put(char *to, Wal2KafkaOutput output,
								  Datum value);

/* For that: a numeric that is not long, stored as numeric.c does. */
extern char *wal2kafka_numeric_put(char *to, const void *stored);

/*
 * A jsonb with its quotes, at "to" behind the end of "out", which may be
 * moved; NULL, with "out" as it was, for a value that is left to the output
 * function: far away, compressed, large, deep, with text that is not UTF-8.
 */
extern char *wal2kafka_jsonb_put(StringInfo out, char *to,
								 const void *stored);

/* "YYYY-MM-DD" and "HH:MM:SS", for a year from 1 to 9999; NULL for others. */
extern char *wal2kafka_date_put(char *to, int64 day);
extern char *wal2kafka_clock_put(char *to, int64 second_of_day);

/* Splits a time into its day and the microsecond of that. */
extern int64 wal2kafka_time_split(Timestamp time, int64 *day);

/* Six digits. */
extern char *wal2kafka_micros_put(char *to, int micros);

#endif							/* SCALAR_H */
