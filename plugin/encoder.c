/*
 * encoder.c
 *		A column's value as text, within the room that a record has.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "encoder.h"
#include "escape.h"
#include "isolate.h"
#include "put.h"
#include "scalar.h"

/* bytes from which on a value's room, memory and interrupts are thought of */
#define LARGE_VALUE		((Size) 64 * 1024)

/* text up to that is escaped at once, in room for the worst of it */
#define PLAIN_TEXT_MAX	1024

/* a name[] has 64 bytes for what may be written as "a," */
#define LEAST_TEXT		32

/*
 * Whether that many bytes more may be in the record: asked of everything large
 * before memory is asked for.
 */
static inline bool
has_room(Wal2KafkaEncoder *encoder, const StringInfoData *out, Size more)
{
	if (likely(out->len + more <= encoder->limit))
		return true;
	encoder->overflow = true;
	return false;
}

/*
 * Bytes in UTF-8, at least: some encodings need more for a character.  What
 * might have more in UTF-8 than a buffer takes is not converted at all.
 */
static inline Size
least_utf8(const Wal2KafkaEncoder *encoder, Size len)
{
	if (encoder->charset == CHARSET_UTF8)
		return len;
	return len > MaxAllocSize / 4 ? MaxAllocSize : len / 2;
}

/* Bytes of a stored value once it is whole, without its header. */
static inline Size
raw_size(Datum value)
{
	const struct varlena *stored = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		return toast_raw_datum_size(value) - VARHDRSZ;
	return VARSIZE_ANY_EXHDR(stored);
}

/*
 * Of a value that is the text and whole.  It ends where its output function's
 * string would, at a NUL byte: no input makes one, but a cast without a
 * function does, and few JSON parsers take it.
 */
static inline int
text_length(const void *stored)
{
	return strnlen(VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
}

/* Appends \x and two digits a byte; the JSON form doubles the backslash. */
static pg_noinline void
append_bytea(StringInfo out, Wal2KafkaEncoder *encoder, Datum value,
			 bool json)
{
	Size		len = raw_size(value);
	struct varlena *bytes;
	const char *from;

	encoder->size = len * 2 + 2;
	if (!has_room(encoder, out, encoder->size))
		return;
	bytes = PG_DETOAST_DATUM_PACKED(value);
	from = VARDATA_ANY(bytes);
	appendStringInfoString(out, json ? "\\\\x" : "\\x");
	enlargeStringInfo(out, len * 2 + 1);
	while (len > 0)
	{
		Size		part = Min(len, LARGE_VALUE);

		CHECK_FOR_INTERRUPTS();
		out->len += hex_encode(from, part, out->data + out->len);
		from += part;
		len -= part;
	}
	out->data[out->len] = '\0';
	if (DatumGetPointer(value) != (Pointer) bytes)
		pfree(bytes);
}

/*
 * Appends the text of a value that is not null: as the inside of a JSON
 * string, or as it is.
 */
static void
append_text(StringInfo out, Wal2KafkaEncoder *encoder, const char *text,
			int len, bool json)
{
	const char *utf8;

	encoder->size = len;
	if (unlikely(len > LARGE_VALUE))
	{
		if (!has_room(encoder, out, least_utf8(encoder, len)))
			return;
		enlargeStringInfo(out, least_utf8(encoder, len));
	}
	if (json)
	{
		if (!wal2kafka_json_escape_within(out, text, len, encoder->charset,
										  encoder->limit))
			encoder->overflow = true;
		return;
	}
	utf8 = wal2kafka_utf8(text, &len, encoder->charset);
	if (has_room(encoder, out, len))
		appendBinaryStringInfo(out, utf8, len);
	if (utf8 != text)
		pfree(unconstify(char *, utf8));
}

/* A varlena that is the text: its size is known before it is fetched. */
static pg_noinline void
append_stored_text(StringInfo out, Wal2KafkaEncoder *encoder, Datum value,
				   bool json)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(value);
	struct varlena *whole = stored;

	if (unlikely(VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored)))
	{
		encoder->size = raw_size(value);
		if (!has_room(encoder, out, least_utf8(encoder, encoder->size)))
			return;
		whole = PG_DETOAST_DATUM_PACKED(value);
	}
	append_text(out, encoder, VARDATA_ANY(whole), text_length(whole), json);
	if (unlikely(whole != stored))
		pfree(whole);
}

/* NULL: the function raised an error, which the encoder may note. */
static char *
output_text(Wal2KafkaEncoder *encoder, Wal2KafkaColumn *column, Datum value,
			bool large)
{
	Wal2KafkaIsolate isolate = encoder->isolate;
	char	   *text;
	int			sqlstate;

	if (likely(isolate == ISOLATE_NONE ||
			   (isolate == ISOLATE_FOREIGN && !column->is_foreign && !large)))
		return OutputFunctionCall(&column->function, value);

	text = wal2kafka_output_isolated(&column->function, value, &sqlstate);
	if (text == NULL)
	{
		encoder->failed = lappend(encoder->failed, column);
		encoder->sqlstate = sqlstate;
	}
	return text;
}

/*
 * By the type's output function.  Text of the server's own types is at least
 * a part of what is stored (a bit string eight times as much): what cannot fit
 * is not even made.
 */
static void
append_output(StringInfo out, Wal2KafkaEncoder *encoder,
			  Wal2KafkaColumn *column, Datum value, bool json)
{
	bool		large = column->is_varlena && raw_size(value) > LARGE_VALUE;
	char	   *text;
	Size		len;

	if (unlikely(large))
	{
		encoder->size = raw_size(value);
		if (!column->is_foreign &&
			!has_room(encoder, out, encoder->size / LEAST_TEXT))
			return;
	}
	text = output_text(encoder, column, value, large);
	if (text == NULL)
		return;
	len = strlen(text);
	if (column->output != OUTPUT_PLAIN || unlikely(len > LARGE_VALUE))
		append_text(out, encoder, text, len, json);
	else
	{
		encoder->size = len;
		appendBinaryStringInfo(out, text, len);
	}
	if (unlikely(len > LARGE_VALUE))
		pfree(text);
}

/* False: left to the type's output function. */
static inline bool
append_scalar(StringInfo out, Wal2KafkaEncoder *encoder,
			  const Wal2KafkaColumn *column, Datum value)
{
	char	   *to = put_room(out, out->data + out->len, SCALAR_MAX);
	char	   *end = wal2kafka_scalar_put(to, column->output, value);

	if (unlikely(end == NULL))
		return false;
	encoder->size = end - to;
	put_end(out, end);
	return true;
}

void
wal2kafka_encoder_append(StringInfo out, Wal2KafkaEncoder *encoder,
						 Wal2KafkaColumn *column, Datum value, bool json)
{
	encoder->column = column->name;
	if (column->output == OUTPUT_TEXT)
		append_stored_text(out, encoder, value, json);
	else if (column->output == OUTPUT_BYTEA)
		append_bytea(out, encoder, value, json);
	else if (!wal2kafka_is_scalar(column->output) ||
			 !append_scalar(out, encoder, column, value))
		append_output(out, encoder, column, value, json);
	encoder->column = NULL;
}

/*
 * Text that lies there as it is and needs no thought, as most text does: not
 * far away, not long, in UTF-8.  NULL: it needs some.
 */
static inline char *
put_plain_text(StringInfo out, char *to, Datum value)
{
	const struct varlena *stored = (struct varlena *) DatumGetPointer(value);
	const char *text;
	unsigned	seen = 0;
	Size		len;

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		return NULL;
	text = VARDATA_ANY(stored);
	len = VARSIZE_ANY_EXHDR(stored);
	if (len > PLAIN_TEXT_MAX)
		return NULL;
	to = put_room(out, to, ESCAPE_ROOM(len) + 2);
	*to++ = '"';
	to = escape_text(to, text, len, &seen);
	*to++ = '"';
	if (unlikely(seen != 0) &&
		((seen & ESCAPE_NUL) || !pg_verify_mbstr(PG_UTF8, text, len, true)))
		return NULL;
	return to;
}

/* What encoder_put_other() does not do by itself. */
static pg_noinline char *
put_slowly(StringInfo out, char *to, Wal2KafkaEncoder *encoder,
		   Wal2KafkaColumn *column, Datum value)
{
	*to++ = '"';
	put_end(out, to);
	wal2kafka_encoder_append(out, encoder, column, value, true);
	to = put_room(out, out->data + out->len, 1);
	*to++ = '"';
	return to;
}

/* Where it is kept, if it is.  OIDs of labels are even, but for added ones. */
static inline Wal2KafkaEnumLabel *
label_place(const Wal2KafkaColumn *column, Oid oid)
{
	return &column->enum_labels[oid / 2 % ENUM_LABELS];
}

/* NULL: the label was not seen yet, or is a long one. */
static inline char *
put_label(char *to, const Wal2KafkaColumn *column, Oid oid)
{
	const Wal2KafkaEnumLabel *label;

	if (unlikely(column->enum_labels == NULL))
		return NULL;
	label = label_place(column, oid);
	if (unlikely(label->oid != oid || label->len == 0))
		return NULL;
	memcpy(to, label->text, ENUM_LABEL_MAX);
	return to + label->len;
}

static void
keep_label(Wal2KafkaColumn *column, Oid oid, const char *text, Size len)
{
	Wal2KafkaEnumLabel *label;

	if (len > ENUM_LABEL_MAX)
		return;
	/* with the entry's names, and gone with them */
	if (column->enum_labels == NULL)
		column->enum_labels =
			MemoryContextAllocZero(GetMemoryChunkContext(column->name),
								   ENUM_LABELS * sizeof(*label));
	label = label_place(column, oid);
	label->oid = oid;
	label->len = len;
	memcpy(label->text, text, len);
}

static char *
put_enum(StringInfo out, char *to, Wal2KafkaEncoder *encoder,
		 Wal2KafkaColumn *column, Datum value)
{
	Oid			oid = DatumGetObjectId(value);
	char	   *end = put_label(to, column, oid);
	int			start = to - out->data;

	if (likely(end))
		return end;
	end = put_slowly(out, to, encoder, column, value);
	if (!encoder->overflow && encoder->failed == NIL)
		keep_label(column, oid, out->data + start, end - out->data - start);
	return end;
}

char *
wal2kafka_encoder_put_other(StringInfo out, char *to,
							Wal2KafkaEncoder *encoder,
							Wal2KafkaColumn *column, Datum value)
{
	char	   *end = NULL;
	int			start = to - out->data;

	if (column->keeps_labels)
		return put_enum(out, to, encoder, column, value);
	if (encoder->charset != CHARSET_UTF8)
		end = NULL;
	else if (column->output == OUTPUT_TEXT)
		end = put_plain_text(out, to, value);
	else if (column->output == OUTPUT_JSONB)
		end = wal2kafka_jsonb_put(out, to, DatumGetPointer(value));

	/* "out" may have moved meanwhile */
	return likely(end) ? end :
		put_slowly(out, out->data + start, encoder, column, value);
}
