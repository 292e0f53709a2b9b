/*
 * json.h
 *		The only code that escapes: names and values into JSON strings.
 */
#ifndef JSON_OUT_H
#define JSON_OUT_H

#include "lib/stringinfo.h"

/* How the database's text becomes JSON text, which is always UTF-8. */
typedef enum Wal2KafkaCharset
{
	CHARSET_UTF8,				/* the database is UTF8: as it is */
	CHARSET_CONVERT,			/* converted to UTF-8 */
	CHARSET_CONVERT_ASCII,		/* the same, non-ASCII as \uXXXX: the SQL
								 * interface wants the database's encoding */
} Wal2KafkaCharset;

/* The way for this database; text lines of the SQL interface or not. */
extern Wal2KafkaCharset wal2kafka_charset(bool text_lines);

/*
 * Text in UTF-8: the given pointer or a palloc'd copy, not terminated, with
 * its length in *len.  Bytes that cannot be converted are each taken for the
 * LATIN1 character of that number: what is not UTF-8 in an SQL_ASCII database,
 * characters that Unicode has not.  What becomes too long for any record is
 * cut, to what still is.  Unless all is ASCII, the first call of a process
 * reads the catalog.
 */
extern const char *wal2kafka_utf8(const char *text, int *len,
								  Wal2KafkaCharset charset);

/* A name in UTF-8, palloc'd: at most four times as long. */
extern char *wal2kafka_utf8_name(const char *name);

/* Appends text escaped, without the quotes around it. */
extern void wal2kafka_json_escape(StringInfo out, const char *text, int len,
								  Wal2KafkaCharset charset);

/*
 * The same for a value, which may be large: false as soon as "out" is longer
 * than the limit, and then at most a few kilobytes longer.
 */
extern bool wal2kafka_json_escape_within(StringInfo out, const char *text,
										 int len, Wal2KafkaCharset charset,
										 Size limit);

/* Appends a whole JSON string. */
extern void wal2kafka_json_string(StringInfo out, const char *text,
								  Wal2KafkaCharset charset);

#endif							/* JSON_OUT_H */
