/*
 * utf8.c
 *		Finds and mends what is not UTF-8.
 */
#include "utf8.h"

#include <stdint.h>
#include <stdio.h>

/* Bytes of the valid character that starts here, 0 if none does. */
static size_t
character_length(const unsigned char *c, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t	code;
	size_t		len;

	if (c[0] < 0x80)
		return 1;
	len = c[0] >= 0xF8 ? 0 : c[0] >= 0xF0 ? 4 : c[0] >= 0xE0 ? 3 :
		c[0] >= 0xC0 ? 2 : 0;
	if (len == 0 || len > left)
		return 0;
	code = c[0] & (0xFFu >> (len + 1));
	for (size_t i = 1; i < len; i++)
	{
		if ((c[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (c[i] & 0x3Fu);
	}
	if (code < least[len] || code > 0x10FFFF ||
		(code >= 0xD800 && code <= 0xDFFF))
		return 0;
	return len;
}

char *
utf8_mended(const char *text, size_t len)
{
	const unsigned char *c = (const unsigned char *) text;
	char	   *mended = NULL;
	size_t		size;
	size_t		i;
	FILE	   *out;

	for (i = 0; i < len; i += character_length(c + i, len - i))
	{
		if (character_length(c + i, len - i) == 0)
			break;
	}
	if (i == len)
		return NULL;

	out = open_memstream(&mended, &size);
	fwrite(text, 1, i, out);
	while (i < len)
	{
		size_t		known = character_length(c + i, len - i);

		if (known > 0)
			fwrite(text + i, 1, known, out);
		else
			fprintf(out, "%c%c", 0xC0 | c[i] >> 6, 0x80 | (c[i] & 0x3F));
		i += known ? known : 1;
	}
	fclose(out);
	return mended;
}
