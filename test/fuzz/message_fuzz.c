/*
 * message_fuzz.c
 *		Any bytes as a message: refused, or with all of its parts within them
 *		and nothing that a frame or Kafka would refuse.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "message.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads it, for the sanitizer; it must begin where the one before ended. */
static const char *
follow(const char *at, struct view view, volatile unsigned *total)
{
	if (view.data != at)
		abort();
	for (size_t i = 0; i < view.len; i++)
		*total += (unsigned char) view.data[i];
	return at + view.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *start = (const char *) data;
	struct message message;
	struct view name;
	struct view value;
	volatile unsigned total = 0;

	if (!message_parse(&message, start, size))
		return 0;
	if (!topic_name_is_legal(message.topic))
		abort();

	start += MESSAGE_HEAD_SIZE + strlen(message.topic);
	start = follow(start, message.key, &total);
	start = follow(start, message.headers, &total);
	start = follow(start, message.value, &total);
	if (start != (const char *) data + size ||
		((message.flags & MESSAGE_NULL_KEY) != 0 && message.key.len > 0) ||
		((message.flags & MESSAGE_NULL_VALUE) != 0 && message.value.len > 0))
		abort();

	while (frame_next_header(&message.headers, &name, &value))
	{
		if (message_owns_header(name))
			abort();
		for (size_t i = 0; i < value.len; i++)
			total += (unsigned char) value.data[i];
	}
	if (message.headers.len > 0)
		abort();
	return 0;
}
