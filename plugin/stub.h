/*
 * stub.h
 *		Records that cannot be sent whole: too large, or with a value that has
 *		no text.
 *
 * A stub is the same record without what is in the way.  It is made only
 * where that was asked for: on_error=stub, or the record's name in "stub".
 */
#ifndef STUB_H
#define STUB_H

#include "change.h"

typedef struct Wal2KafkaStub
{
	Wal2KafkaRecord record;		/* what is left */
	Wal2KafkaOmission *omitted; /* by column, of the record */
	Size	   *cost;			/* by column, bytes in the record */
	int		   *order;			/* columns that may go, the largest first;
								 * NULL: not measured yet */
	int			norder;
	int			gone;			/* of them */
	Size		rest;			/* cost of those that are still there */
	int			largest;		/* of all columns, or -1 */
	Size		largest_size;	/* of its text */
} Wal2KafkaStub;

/* "LSN/SEQ, ..." as a list; ERROR on what is no name of a record. */
extern List *wal2kafka_stub_names(const char *text);

/* The name of the record that comes next: LSN/SEQ. */
extern char *wal2kafka_stub_name(const Wal2KafkaTxn *txn);

/*
 * Whether the record with the transaction's next number is named.  One that
 * is dropped leaves its number to the next: as many names, as many drops.
 */
extern bool wal2kafka_stub_named(const Wal2KafkaOptions *options,
								 const Wal2KafkaTxn *txn);

extern void wal2kafka_stub_begin(Wal2KafkaStub *stub,
								 const Wal2KafkaRecord *record);

/*
 * Takes away what the encoder stumbled over last, the largest first.  False:
 * nothing more may go.  OLD is cut to its key before anything else, and what
 * identifies the row, the Kafka key and the last column always stay.
 */
extern bool wal2kafka_stub_cut(Wal2KafkaStub *stub, Wal2KafkaState *state);

/*
 * Halts with an ERROR that tells what is in the way and how to go on; the
 * encoder has just stumbled over it.  "allowed": not even a stub can be made.
 */
extern void wal2kafka_stub_refuse(Wal2KafkaState *state,
								  const Wal2KafkaRecord *record,
								  bool allowed);

#endif							/* STUB_H */
