/*
 * emit.c
 *		wal2kafka.emit_message(): a Kafka record written into the log.
 *
 * Everything is checked and converted here, where the caller gets the error;
 * whoever decodes it has no catalog at hand and nobody to tell.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "replication/message.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/pg_lsn.h"

#include "compat.h"
#include "json.h"
#include "message.h"

PG_FUNCTION_INFO_V1(wal2kafka_emit_message_text);
PG_FUNCTION_INFO_V1(wal2kafka_emit_message_bytea);

static Datum emit(FunctionCallInfo fcinfo, bool is_text);
static void refuse_null(FunctionCallInfo fcinfo, int number, const char *name);
static void append_head(StringInfo content, FunctionCallInfo fcinfo,
						const char *topic);
static void append_bytes(StringInfo content, const char *data, size_t len);
static uint32 append_text(StringInfo content, const char *text, int len);
static uint32 append_headers(StringInfo content, Jsonb *headers);
static void append_header_name(StringInfo content, const JsonbValue *name);
static void append_header_value(StringInfo content, const JsonbValue *value);

/*
 * emit_message(topic text, key text, value text | bytea, headers jsonb,
 * transactional bool)
 */
Datum
wal2kafka_emit_message_text(PG_FUNCTION_ARGS)
{
	return emit(fcinfo, true);
}

Datum
wal2kafka_emit_message_bytea(PG_FUNCTION_ARGS)
{
	return emit(fcinfo, false);
}

static Datum
emit(FunctionCallInfo fcinfo, bool is_text)
{
	StringInfoData content;
	char	   *topic;
	XLogRecPtr	lsn;

	PreventCommandIfReadOnly("wal2kafka.emit_message()");
	PreventCommandDuringRecovery("wal2kafka.emit_message()");
	refuse_null(fcinfo, 0, "topic");
	refuse_null(fcinfo, 4, "transactional");
	topic = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!topic_name_is_legal(topic))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a legal name for a topic", topic),
				 errdetail("It has 1 to %d letters, digits, \".\", \"_\" and \"-\".",
						   TOPIC_NAME_MAX)));

	initStringInfo(&content);
	append_head(&content, fcinfo, topic);
	if (!PG_ARGISNULL(2))
	{
		/* text and bytea are stored alike */
		struct varlena *value = PG_GETARG_VARLENA_PP(2);

		if (is_text)
			append_text(&content, VARDATA_ANY(value),
						VARSIZE_ANY_EXHDR(value));
		else
			append_bytes(&content, VARDATA_ANY(value),
						 VARSIZE_ANY_EXHDR(value));
	}

	lsn = LOG_MESSAGE(MESSAGE_PREFIX, content.data, content.len,
					  PG_GETARG_BOOL(4));
	PG_RETURN_LSN(lsn);
}

static void
refuse_null(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" of wal2kafka.emit_message() must not be null",
						name)));
}

/* Everything but the value; see message.h for the layout. */
static void
append_head(StringInfo content, FunctionCallInfo fcinfo, const char *topic)
{
	char		head[MESSAGE_HEAD_SIZE] = {MESSAGE_VERSION};
	uint32		key_len = 0;
	uint32		headers_len = 0;

	append_bytes(content, head, sizeof(head));
	append_bytes(content, topic, strlen(topic));
	if (!PG_ARGISNULL(1))
	{
		text	   *key = PG_GETARG_TEXT_PP(1);

		key_len = append_text(content, VARDATA_ANY(key),
							  VARSIZE_ANY_EXHDR(key));
	}
	if (!PG_ARGISNULL(3))
		headers_len = append_headers(content, PG_GETARG_JSONB_P(3));

	content->data[1] = (PG_ARGISNULL(1) ? MESSAGE_NULL_KEY : 0) |
		(PG_ARGISNULL(2) ? MESSAGE_NULL_VALUE : 0);
	wire_put16(content->data + 2, strlen(topic));
	wire_put32(content->data + 4, key_len);
	wire_put32(content->data + 8, headers_len);
}

static void
append_bytes(StringInfo content, const char *data, size_t len)
{
	if (len > MESSAGE_MAX - content->len)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message is too large"),
				 errdetail("Key, headers and value together must be smaller than %d bytes.",
						   MESSAGE_MAX)));
	appendBinaryStringInfo(content, data, len);
}

/* In UTF-8, whatever the database is; returns how many bytes that were. */
static uint32
append_text(StringInfo content, const char *text, int len)
{
	text = wal2kafka_utf8(text, &len, wal2kafka_charset(false));
	append_bytes(content, text, len);
	return len;
}

/* Only an object of strings and nulls: what else a value means is not ours. */
static uint32
append_headers(StringInfo content, Jsonb *headers)
{
	int			start = content->len;
	JsonbIterator *iterator;
	JsonbValue	item;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(headers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers of a message must be a JSON object")));
	iterator = JsonbIteratorInit(&headers->root);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			append_header_name(content, &item);
		else if (token == WJB_VALUE)
			append_header_value(content, &item);
	}
	return content->len - start;
}

static void
append_header_name(StringInfo content, const JsonbValue *name)
{
	struct view view = {name->val.string.val, name->val.string.len};
	char		head[2] = {0};
	int			start = content->len;
	uint32		len;

	append_bytes(content, head, sizeof(head));
	len = append_text(content, view.data, view.len);
	if (len > PG_UINT16_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("name of a message's header is longer than %d bytes",
						PG_UINT16_MAX)));
	if (message_owns_header(view))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("header \"%s\" of a message begins with \"%s\"",
						pnstrdup(view.data, view.len), MESSAGE_OWN_HEADERS),
				 errdetail("Such headers are added to each message.")));
	wire_put16(content->data + start, len);
}

static void
append_header_value(StringInfo content, const JsonbValue *value)
{
	char		head[4];
	int			start = content->len;
	uint32		len = WIRE_HEADER_NULL;

	append_bytes(content, head, sizeof(head));
	if (value->type == jbvString)
		len = append_text(content, value->val.string.val,
						  value->val.string.len);
	else if (value->type != jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers of a message must be strings or nulls"),
				 errhint("Write numbers and booleans as strings, anything else as its text.")));
	wire_put32(content->data + start, len);
}
