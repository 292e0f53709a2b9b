/*
 * json.c
 *		The only code that escapes: names and values into JSON strings.
 *
 * Only '"', '\' and bytes below 0x20 are escaped; everything else is raw
 * UTF-8.  Eight bytes are looked at at a time: most text needs nothing.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "json.h"

/* a chunk is escaped after its worst case was reserved: \u00xx each */
#define CHUNK			1024
#define WORST_CASE		6

#define EVERY_BYTE(b)	(UINT64CONST(0x0101010101010101) * (b))

Wal2KafkaCharset
wal2kafka_charset(bool text_lines)
{
	if (GetDatabaseEncoding() == PG_UTF8)
		return CHARSET_UTF8;
	return text_lines ? CHARSET_CONVERT_ASCII : CHARSET_CONVERT;
}

/* Whether any of eight bytes is '"', '\' or below 0x20; exact. */
static inline bool
any_special(uint64 bytes)
{
	uint64		quote = bytes ^ EVERY_BYTE('"');
	uint64		backslash = bytes ^ EVERY_BYTE('\\');

	return (((bytes - EVERY_BYTE(0x20)) & ~bytes) |
			((quote - EVERY_BYTE(1)) & ~quote) |
			((backslash - EVERY_BYTE(1)) & ~backslash)) & EVERY_BYTE(0x80);
}

/* Stores the escape of one byte and returns the place behind it. */
static char *
escape_byte(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char short_form[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
		['"'] = '"', ['\\'] = '\\',
	};

	*to++ = '\\';
	if (c < sizeof(short_form) && short_form[c] != '\0')
		*to++ = short_form[c];
	else
	{
		*to++ = 'u';
		*to++ = '0';
		*to++ = '0';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return to;
}

static inline char *
escape_bytes(char *to, const char *from, int len)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) from[i];

		if (unlikely(c < 0x20 || c == '"' || c == '\\'))
			to = escape_byte(to, c);
		else
			*to++ = (char) c;
	}
	return to;
}

static void
escape_chunk(StringInfo out, const char *text, int len)
{
	char	   *to;

	enlargeStringInfo(out, len * WORST_CASE);
	to = out->data + out->len;

	while (len >= 8)
	{
		uint64		bytes;

		memcpy(&bytes, text, 8);
		if (likely(!any_special(bytes)))
		{
			memcpy(to, &bytes, 8);
			to += 8;
		}
		else
			to = escape_bytes(to, text, 8);
		text += 8;
		len -= 8;
	}
	to = escape_bytes(to, text, len);

	*to = '\0';
	out->len = to - out->data;
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
		escape_chunk(out, start, text - start);

		if (text < end && IS_HIGHBIT_SET(*text))
		{
			append_utf16(out, utf8_to_unicode((const unsigned char *) text));
			text += pg_utf_mblen((const unsigned char *) text);
		}
	}
	return out->len <= limit;
}

/* SQL_ASCII promises nothing: keep what is UTF-8, take the rest for LATIN1. */
static const char *
guess_utf8(const char *text, int *len)
{
	StringInfoData out;
	const char *end = text + *len;

	if (pg_verify_mbstr(PG_UTF8, text, *len, true))
		return text;

	initStringInfo(&out);
	while (text < end)
	{
		const unsigned char *c = (const unsigned char *) text;
		int			l = pg_utf_mblen(c);

		CHECK_FOR_INTERRUPTS();
		if (l <= end - text && pg_utf8_islegal(c, l))
			appendBinaryStringInfo(&out, text, l);
		else
		{
			l = 1;
			appendStringInfoChar(&out, (char) (0xC0 | *c >> 6));
			appendStringInfoChar(&out, (char) (0x80 | (*c & 0x3F)));
		}
		text += l;
	}
	*len = out.len;
	return out.data;
}

const char *
wal2kafka_utf8(const char *text, int *len, Wal2KafkaCharset charset)
{
	char	   *converted;

	if (charset == CHARSET_UTF8)
		return text;
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return guess_utf8(text, len);

	converted = pg_server_to_any(text, *len, PG_UTF8);
	if (converted != text)
		*len = strlen(converted);
	return converted;
}

bool
wal2kafka_json_escape_within(StringInfo out, const char *text, int len,
							 Wal2KafkaCharset charset, Size limit)
{
	const char *given = text;
	const char *rest;
	bool		within = true;

	if (unlikely(charset != CHARSET_UTF8))
		text = wal2kafka_utf8(text, &len, charset);
	rest = text;
	if (unlikely(charset == CHARSET_CONVERT_ASCII))
		within = escape_ascii(out, text, len, limit);
	else
	{
		while (len > CHUNK && within)
		{
			CHECK_FOR_INTERRUPTS();
			escape_chunk(out, rest, CHUNK);
			rest += CHUNK;
			len -= CHUNK;
			within = out->len <= limit;
		}
		if (within)
			escape_chunk(out, rest, len);
	}
	if (unlikely(text != given))
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
