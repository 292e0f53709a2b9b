/*
 * record.h
 *		One change as a Kafka record: its key and its JSON value.
 *
 * Encodes what it is told and decides nothing.  A record that would be larger
 * than the limit is not finished, and asks for no memory beyond it.
 */
#ifndef RECORD_H
#define RECORD_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "encoder.h"

#define KEY_CHANGE_FIELD	",\"key_change\":true"
#define SNAPSHOT_FIELD		",\"snapshot\":true"
#define XID_FIELD			",\"xid\":"

typedef enum Wal2KafkaOp
{
	OP_INSERT,
	OP_UPDATE,
	OP_DELETE,
	OP_TRUNCATE,
} Wal2KafkaOp;

/* A deformed tuple, indexed by attribute number less one. */
typedef struct Wal2KafkaRow
{
	Datum	   *values;
	bool	   *nulls;
	bool		has_external;	/* perhaps; set where changes are decoded */
} Wal2KafkaRow;

/* What all records of a transaction share. */
typedef struct Wal2KafkaTxn
{
	XLogRecPtr	commit_lsn;		/* "lsn" */
	XLogRecPtr	end_lsn;
	TimestampTz commit_time;
	TransactionId xid;
	bool		foreign;		/* an origin brought it, and its time */
	char	   *origin;			/* name, or NULL */
	bool		snapshot;		/* none: rows that a table has */
	uint64		ordinal;		/* "seq_id" of the next record */
	uint32		dropped;		/* records that would have had that number */
	bool		half_named;		/* it is half of an update that was named */

	/* written once: the digits of lsn, and commit_ts */
	char		lsn_text[MAXINT8LEN + 1];
	int			lsn_len;
	char		commit_ts[48];
	int			commit_ts_len;
} Wal2KafkaTxn;

/* A column that a record is sent without, though its value is known. */
typedef struct Wal2KafkaOmission
{
	bool		omitted;
	bool		failed;			/* its output function raised an error */
	Size		size;			/* bytes of its text */
} Wal2KafkaOmission;

typedef struct Wal2KafkaRecord
{
	Wal2KafkaOp op;
	Wal2KafkaRelation *relation;
	Wal2KafkaIdentity old;		/* what is known of the old row */
	const Wal2KafkaRow *old_row;	/* unused with IDENTITY_NONE */
	const Wal2KafkaRow *new_row;
	const bool *unchanged;		/* by column, those left out; NULL: none */
	const Wal2KafkaOmission *omitted;	/* by column; NULL: none */
	bool		key_change;		/* half of an update */
	bool		cascade;		/* of a truncate */
	bool		restart_identity;
} Wal2KafkaRecord;

/* Fills lsn_text and commit_ts from commit_lsn and commit_time. */
extern void wal2kafka_txn_texts(Wal2KafkaTxn *txn);

/*
 * Appends the key's bytes in UTF-8: one column's text, or a JSON array for
 * several columns or a null.  False, with nothing appended: a null key.
 */
extern bool wal2kafka_record_key(StringInfo out, Wal2KafkaEncoder *encoder,
								 Wal2KafkaRelation *relation,
								 const Wal2KafkaRow *row);

/* The same of other columns, which are as many as that and one at least. */
extern void wal2kafka_record_columns(StringInfo out,
									 Wal2KafkaEncoder *encoder,
									 Wal2KafkaRelation *relation,
									 const int *columns, int count,
									 const Wal2KafkaRow *row);

/*
 * Bytes of a value in a record, and in encoder->size of its text; more than
 * the limit, if not exactly, when it alone is too much.  Begins a record.
 */
extern Size wal2kafka_record_measure(StringInfo scratch,
									 Wal2KafkaEncoder *encoder,
									 Wal2KafkaColumn *column,
									 const Wal2KafkaRow *row);

/* Appends the value: one JSON object, numbered txn->ordinal. */
extern void wal2kafka_record_value(StringInfo out, Wal2KafkaEncoder *encoder,
								   const Wal2KafkaTxn *txn,
								   const Wal2KafkaRecord *record);

#endif							/* RECORD_H */
