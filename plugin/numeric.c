/*
 * numeric.c
 *		A short numeric as its text.
 *
 * Reads what is stored, of which struct NumericShort in numeric.c says how: no
 * header tells, but pg_upgrade keeps servers from changing it.  Two bytes of
 * header, then digits of base 10,000, most significant first, in the server's
 * byte order; "weight" is the place of the first one, 0 for units.
 */
#include "postgres.h"

#include "compat.h"
#include "scalar.h"

#define BASE_DIGITS		4		/* decimal ones */

#define KIND_MASK		0xC000
#define KIND_SHORT		0x8000
#define SHORT_NEGATIVE	0x2000
#define SHORT_SCALE		0x1F80
#define SCALE_SHIFT		7
#define WEIGHT_NEGATIVE	0x0040
#define WEIGHT_MASK		0x003F

typedef struct Digits
{
	const char *data;			/* not aligned */
	int			count;
} Digits;

/* Beyond the ones that are stored there are zeros. */
static inline int
digit_at(const Digits *digits, int i)
{
	int16		digit;

	if (i < 0 || i >= digits->count)
		return 0;
	memcpy(&digit, digits->data + i * sizeof(digit), sizeof(digit));
	return digit;
}

static inline char *
put_four(char *to, int digit)
{
	to[0] = '0' + digit / 1000;
	to[1] = '0' + digit / 100 % 10;
	to[2] = '0' + digit / 10 % 10;
	to[3] = '0' + digit % 10;
	return to + BASE_DIGITS;
}

/* The first of a number: without zeros before it. */
static inline char *
put_first(char *to, int digit)
{
	if (digit >= 1000)
		*to++ = '0' + digit / 1000;
	if (digit >= 100)
		*to++ = '0' + digit / 100 % 10;
	if (digit >= 10)
		*to++ = '0' + digit / 10 % 10;
	*to++ = '0' + digit % 10;
	return to;
}

static char *
put_number(char *to, const Digits *digits, int weight, int scale)
{
	char	   *point;
	int			i;

	if (weight < 0)
		*to++ = '0';
	else
	{
		to = put_first(to, digit_at(digits, 0));
		for (i = 1; i <= weight; i++)
			to = put_four(to, digit_at(digits, i));
	}
	if (scale == 0)
		return to;

	*to++ = '.';
	point = to;
	for (i = weight + 1; to - point < scale; i++)
		to = put_four(to, digit_at(digits, i));
	return point + scale;
}

char *
wal2kafka_numeric_put(char *to, const void *stored)
{
	Digits		digits;
	uint16		header;
	int			weight;

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		return NULL;
	memcpy(&header, VARDATA_ANY(stored), sizeof(header));
	if ((header & KIND_MASK) != KIND_SHORT)
		return NULL;

	digits.data = (const char *) VARDATA_ANY(stored) + sizeof(header);
	digits.count = (VARSIZE_ANY_EXHDR(stored) - sizeof(header)) /
		sizeof(int16);
	weight = (int) (header & WEIGHT_MASK) -
		(header & WEIGHT_NEGATIVE ? WEIGHT_MASK + 1 : 0);

	if (header & SHORT_NEGATIVE)
		*to++ = '-';
	return put_number(to, &digits, weight,
					  (header & SHORT_SCALE) >> SCALE_SHIFT);
}
