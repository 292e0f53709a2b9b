/*
 * message.h
 *		What wal2kafka.emit_message() writes into the log with
 *		pg_logical_emit_message's record, and how it is read.  Plain C.
 *
 * The prefix is MESSAGE_PREFIX, the content
 *
 *		 0	u8	version, MESSAGE_VERSION
 *		 1	u8	flags, MESSAGE_NULL_*
 *		 2	u16	length of topic
 *		 4	u32	length of key
 *		 8	u32	length of headers
 *		12	topic, key, headers, value (the rest)
 *
 * with integers and headers as in a frame (wire.h).  Any role may write any
 * bytes with that prefix, so nothing in them is taken on trust: what is not
 * exactly this, names no legal topic, or has a header that is ours, is no
 * message.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../shipper/frame.h"
#include "topicname.h"
#include "wire.h"

#define MESSAGE_PREFIX		"wal2kafka"
#define MESSAGE_VERSION		1
#define MESSAGE_HEAD_SIZE	12
#define MESSAGE_MAX			0x1fffffff	/* bytes; a frame holds it easily */

/* headers that begin so are the product's own */
#define MESSAGE_OWN_HEADERS	"wal2kafka_"

enum message_flag
{
	MESSAGE_NULL_KEY = 0x01,	/* length of key is zero */
	MESSAGE_NULL_VALUE = 0x02,	/* nothing follows the headers */
};

struct message
{
	char		topic[TOPIC_NAME_MAX + 1];
	unsigned char flags;		/* enum message_flag */
	struct view key;			/* these borrow the content */
	struct view headers;
	struct view value;
};

static inline bool
message_owns_header(struct view name)
{
	size_t		len = sizeof(MESSAGE_OWN_HEADERS) - 1;

	return name.len >= len && memcmp(name.data, MESSAGE_OWN_HEADERS, len) == 0;
}

/* Whether they are headers to their end, none of them ours. */
static inline bool
message_headers_are_legal(struct view headers)
{
	struct view name;
	struct view value;

	while (frame_next_header(&headers, &name, &value))
	{
		if (message_owns_header(name))
			return false;
	}
	return headers.len == 0;
}

static inline bool
message_parse(struct message *message, const char *data, size_t len)
{
	size_t		topic_len;
	size_t		key_len;
	size_t		headers_len;
	size_t		left;

	if (len < MESSAGE_HEAD_SIZE || len > MESSAGE_MAX ||
		data[0] != MESSAGE_VERSION ||
		(data[1] & ~(MESSAGE_NULL_KEY | MESSAGE_NULL_VALUE)) != 0)
		return false;
	message->flags = (unsigned char) data[1];
	topic_len = wire_get16(data + 2);
	key_len = wire_get32(data + 4);
	headers_len = wire_get32(data + 8);

	left = len - MESSAGE_HEAD_SIZE;
	if (topic_len > TOPIC_NAME_MAX || topic_len > left ||
		key_len > left - topic_len ||
		headers_len > left - topic_len - key_len)
		return false;
	left -= topic_len + key_len + headers_len;
	if (((message->flags & MESSAGE_NULL_KEY) != 0 && key_len > 0) ||
		((message->flags & MESSAGE_NULL_VALUE) != 0 && left > 0))
		return false;

	data += MESSAGE_HEAD_SIZE;
	memcpy(message->topic, data, topic_len);
	message->topic[topic_len] = '\0';
	message->key = (struct view) {data + topic_len, key_len};
	message->headers = (struct view) {data + topic_len + key_len, headers_len};
	message->value = (struct view) {message->headers.data + headers_len, left};
	return strlen(message->topic) == topic_len &&
		topic_name_is_legal(message->topic) &&
		message_headers_are_legal(message->headers);
}

/* "*" stands for any characters, "?" for one; the rest for itself. */
static inline bool
message_topic_matches(const char *glob, const char *topic)
{
	const char *star = NULL;	/* the last one, which may take more */
	const char *taken = NULL;

	while (*topic != '\0')
	{
		if (*glob == '*')
		{
			star = ++glob;
			taken = topic;
		}
		else if (*glob == '?' || *glob == *topic)
		{
			glob++;
			topic++;
		}
		else if (star != NULL)
		{
			glob = star;
			topic = ++taken;
		}
		else
			return false;
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

/*
 * Takes the next topic off a list with commas between them; NULL is an empty
 * list.  What is none, "*" and "?" being allowed, comes as "".
 */
static inline bool
message_next_topic(const char **list, char glob[TOPIC_NAME_MAX + 1])
{
	char		plain[TOPIC_NAME_MAX + 1];
	const char *start;
	size_t		len;

	if (*list == NULL)
		return false;
	start = *list + strspn(*list, " ");
	len = strcspn(start, ",");
	*list = start[len] == ',' ? start + len + 1 : NULL;
	while (len > 0 && start[len - 1] == ' ')
		len--;

	if (len > TOPIC_NAME_MAX)
		len = 0;
	memcpy(glob, start, len);
	glob[len] = '\0';
	for (size_t i = 0; i <= len; i++)
		plain[i] = glob[i] == '*' || glob[i] == '?' ? 'x' : glob[i];
	if (!topic_name_is_legal(plain))
		glob[0] = '\0';
	return true;
}

#endif							/* MESSAGE_H */
