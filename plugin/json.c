/*
 * json.c
 *		The only code that escapes: names and values into JSON strings.
 *
 * Only '"', '\' and bytes below 0x20 are escaped; everything else is raw
 * UTF-8.  escape.h has the inner loop.
 */
#include "postgres.h"

#include "catalog/pg_conversion.h"
#include "catalog/pg_namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "escape.h"
#include "json.h"
#include "put.h"

/* a chunk is escaped after its worst case was reserved */
#define CHUNK			1024

/* text is converted in pieces of that many bytes */
#define PIECE			8192

/* more than any record may have, and a buffer that grows can still hold */
#define CONVERTED_MAX	(MaxAllocSize / 4 * 3)

Wal2KafkaCharset
wal2kafka_charset(bool text_lines)
{
	if (GetDatabaseEncoding() == PG_UTF8)
		return CHARSET_UTF8;
	return text_lines ? CHARSET_CONVERT_ASCII : CHARSET_CONVERT;
}

/* Returns whether there is any byte beyond ASCII. */
static bool
escape_chunk(StringInfo out, const char *text, int len)
{
	char	   *to = put_room(out, out->data + out->len, ESCAPE_ROOM(len));
	unsigned	seen = 0;

	put_end(out, escape_text(to, text, len, &seen));
	return (seen & ESCAPE_BEYOND_ASCII) != 0;
}

/*
 * False as soon as "out" is longer than the limit.  Tells whether there was
 * any byte beyond ASCII.
 */
static bool
escape_chunks(StringInfo out, const char *text, int len, Size limit,
			  bool *beyond_ascii)
{
	*beyond_ascii = false;
	for (; len > CHUNK; text += CHUNK, len -= CHUNK)
	{
		CHECK_FOR_INTERRUPTS();
		*beyond_ascii |= escape_chunk(out, text, CHUNK);
		if (out->len > limit)
			return false;
	}
	*beyond_ascii |= escape_chunk(out, text, len);
	return true;
}

static void
append_utf16(StringInfo out, pg_wchar c)
{
	if (c >= 0x10000)
	{
		c -= 0x10000;
		appendStringInfo(out, "\\u%04x\\u%04x",
						 (unsigned) (0xD800 + (c >> 10)),
						 (unsigned) (0xDC00 + (c & 0x3FF)));
	}
	else
		appendStringInfo(out, "\\u%04x", (unsigned) c);
}

/* Valid UTF-8 in, ASCII out. */
static bool
escape_ascii(StringInfo out, const char *text, int len, Size limit)
{
	const char *end = text + len;

	while (text < end)
	{
		const char *start = text;

		CHECK_FOR_INTERRUPTS();
		if (out->len > limit)
			return false;
		while (text < end && text - start < CHUNK && !IS_HIGHBIT_SET(*text))
			text++;
		(void) escape_chunk(out, start, text - start);

		if (text < end && IS_HIGHBIT_SET(*text))
		{
			append_utf16(out, utf8_to_unicode((const unsigned char *) text));
			text += pg_utf_mblen((const unsigned char *) text);
		}
	}
	return out->len <= limit;
}

/*
 * What cannot be converted must not stop the stream.  Each byte is taken for
 * the LATIN1 character of its number, so that values which differ in such
 * bytes alone go on to differ; only one that holds that very character is like
 * it.
 */
static void
append_latin1(StringInfo out, const char *text, int len)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (IS_HIGHBIT_SET(c))
		{
			appendStringInfoCharMacro(out, (char) (0xC0 | c >> 6));
			appendStringInfoCharMacro(out, (char) (0x80 | (c & 0x3F)));
		}
		else
			appendStringInfoCharMacro(out, (char) c);
	}
}

/*
 * SQL_ASCII promises nothing, and a cast without a function can put anything
 * into a UTF8 database too: keeps what is UTF-8.
 */
static const char *
mend_utf8(const char *text, int *len)
{
	StringInfoData out;
	const char *end = text + *len;

	if (pg_verify_mbstr(PG_UTF8, text, *len, true))
		return text;

	initStringInfo(&out);
	while (text < end && out.len < CONVERTED_MAX)
	{
		int			l = pg_utf_mblen((const unsigned char *) text);

		CHECK_FOR_INTERRUPTS();
		if (l <= end - text &&
			pg_utf8_islegal((const unsigned char *) text, l))
			appendBinaryStringInfo(&out, text, l);
		else
		{
			l = 1;
			append_latin1(&out, text, l);
		}
		text += l;
	}
	*len = out.len;
	return out.data;
}

/*
 * The server's own conversion to UTF-8, if there is one: not what search_path
 * or the client's encoding would find.
 */
static Oid
conversion_to_utf8(void)
{
	static bool known = false;
	static Oid	function = InvalidOid;

	if (!known)
		function = FindDefaultConversion(PG_CATALOG_NAMESPACE,
										 GetDatabaseEncoding(), PG_UTF8);
	known = true;
	return function;
}

/* Converts what it can of the text's beginning; returns how much that is. */
static int
convert_piece(StringInfo out, Oid function, const char *text, int len)
{
	unsigned char *to;
	int			room;
	int			done;

	len = Min(len, PIECE);
	room = len * MAX_CONVERSION_GROWTH + 1;
	enlargeStringInfo(out, room + MAX_CONVERSION_GROWTH);
	to = (unsigned char *) out->data + out->len;
	done = pg_do_encoding_conversion_buf(function, GetDatabaseEncoding(),
										 PG_UTF8, (unsigned char *) text, len,
										 to, room + MAX_CONVERSION_GROWTH,
										 true);
	out->len += strlen(out->data + out->len);
	return done;
}

static const char *
convert(const char *text, int *len)
{
	StringInfoData out;
	Oid			function = conversion_to_utf8();
	int			left = *len;

	initStringInfo(&out);
	while (left > 0 && out.len < CONVERTED_MAX)
	{
		int			done = 0;

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(function))
			done = convert_piece(&out, function, text, left);
		if (done == 0)
		{
			/* a whole character, or its second byte might start another */
			done = pg_encoding_verifymbchar(GetDatabaseEncoding(), text, left);
			done = Max(done, 1);
			append_latin1(&out, text, done);
		}
		text += done;
		left -= done;
	}
	*len = out.len;
	return out.data;
}

static bool
is_ascii(const char *text, int len)
{
	uint64		seen = 0;

	for (; len >= 8; text += 8, len -= 8)
	{
		uint64		bytes;

		memcpy(&bytes, text, 8);
		seen |= bytes;
	}
	for (int i = 0; i < len; i++)
		seen |= (unsigned char) text[i];
	return (seen & ESCAPE_EVERY_BYTE(0x80)) == 0;
}

const char *
wal2kafka_utf8(const char *text, int *len, Wal2KafkaCharset charset)
{
	if (is_ascii(text, *len))
		return text;
	if (charset == CHARSET_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return mend_utf8(text, len);
	return convert(text, len);
}

char *
wal2kafka_utf8_name(const char *name)
{
	int			len = strlen(name);

	name = wal2kafka_utf8(name, &len, wal2kafka_charset(false));
	return pnstrdup(name, len);
}

bool
wal2kafka_json_escape_within(StringInfo out, const char *text, int len,
							 Wal2KafkaCharset charset, Size limit)
{
	const char *given = text;
	int			start = out->len;
	bool		beyond_ascii;
	bool		within;

	if (likely(charset == CHARSET_UTF8))
	{
		within = escape_chunks(out, text, len, limit, &beyond_ascii);
		if (likely(!beyond_ascii) || !within ||
			pg_verify_mbstr(PG_UTF8, text, len, true))
			return within;
		out->len = start;
	}

	text = wal2kafka_utf8(text, &len, charset);
	if (charset == CHARSET_CONVERT_ASCII)
		within = escape_ascii(out, text, len, limit);
	else
		within = escape_chunks(out, text, len, limit, &beyond_ascii);
	if (text != given)
		pfree(unconstify(char *, text));
	return within;
}

void
wal2kafka_json_escape(StringInfo out, const char *text, int len,
					  Wal2KafkaCharset charset)
{
	(void) wal2kafka_json_escape_within(out, text, len, charset,
										MaxAllocSize);
}

void
wal2kafka_json_string(StringInfo out, const char *text,
					  Wal2KafkaCharset charset)
{
	appendStringInfoCharMacro(out, '"');
	wal2kafka_json_escape(out, text, strlen(text), charset);
	appendStringInfoCharMacro(out, '"');
}
