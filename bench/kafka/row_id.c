/*
 * row_id.c
 *		Finds the row's number in a record, see row_id.h.
 */
#include "row_id.h"

#include <string.h>

static int64_t
first_number(const char *at, const char *end)
{
	int64_t		number = 0;

	while (at < end && (*at < '0' || *at > '9'))
		at++;
	if (at == end)
		return -1;
	while (at < end && *at >= '0' && *at <= '9')
		number = number * 10 + (*at++ - '0');
	return number;
}

int64_t
row_id(const rd_kafka_message_t *msg)
{
	static const char name[] = "\"id\"";
	const char *value = msg->payload;
	const char *at;

	if (msg->key)
		return first_number(msg->key, (const char *) msg->key + msg->key_len);
	at = value ? memmem(value, msg->len, name, sizeof(name) - 1) : NULL;
	return at ? first_number(at + sizeof(name) - 1, value + msg->len) : -1;
}
