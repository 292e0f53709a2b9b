/*
 * record.h
 *		One change as a Kafka record: its key and its JSON value.
 *
 * Encodes what it is told and decides nothing.
 */
#ifndef RECORD_H
#define RECORD_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "relation.h"

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
} Wal2KafkaRow;

/* What all records of a transaction share. */
typedef struct Wal2KafkaTxn
{
	XLogRecPtr	commit_lsn;		/* "lsn" */
	XLogRecPtr	end_lsn;
	TimestampTz commit_time;
	TransactionId xid;
	char	   *origin;			/* name, or NULL */
	uint64		ordinal;		/* "seq_id" of the next record */

	/* written once: the digits of lsn, and commit_ts */
	char		lsn_text[MAXINT8LEN + 1];
	int			lsn_len;
	char		commit_ts[48];
	int			commit_ts_len;
} Wal2KafkaTxn;

typedef struct Wal2KafkaRecord
{
	Wal2KafkaOp op;
	Wal2KafkaRelation *relation;
	Wal2KafkaIdentity old;		/* what is known of the old row */
	const Wal2KafkaRow *old_row;	/* unused with IDENTITY_NONE */
	const Wal2KafkaRow *new_row;
	const bool *unchanged;		/* by column, those left out; NULL: none */
	bool		key_change;		/* half of an update */
	bool		cascade;		/* of a truncate */
	bool		restart_identity;
} Wal2KafkaRecord;

typedef struct Wal2KafkaEncoder
{
	const Wal2KafkaOptions *options;
	Wal2KafkaCharset charset;
	const char *column;			/* being encoded, for error messages */
} Wal2KafkaEncoder;

/* Fills lsn_text and commit_ts from commit_lsn and commit_time. */
extern void wal2kafka_txn_texts(Wal2KafkaTxn *txn);

/*
 * Appends the key's bytes in UTF-8: one column's text, or a JSON array for
 * several columns or a null.  False, with nothing appended: a null key.
 */
extern bool wal2kafka_record_key(StringInfo out, Wal2KafkaEncoder *encoder,
								 Wal2KafkaRelation *relation,
								 const Wal2KafkaRow *row);

/* Appends the value: one JSON object, numbered txn->ordinal. */
extern void wal2kafka_record_value(StringInfo out, Wal2KafkaEncoder *encoder,
								   const Wal2KafkaTxn *txn,
								   const Wal2KafkaRecord *record);

#endif							/* RECORD_H */
