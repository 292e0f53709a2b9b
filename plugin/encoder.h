/*
 * encoder.h
 *		A column's value as text, within the room that a record has.
 *
 * What would be larger than the limit is not finished, and asks for no memory
 * beyond it.
 */
#ifndef ENCODER_H
#define ENCODER_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "relation.h"
#include "scalar.h"

/* Which output functions may fail without an ERROR. */
typedef enum Wal2KafkaIsolate
{
	ISOLATE_NONE,
	ISOLATE_FOREIGN,			/* code not the server's, and large values */
	ISOLATE_ALL,
} Wal2KafkaIsolate;

typedef struct Wal2KafkaEncoder
{
	const Wal2KafkaOptions *options;
	Wal2KafkaCharset charset;
	Wal2KafkaIsolate isolate;
	const char *column;			/* being encoded, for error messages */

	/* about the record that is being encoded */
	Size		limit;			/* length that "out" may have at its end */
	bool		overflow;		/* it does not fit; what is there is torn */
	List	   *failed;			/* columns whose output function raised */
	int			sqlstate;		/* what the last of them raised */
	Size		size;			/* of the text of the last value */
} Wal2KafkaEncoder;

/* A record begins at the end of "out". */
static inline void
wal2kafka_encoder_begin(Wal2KafkaEncoder *encoder, const StringInfoData *out)
{
	encoder->limit = out->len + encoder->options->record_limit;
	encoder->overflow = false;
	encoder->failed = NIL;
}

/* Whether all of the record that ends at the end of "out" is there. */
static inline bool
wal2kafka_encoder_is_whole(const Wal2KafkaEncoder *encoder,
						   const StringInfoData *out)
{
	return !encoder->overflow && encoder->failed == NIL &&
		out->len <= encoder->limit;
}

/*
 * Appends a value that is not null: as the inside of a JSON string, or as it
 * is, in UTF-8.  Whether it is whole is for the encoder to say.
 */
extern void wal2kafka_encoder_append(StringInfo out,
									 Wal2KafkaEncoder *encoder,
									 Wal2KafkaColumn *column, Datum value,
									 bool json);

/* For the next one: a value that scalar.c leaves to others. */
extern char *wal2kafka_encoder_put_other(StringInfo out, char *to,
										 Wal2KafkaEncoder *encoder,
										 Wal2KafkaColumn *column,
										 Datum value);

/* room that the next one is to be given */
#define ENCODER_ROOM	(SCALAR_MAX + 2)

/*
 * The same as a JSON string with its quotes, at "to" behind the end of "out",
 * where ENCODER_ROOM bytes are free; returns the place behind it.  Does not say
 * how long the value is.
 */
static inline char *
wal2kafka_encoder_put(StringInfo out, char *to, Wal2KafkaEncoder *encoder,
					  Wal2KafkaColumn *column, Datum value)
{
	char	   *end;

	if (wal2kafka_is_scalar(column->output))
	{
		*to = '"';
		end = wal2kafka_scalar_put(to + 1, column->output, value);
		if (likely(end))
		{
			*end = '"';
			return end + 1;
		}
	}
	return wal2kafka_encoder_put_other(out, to, encoder, column, value);
}

#endif							/* ENCODER_H */
