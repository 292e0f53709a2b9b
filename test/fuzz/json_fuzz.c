/*
 * json_fuzz.c
 *		Any bytes through the plugin's JSON escaper: what comes out, a parser
 *		of somebody else's reads back, and a simpler escaper writes too.
 *
 * The plugin's json.c as it is, with the functions of the server's that it
 * calls from libpgcommon or from here.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include <jansson.h>

#include "../../plugin/json.h"

#define SLACK	(8 * 1024)		/* that an escaper may go beyond its limit */

extern int	LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static int	encoding;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* ---- the server's ---- */

volatile sig_atomic_t InterruptPending = false;

void
ProcessInterrupts(void)
{
	abort();
}

int
GetDatabaseEncoding(void)
{
	return encoding;
}

bool
pg_verify_mbstr(int enc, const char *text, int len, bool no_error)
{
	return pg_encoding_verifymbstr(enc, text, len) == len;
}

Oid
FindDefaultConversion(Oid schema, int32 from, int32 to)
{
	must(from == PG_LATIN1 && to == PG_UTF8);
	return 1;
}

/* LATIN1, in steps of a few bytes, as if it had stumbled. */
int
pg_do_encoding_conversion_buf(Oid function, int from, int to,
							  unsigned char *text, int len,
							  unsigned char *dest, int dest_len,
							  bool no_error)
{
	int			done;

	for (done = 0; done < len && done < 7 && dest_len > 2; done++)
	{
		if (text[done] < 0x80)
			*dest++ = text[done];
		else
		{
			*dest++ = (unsigned char) (0xC0 | text[done] >> 6);
			*dest++ = (unsigned char) (0x80 | (text[done] & 0x3F));
		}
		dest_len -= 2;
	}
	*dest = '\0';
	return done;
}

/* ---- what is to be expected, said simply ---- */

/* Length of the character there, or 0 if it is none; RFC 3629, table 3-7. */
static int
utf8_char(const unsigned char *c, size_t left)
{
	int			len = c[0] < 0x80 ? 1 : c[0] >= 0xC2 && c[0] <= 0xDF ? 2 :
		(c[0] & 0xF0) == 0xE0 ? 3 : c[0] >= 0xF0 && c[0] <= 0xF4 ? 4 : 0;

	if (len == 0 || (size_t) len > left)
		return 0;
	for (int i = 1; i < len; i++)
	{
		if ((c[i] & 0xC0) != 0x80)
			return 0;
	}
	if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
		(c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
		return 0;
	return len;
}

/* What is not UTF-8 is LATIN1; in a LATIN1 database all of it. */
static void
expect_utf8(StringInfo out, const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len;)
	{
		int			l = utf8_char(text + i, len - i);

		if (l > 1 && encoding == PG_LATIN1)
			l = 0;
		if (l > 0)
			appendBinaryStringInfo(out, (const char *) text + i, l);
		else
			appendStringInfo(out, "%c%c", 0xC0 | text[i] >> 6,
							 0x80 | (text[i] & 0x3F));
		i += l > 0 ? l : 1;
	}
}

static void
expect_escaped(StringInfo out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		const char *from = "\"\\\b\f\n\r\t";
		const char *at = strchr(from, text[i]);

		if (at != NULL)
			appendStringInfo(out, "\\%c", "\"\\bfnrt"[at - from]);
		else if ((unsigned char) text[i] < 0x20)
			appendStringInfo(out, "\\u%04x", text[i]);
		else
			appendStringInfoChar(out, text[i]);
	}
}

/* ---- the test ---- */

static void
read_back(const StringInfoData *escaped, const StringInfoData *expected)
{
	StringInfoData quoted;
	json_t	   *json;

	initStringInfo(&quoted);
	appendStringInfoChar(&quoted, '"');
	appendBinaryStringInfo(&quoted, escaped->data, escaped->len);
	appendStringInfoChar(&quoted, '"');
	json = json_loadb(quoted.data, (size_t) quoted.len, JSON_DECODE_ANY, NULL);
	must(json_is_string(json));
	must(json_string_length(json) == (size_t) expected->len);
	must(memcmp(json_string_value(json), expected->data,
				(size_t) expected->len) == 0);
	json_decref(json);
	pfree(quoted.data);
}

static void
try_limit(const char *text, size_t len, Wal2KafkaCharset charset,
		  const StringInfoData *whole, Size limit)
{
	StringInfoData out;
	bool		within;

	initStringInfo(&out);
	within = wal2kafka_json_escape_within(&out, text, (int) len, charset,
										  limit);
	if (within)
		must(out.len == whole->len);
	else
	{
		must((Size) whole->len > limit);
		must((Size) out.len > limit && (Size) out.len <= limit + SLACK);
	}
	must(memcmp(out.data, whole->data, (size_t) out.len) == 0);
	pfree(out.data);
}

static void
try_text(const unsigned char *text, size_t len, Wal2KafkaCharset charset,
		 Size limit)
{
	StringInfoData utf8;
	StringInfoData escaped;
	StringInfoData expected;

	initStringInfo(&utf8);
	initStringInfo(&escaped);
	initStringInfo(&expected);
	expect_utf8(&utf8, text, len);
	expect_escaped(&expected, utf8.data, (size_t) utf8.len);

	wal2kafka_json_escape(&escaped, (const char *) text, (int) len, charset);
	read_back(&escaped, &utf8);
	for (int i = 0; charset == CHARSET_CONVERT_ASCII && i < escaped.len; i++)
		must((unsigned char) escaped.data[i] < 0x80);
	if (charset != CHARSET_CONVERT_ASCII)
	{
		must(escaped.len == expected.len);
		must(memcmp(escaped.data, expected.data,
					(size_t) escaped.len) == 0);
	}
	/* what stops short may not know yet that bytes behind are to be mended */
	if (charset == CHARSET_UTF8)
		try_limit(utf8.data, (size_t) utf8.len, charset, &escaped, limit);
	else
		try_limit((const char *) text, len, charset, &escaped, limit);
	pfree(utf8.data);
	pfree(escaped.data);
	pfree(expected.data);
}

/* Byte 0: how often the rest is repeated; 1 and 2: a limit; then text. */
int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	StringInfoData text;
	Size		limit;

	if (size < 3)
		return 0;
	limit = data[1] | (Size) data[2] << 8;
	initStringInfo(&text);
	for (int i = 0; i <= data[0] && text.len < 4 * 1024; i++)
		appendBinaryStringInfo(&text, (const char *) data + 3, (int) size - 3);
	for (int i = 0; i < text.len; i++)
	{
		if (text.data[i] == '\0')	/* no text of the server's has one */
			text.data[i] = 1;
	}

	encoding = PG_UTF8;
	try_text((unsigned char *) text.data, (size_t) text.len, CHARSET_UTF8,
			 limit);
	for (int i = 0; i < 2; i++)
	{
		encoding = i == 0 ? PG_SQL_ASCII : PG_LATIN1;
		try_text((unsigned char *) text.data, (size_t) text.len,
				 CHARSET_CONVERT, limit);
		try_text((unsigned char *) text.data, (size_t) text.len,
				 CHARSET_CONVERT_ASCII, limit);
	}
	pfree(text.data);
	return 0;
}
