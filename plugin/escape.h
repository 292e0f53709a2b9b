/*
 * escape.h
 *		The inner loop of escaping: text into the inside of a JSON string.
 *
 * Only '"', '\' and bytes below 0x20 are escaped.  Sixteen bytes are looked at
 * at a time where the compiler's target has SSE2, else eight, for most text
 * needs nothing.  Free of the server's headers: the tests hold both forms
 * against each other.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(ESCAPE_PORTABLE)
#include <emmintrin.h>
#define ESCAPE_SSE2
#endif

/* room that "len" bytes of text need: \u00xx each, and a last wide store */
#define ESCAPE_ROOM(len)	((len) * 6 + 16)

/* what was seen in the text */
#define ESCAPE_BEYOND_ASCII	1
#define ESCAPE_NUL			2	/* where C takes it for the end */

#define ESCAPE_EVERY_BYTE(b)	(UINT64_C(0x0101010101010101) * (b))

/*
 * Each byte of eight that is '"', '\' or below 0x20 has its highest bit set,
 * and perhaps bytes above one that is: the lowest is exact, and so is none.
 */
static inline uint64_t
escape_specials(uint64_t bytes)
{
	uint64_t	quote = bytes ^ ESCAPE_EVERY_BYTE('"');
	uint64_t	backslash = bytes ^ ESCAPE_EVERY_BYTE('\\');

	return (((bytes - ESCAPE_EVERY_BYTE(0x20)) & ~bytes) |
			((quote - ESCAPE_EVERY_BYTE(1)) & ~quote) |
			((backslash - ESCAPE_EVERY_BYTE(1)) & ~backslash)) &
		ESCAPE_EVERY_BYTE(0x80);
}

/* Stores the escape of one byte and returns the place behind it. */
static inline char *
escape_special(char *to, unsigned char c, unsigned *seen)
{
	static const char hex[] = "0123456789abcdef";
	static const char short_form[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};

	*to++ = '\\';
	if (c >= 0x20 || short_form[c] != '\0')
	{
		*to++ = c >= 0x20 ? (char) c : short_form[c];
		return to;
	}
	if (c == '\0')
		*seen |= ESCAPE_NUL;
	memcpy(to, "u00", 3);
	to[3] = hex[c >> 4];
	to[4] = hex[c & 15];
	return to + 5;
}

static inline char *
escape_bytes(char *to, const char *from, size_t len, unsigned *seen)
{
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) from[i];

		if (c >= 0x80)
			*seen |= ESCAPE_BEYOND_ASCII;
		if (c < 0x20 || c == '"' || c == '\\')
			to = escape_special(to, c, seen);
		else
			*to++ = (char) c;
	}
	return to;
}

/* One to seven bytes, without a look beyond them. */
static inline char *
escape_few(char *to, const char *from, size_t len, unsigned *seen)
{
	uint64_t	bytes;
	uint32_t	first;
	uint32_t	last;

	if (len < 4)
		return escape_bytes(to, from, len, seen);

	/* two halves that overlap */
	memcpy(&first, from, 4);
	memcpy(&last, from + len - 4, 4);
	bytes = (uint64_t) last << 32 | first;
	if (escape_specials(bytes) != 0)
		return escape_bytes(to, from, len, seen);
	if (bytes & ESCAPE_EVERY_BYTE(0x80))
		*seen |= ESCAPE_BEYOND_ASCII;
	memcpy(to, &first, 4);
	memcpy(to + len - 4, &last, 4);
	return to + len;
}

#ifdef ESCAPE_SSE2
/*
 * A block with these special bytes, of which those up to the first are stored.
 * Sixteen bytes follow it, so that what is behind a special byte can be moved
 * as a whole.
 */
static inline char *
escape_block(char *to, const char *block, int specials, unsigned *seen)
{
	int			begin = 0;

	do
	{
		int			at = __builtin_ctz(specials);

		to = escape_special(to + (at - begin), (unsigned char) block[at],
							seen);
		begin = at + 1;
		_mm_storeu_si128((__m128i *) to,
						 _mm_loadu_si128((const __m128i *) (block + begin)));
		specials &= specials - 1;
	} while (specials != 0);
	return to + (16 - begin);
}

/* As many blocks of sixteen bytes as there are; moves *from behind them. */
static inline char *
escape_blocks(char *to, const char **from, const char *end, unsigned *seen)
{
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	const char *at = *from;
	int			beyond = 0;

	while (end - at >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) at);
		__m128i		special;
		int			mask;
		int			plain;

		special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
							   _mm_cmpeq_epi8(bytes, backslash));
		special = _mm_or_si128(special,
							   _mm_cmpeq_epi8(_mm_min_epu8(bytes, control),
											  bytes));
		mask = _mm_movemask_epi8(special);
		beyond |= _mm_movemask_epi8(bytes);
		_mm_storeu_si128((__m128i *) to, bytes);
		if (mask == 0)
		{
			to += 16;
			at += 16;
			continue;
		}
		if (end - at >= 32)
		{
			to = escape_block(to, at, mask, seen);
			at += 16;
			continue;
		}
		plain = __builtin_ctz(mask);
		to = escape_special(to + plain, (unsigned char) at[plain], seen);
		at += plain + 1;
	}
	if (beyond != 0)
		*seen |= ESCAPE_BEYOND_ASCII;
	*from = at;
	return to;
}
#endif

/*
 * Stores the text at "to", where ESCAPE_ROOM(len) bytes are free, and returns
 * the place behind it.  Adds to *seen what was seen.
 */
static inline char *
escape_text(char *to, const char *from, size_t len, unsigned *seen)
{
	const char *end = from + len;

#ifdef ESCAPE_SSE2
	to = escape_blocks(to, &from, end, seen);
#endif
	while (end - from >= 8)
	{
		uint64_t	bytes;

		memcpy(&bytes, from, 8);
		if (escape_specials(bytes) == 0)
		{
			if (bytes & ESCAPE_EVERY_BYTE(0x80))
				*seen |= ESCAPE_BEYOND_ASCII;
			memcpy(to, &bytes, 8);
			to += 8;
		}
		else
			to = escape_bytes(to, from, 8, seen);
		from += 8;
	}
	if (end > from)
		to = escape_few(to, from, end - from, seen);
	return to;
}

#endif							/* ESCAPE_H */
