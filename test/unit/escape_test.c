/*
 * escape_test.c
 *		The plugin's escaping loop against one that takes byte by byte; built
 *		once as the compiler's target has it, once portable.
 */
#include <stdlib.h>

#include "escape.h"
#include "tap.h"

#define LONGEST	70

static size_t
plainly(char *to, const unsigned char *from, size_t len)
{
	char	   *start = to;

	for (size_t i = 0; i < len; i++)
	{
		switch (from[i])
		{
			case '\b':
				to += sprintf(to, "\\b");
				break;
			case '\t':
				to += sprintf(to, "\\t");
				break;
			case '\n':
				to += sprintf(to, "\\n");
				break;
			case '\f':
				to += sprintf(to, "\\f");
				break;
			case '\r':
				to += sprintf(to, "\\r");
				break;
			case '"':
			case '\\':
				to += sprintf(to, "\\%c", from[i]);
				break;
			default:
				if (from[i] < 0x20)
					to += sprintf(to, "\\u%04x", from[i]);
				else
					*to++ = (char) from[i];
		}
	}
	return (size_t) (to - start);
}

static unsigned
seen_plainly(const unsigned char *from, size_t len)
{
	unsigned	seen = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (from[i] >= 0x80)
			seen |= ESCAPE_BEYOND_ASCII;
		if (from[i] == 0)
			seen |= ESCAPE_NUL;
	}
	return seen;
}

/* Both buffers are as large as they must be and no larger. */
static bool
agrees(const unsigned char *text, size_t len)
{
	char	   *from = malloc(len);
	char	   *to = malloc(ESCAPE_ROOM(len));
	char		expected[LONGEST * 6 + 1];
	size_t		expected_len = plainly(expected, text, len);
	unsigned	seen = 0;
	bool		same;

	memcpy(from, text, len);
	same = (size_t) (escape_text(to, from, len, &seen) - to) == expected_len &&
		memcmp(to, expected, expected_len) == 0 &&
		seen == seen_plainly(text, len);
	free(from);
	free(to);
	return same;
}

/* Each byte at each place of texts of each length. */
static bool
each_byte(void)
{
	unsigned char text[LONGEST];

	for (size_t len = 1; len <= 40; len++)
	{
		for (size_t place = 0; place < len; place++)
		{
			for (int c = 0; c < 256; c++)
			{
				memset(text, 'x', len);
				text[place] = (unsigned char) c;
				if (!agrees(text, len))
				{
					printf("# byte %d at %zu of %zu\n", c, place, len);
					return false;
				}
			}
		}
	}
	return true;
}

/* Texts of few bytes that are the ends of what is special, mixed. */
static bool
many_texts(void)
{
	static const unsigned char choice[] = {
		0x00, 0x1f, 0x20, 0x21, '"', 0x23, 0x5b, '\\', 0x5d, 0x7f, 0x80, 0x9f,
		0xa2, 0xdc, 0xff, '\n', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
	};
	unsigned char text[LONGEST];

	srand(7);
	for (int round = 0; round < 200000; round++)
	{
		size_t		len = (size_t) (rand() % LONGEST);
		unsigned	plain = (unsigned) rand() % 8;

		for (size_t i = 0; i < len; i++)
			text[i] = (unsigned) rand() % 8 < plain ? 'x' :
				choice[(size_t) rand() % sizeof(choice)];
		if (!agrees(text, len))
		{
			printf("# round %d\n", round);
			return false;
		}
	}
	return true;
}

int
main(void)
{
#if defined(__SSE2__) && !defined(ESCAPE_PORTABLE)
#ifdef ESCAPE_SSE2
	ok(true, "sixteen bytes at a time");
#else
	ok(false, "sixteen bytes at a time");
#endif
#endif
	ok(agrees((const unsigned char *) "", 0), "nothing");
	ok(each_byte(), "each byte at each place");
	ok(many_texts(), "texts of what is special and what is next to it");
	return tap_done();
}
