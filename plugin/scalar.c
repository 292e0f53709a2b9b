/*
 * scalar.c
 *		Values of fixed-size types as their text.
 *
 * Follows EncodeDateTime() and EncodeDateOnly() of datetime.c for the style
 * "ISO" and the zone UTC, and uuid_out() of uuid.c.
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/uuid.h"

#include "put.h"
#include "scalar.h"

/* of 0001-01-01 and 9999-12-31, as a date counts them */
#define FIRST_DAY	(-730119)
#define LAST_DAY	2921939

#define DATE_LENGTH		10		/* YYYY-MM-DD */
#define DAYS_KNOWN		64

#define SECONDS_AN_HOUR		3600
#define SECONDS_A_MINUTE	60

#define ONE_EACH	UINT64CONST(0x0101010101010101)

/* ---- digits ---- */

static inline char *
put_two(char *to, int number)
{
	to[0] = '0' + number / 10;
	to[1] = '0' + number % 10;
	return to + 2;
}

char *
wal2kafka_micros_put(char *to, int micros)
{
	to = put_two(to, micros / 10000);
	to = put_two(to, micros / 100 % 100);
	return put_two(to, micros % 100);
}

/* ---- dates and times ---- */

static pg_noinline void
date_text(char *text, int64 day)
{
	int			year;
	int			month;
	int			of_month;

	j2date((int) day + POSTGRES_EPOCH_JDATE, &year, &month, &of_month);
	put_two(text, year / 100);
	put_two(text + 2, year % 100);
	text[4] = '-';
	put_two(text + 5, month);
	text[7] = '-';
	put_two(text + 8, of_month);
}

/* Rows that are written together mostly share their days: some are kept. */
char *
wal2kafka_date_put(char *to, int64 day)
{
	static struct
	{
		int			number;		/* of the day, the first is 1; 0: none yet */
		char		text[DATE_LENGTH];
	}			known[DAYS_KNOWN];
	int			number;
	int			i;

	if (unlikely(day < FIRST_DAY || day > LAST_DAY))
		return NULL;
	number = (int) day - FIRST_DAY + 1;
	i = number % DAYS_KNOWN;
	if (known[i].number != number)
	{
		date_text(known[i].text, day);
		known[i].number = number;
	}
	return put_bytes(to, known[i].text, DATE_LENGTH);
}

char *
wal2kafka_clock_put(char *to, int64 second_of_day)
{
	int			seconds = (int) second_of_day;

	put_two(to, seconds / SECONDS_AN_HOUR);
	to[2] = ':';
	put_two(to + 3, seconds / SECONDS_A_MINUTE % 60);
	to[5] = ':';
	return put_two(to + 6, seconds % 60);
}

int64
wal2kafka_time_split(Timestamp time, int64 *day)
{
	int64		days = time / USECS_PER_DAY;
	int64		rest = time % USECS_PER_DAY;

	if (rest < 0)
	{
		rest += USECS_PER_DAY;
		days--;
	}
	*day = days;
	return rest;
}

/* As many digits of the fraction as say something. */
static char *
time_put(char *to, int64 micros)
{
	int			fraction = (int) (micros % USECS_PER_SEC);

	to = wal2kafka_clock_put(to, micros / USECS_PER_SEC);
	if (fraction == 0)
		return to;
	*to++ = '.';
	to = wal2kafka_micros_put(to, fraction);
	while (to[-1] == '0')
		to--;
	return to;
}

static char *
timestamp_put(char *to, Timestamp time)
{
	int64		day;
	int64		micros = wal2kafka_time_split(time, &day);

	/* the infinite ones are outside of those years, too */
	to = wal2kafka_date_put(to, day);
	if (unlikely(to == NULL))
		return NULL;
	*to++ = ' ';
	return time_put(to, micros);
}

static char *
timestamptz_put(char *to, TimestampTz time)
{
	to = timestamp_put(to, time);
	return to ? put_literal(to, "+00") : NULL;
}

/* ---- the others ---- */

/* Eight hexadecimal digits, of four bytes: all at once, each in a byte. */
static inline void
put_hex(char *to, const unsigned char *from)
{
	uint32		bytes;
	uint64		digits;

	memcpy(&bytes, from, sizeof(bytes));
	digits = pg_ntoh32(bytes);
	digits = (digits << 16 | digits) & UINT64CONST(0x0000FFFF0000FFFF);
	digits = (digits << 8 | digits) & UINT64CONST(0x00FF00FF00FF00FF);
	digits = (digits << 4 | digits) & UINT64CONST(0x0F0F0F0F0F0F0F0F);
	digits += ONE_EACH * '0' +
		(((digits + ONE_EACH * 6) >> 4) & ONE_EACH) * ('a' - '0' - 10);
	digits = pg_hton64(digits);
	memcpy(to, &digits, sizeof(digits));
}

static char *
uuid_put(char *to, const pg_uuid_t *uuid)
{
	char		digits[2 * UUID_LEN];

	for (int i = 0; i < UUID_LEN; i += 4)
		put_hex(digits + 2 * i, uuid->data + i);
	to = put_bytes(to, digits, 8);
	*to++ = '-';
	to = put_bytes(to, digits + 8, 4);
	*to++ = '-';
	to = put_bytes(to, digits + 12, 4);
	*to++ = '-';
	to = put_bytes(to, digits + 16, 4);
	*to++ = '-';
	return put_bytes(to, digits + 20, 12);
}

char *
wal2kafka_scalar_put(char *to, Wal2KafkaOutput output, Datum value)
{
	switch (output)
	{
		case OUTPUT_BOOL:
			*to = DatumGetBool(value) ? 't' : 'f';
			return to + 1;
		case OUTPUT_INT2:
			return to + pg_itoa(DatumGetInt16(value), to);
		case OUTPUT_INT4:
			return to + pg_ltoa(DatumGetInt32(value), to);
		case OUTPUT_INT8:
			return to + pg_lltoa(DatumGetInt64(value), to);
		case OUTPUT_OID:
			return to + pg_ultoa_n(DatumGetObjectId(value), to);
		case OUTPUT_FLOAT4:
			return to + float_to_shortest_decimal_bufn(DatumGetFloat4(value),
													   to);
		case OUTPUT_FLOAT8:
			return to + double_to_shortest_decimal_bufn(DatumGetFloat8(value),
														to);
		case OUTPUT_DATE:
			return wal2kafka_date_put(to, DatumGetInt32(value));
		case OUTPUT_TIME:
			return time_put(to, DatumGetInt64(value));
		case OUTPUT_TIMESTAMP:
			return timestamp_put(to, DatumGetInt64(value));
		case OUTPUT_TIMESTAMPTZ:
			return timestamptz_put(to, DatumGetInt64(value));
		case OUTPUT_UUID:
			return uuid_put(to, (pg_uuid_t *) DatumGetPointer(value));
		case OUTPUT_NUMERIC:
			return wal2kafka_numeric_put(to, DatumGetPointer(value));
		default:
			return NULL;
	}
}
