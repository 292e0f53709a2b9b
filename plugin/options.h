/*
 * options.h
 *		What the client asked of the plugin when it started decoding.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "nodes/pg_list.h"
#include "utils/memutils.h"

typedef enum Wal2KafkaTruncate
{
	TRUNCATE_SKIP,
	TRUNCATE_EMIT,
	TRUNCATE_HALT,
} Wal2KafkaTruncate;

typedef enum Wal2KafkaKeyChange
{
	KEY_CHANGE_SPLIT,
	KEY_CHANGE_UPDATE,
} Wal2KafkaKeyChange;

typedef enum Wal2KafkaPartitioner
{
	PARTITIONER_MURMUR2,
	PARTITIONER_CRC32,
} Wal2KafkaPartitioner;

typedef enum Wal2KafkaGenerated
{
	GENERATED_NONE,
	GENERATED_STORED,
} Wal2KafkaGenerated;

typedef enum Wal2KafkaFields
{
	FIELDS_ALL,
	FIELDS_NONE,
} Wal2KafkaFields;

typedef enum Wal2KafkaMissingPublication
{
	MISSING_PUBLICATION_ERROR,
	MISSING_PUBLICATION_SKIP,
} Wal2KafkaMissingPublication;

typedef enum Wal2KafkaFlush
{
	FLUSH_BATCH,
	FLUSH_COMMIT,
} Wal2KafkaFlush;

typedef enum Wal2KafkaOrigin
{
	ORIGIN_ANY,
	ORIGIN_NONE,
} Wal2KafkaOrigin;

typedef enum Wal2KafkaOnError
{
	ON_ERROR_HALT,
	ON_ERROR_STUB,
} Wal2KafkaOnError;

/* Of key and value; the server allows the buffer that grows twice that. */
#define RECORD_SIZE_MAX	(MaxAllocSize / 2)

typedef struct Wal2KafkaOptions
{
	int			proto_version;	/* 0: text lines, else frames */
	char	   *publication_names;	/* as given; NULL: every table */
	char	   *topic_prefix;	/* "" when not given */
	char	   *routes;			/* as given, or NULL */
	char	   *message_topics; /* as given, or NULL */
	char	   *state_topic;	/* takes no message, or NULL */
	int			truncate;		/* Wal2KafkaTruncate, and so on */
	int			key_change;
	int			partitioner;
	int			generated;
	int			fields;
	int			missing_publication;
	int			flush;
	int			origin;
	bool		include_xid;
	bool		include_origin;
	int			on_error;
	char	   *stub;			/* as given, or NULL */
	int			max_record;		/* bytes of key and value; 0: not given */
	int			timeline;		/* the only one to send; 0: not given */

	List	   *publications;	/* char *, parsed from publication_names */
	List	   *route_list;		/* parsed from routes, see route.h */
	List	   *message_globs;	/* char *, parsed from message_topics */
	List	   *stub_names;		/* parsed from stub, see stub.h */
	Size		record_limit;	/* max_record, or what the server can bear */
	uint64		fingerprint;	/* of all that makes records differ */
} Wal2KafkaOptions;

/*
 * Reads the list of DefElem that logical decoding hands to startup_cb into
 * CurrentMemoryContext.  ERROR names the option and the value.
 */
extern void wal2kafka_options_parse(List *given, Wal2KafkaOptions *options);

#endif							/* OPTIONS_H */
