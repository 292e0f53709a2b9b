/*
 * message_test.c
 *		Messages that are right, torn and hostile; which topics a list means.
 */
#include <stdlib.h>

#include "message.h"
#include "tap.h"

#define WHOLE	"\001\000\003\000\001\000\000\000\010\000\000\000" "out" "k" \
	"\001\000a\001\000\000\000b" "value"

/* From memory of just its size, so that the sanitizer sees a byte too far. */
static bool
parse(const char *data, size_t len)
{
	char	   *copy = malloc(len > 0 ? len : 1);
	struct message message;
	bool		parsed;

	memcpy(copy, data, len);
	parsed = message_parse(&message, copy, len);
	free(copy);
	return parsed;
}

/* The sample with some of its bytes replaced. */
static bool
parse_bent(size_t at, const char *bytes, size_t len)
{
	char		bent[] = WHOLE;

	memcpy(bent + at, bytes, len);
	return parse(bent, sizeof(WHOLE) - 1);
}

#define refuses(at, bytes, name) \
	ok(!parse_bent((at), (bytes), sizeof(bytes) - 1), (name))

static bool
is(struct view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

static void
test_whole(void)
{
	struct message message;
	struct view name;
	struct view value;
	bool		torn = true;

	ok(message_parse(&message, WHOLE, sizeof(WHOLE) - 1), "a message");
	ok(strcmp(message.topic, "out") == 0 && is(message.key, "k") &&
	   is(message.value, "value") && message.flags == 0, "its parts");
	ok(frame_next_header(&message.headers, &name, &value) &&
	   is(name, "a") && is(value, "b") && message.headers.len == 0,
	   "its header");
	/* any end of the value will do; before it, none */
	for (size_t len = 0; len < sizeof(WHOLE) - 1 - 5; len++)
		torn &= !parse(WHOLE, len);
	ok(torn, "cut short");
	ok(parse(WHOLE, sizeof(WHOLE) - 1 - 5), "an empty value");
}

static void
test_hostile(void)
{
	refuses(0, "\000", "version of yesterday");
	refuses(0, "\002", "version of tomorrow");
	refuses(1, "\004", "flag of tomorrow");
	refuses(1, "\001", "null key with bytes");
	refuses(1, "\002", "null value with bytes");
	refuses(2, "\000\000", "no topic");
	refuses(2, "\377\377", "topic too long");
	refuses(2, "\372\000", "topic longer than Kafka's");
	refuses(4, "\377\377\377\377", "key of 4 GB");
	refuses(4, "\020\000\000\000", "key too long");
	refuses(8, "\377\377\377\377", "headers of 4 GB");
	refuses(8, "\007\000\000\000", "headers cut");
	refuses(8, "\011\000\000\000", "a byte behind headers");
	refuses(12, "o t", "illegal topic");
	refuses(12, "o\000t", "a zero byte in a topic");
	refuses(16, "\377\377", "header name too long");
	refuses(19, "\002\000\000\000", "header value too long");
	ok(!parse("\001\002\001\000\000\000\000\000\024\000\000\000x"
			  "\015\000wal2kafka_lsn\001\000\000\0007", 33),
	   "a header of ours");
	ok(parse("\001\003\001\000\000\000\000\000\007\000\000\000x"
			 "\001\000a\377\377\377\377", 20),
	   "no key, no value, a null header");
}

static void
test_limits(void)
{
	char		data[MESSAGE_HEAD_SIZE + 1000] = {MESSAGE_VERSION};
	struct message message;

	memset(data + MESSAGE_HEAD_SIZE, 't', 1000);
	wire_put16(data + 2, TOPIC_NAME_MAX);
	ok(parse(data, sizeof(data)), "the longest topic");
	wire_put16(data + 2, TOPIC_NAME_MAX + 1);
	ok(!parse(data, sizeof(data)), "a byte longer");
	wire_put16(data + 2, 1000);
	ok(!parse(data, sizeof(data)), "as long as there are bytes");
	/* only the head is read */
	ok(!message_parse(&message, WHOLE, (size_t) MESSAGE_MAX + 1),
	   "more than a frame may hold");
}

static void
test_topics(void)
{
	static const struct
	{
		const char *glob;
		const char *topic;
		bool		matches;
	}			cases[] = {
		{"out", "out", true},
		{"out", "out.x", false},
		{"out", "ou", false},
		{"out.x", "outax", false},
		{"*", "out", true},
		{"**", "out", true},
		{"out*", "out", true},
		{"out*", "outer.rim", true},
		{"*.x", "a.b.x", true},
		{"*.x", "a.b.x.y", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"?ut", "out", true},
		{"?ut", "ut", false},
		{"???", "ou", false},
		{"*?", "o", true},
		{"a?*z", "az", false},
		{"a?*z", "abz", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		name[64];

		snprintf(name, sizeof(name), "%s %s %s", cases[i].glob,
				 cases[i].matches ? "means" : "does not mean",
				 cases[i].topic);
		ok(message_topic_matches(cases[i].glob, cases[i].topic) ==
		   cases[i].matches, name);
	}
}

int
main(void)
{
	test_whole();
	test_hostile();
	test_limits();
	test_topics();
	return tap_done();
}
