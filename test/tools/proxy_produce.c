/*
 * proxy_produce.c
 *		Refuses a Produce request in the broker's place.
 */
#include "proxy_produce.h"

#include <stdbool.h>

#define FLEXIBLE		9		/* the form of messages from this version on */
#define TOPIC_IDS		13		/* names topics by number */
#define PRODUCER_ID_AT	43		/* in a batch of records; its epoch follows */
#define PRODUCER_ID_SIZE 10

/* a message being read: past its end nothing is taken, and failed is set */
struct reader
{
	const unsigned char *at;
	const unsigned char *end;
	bool		failed;
};

static uint64_t
get(struct reader *in, size_t size)
{
	uint64_t	value = 0;

	if ((size_t) (in->end - in->at) < size)
		in->failed = true;
	for (; size > 0 && !in->failed; size--)
		value = value << 8 | *in->at++;
	return value;
}

static uint64_t
get_varint(struct reader *in)
{
	uint64_t	value = 0;

	for (int shift = 0; shift < 35 && !in->failed; shift += 7)
	{
		uint64_t	byte = get(in, 1);

		value |= (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			break;
	}
	return value;
}

/* A length or count, in "size" bytes or as a varint; null is 0. */
static size_t
get_size(struct reader *in, bool flexible, size_t size)
{
	uint64_t	value = flexible ? get_varint(in) : get(in, size);

	if (flexible)
		return value == 0 ? 0 : (size_t) value - 1;
	return value >> (8 * size - 1) != 0 ? 0 : (size_t) value;
}

static const unsigned char *
skip(struct reader *in, size_t size)
{
	const unsigned char *at = in->at;

	if ((size_t) (in->end - in->at) < size)
		in->failed = true;
	else
		in->at += size;
	return at;
}

static void
skip_tags(struct reader *in, bool flexible)
{
	uint64_t	count = flexible ? get_varint(in) : 0;

	for (; count > 0 && !in->failed; count--)
	{
		get_varint(in);
		skip(in, (size_t) get_varint(in));
	}
}

static void
put(struct refusal *out, uint64_t value, size_t size)
{
	for (; size > 0 && out->len < sizeof(out->bytes); size--)
		out->bytes[out->len++] = (unsigned char) (value >> (8 * (size - 1)));
}

static void
put_size(struct refusal *out, size_t value, bool flexible, size_t size)
{
	if (!flexible)
	{
		put(out, value, size);
		return;
	}
	for (value++; value >= 0x80; value >>= 7)
		put(out, (value & 0x7f) | 0x80, 1);
	put(out, value, 1);
}

static void
put_bytes(struct refusal *out, const unsigned char *bytes, size_t len)
{
	for (; len > 0; len--)
		put(out, *bytes++, 1);
}

static uint64_t
add_hash(uint64_t hash, const unsigned char *bytes, size_t len)
{
	for (; len > 0; len--)
		hash = (hash ^ *bytes++) * 1099511628211u;
	return hash;
}

static void
refuse_partition(struct reader *in, struct refusal *out, int version, int code,
				 uint64_t *hash)
{
	bool		flexible = version >= FLEXIBLE;
	uint64_t	number = get(in, 4);
	const unsigned char *records;
	size_t		size;
	unsigned char digits[4] = {
		(unsigned char) (number >> 24), (unsigned char) (number >> 16),
		(unsigned char) (number >> 8), (unsigned char) number,
	};

	size = get_size(in, flexible, 4);
	records = skip(in, size);
	*hash = add_hash(*hash, digits, sizeof(digits));
	if (!in->failed && size >= PRODUCER_ID_AT + PRODUCER_ID_SIZE)
		*hash = add_hash(*hash, records + PRODUCER_ID_AT, PRODUCER_ID_SIZE);
	skip_tags(in, flexible);
	put(out, number, 4);
	put(out, (uint64_t) code, 2);
	put(out, UINT64_MAX, 8);	/* offset */
	put(out, UINT64_MAX, 8);	/* time of the log */
	if (version >= 5)
		put(out, UINT64_MAX, 8);	/* begin of the log */
	if (version >= 8)
	{
		put_size(out, 0, flexible, 4);	/* errors of records */
		/* no text: -1, or 0 as a varint */
		put(out, flexible ? 0 : UINT64_MAX, flexible ? 1 : 2);
	}
	if (flexible)
		put(out, 0, 1);
}

uint64_t
refuse_produce(const char *bytes, size_t len, int code, struct refusal *out)
{
	struct reader in = {(const unsigned char *) bytes + 4,
	(const unsigned char *) bytes + len, false};
	int			version = (get(&in, 2), (int) get(&in, 2));
	bool		flexible = version >= FLEXIBLE;
	uint64_t	hash = 14695981039346656037u;
	size_t		topics;

	put(out, 0, 4);				/* length */
	put(out, get(&in, 4), 4);	/* correlation id */
	if (flexible)
		put(out, 0, 1);
	skip(&in, get_size(&in, false, 2)); /* client id */
	skip_tags(&in, flexible);
	skip(&in, get_size(&in, flexible, 2));	/* transactional id */
	skip(&in, 2 + 4);			/* acks, timeout */

	topics = get_size(&in, flexible, 4);
	put_size(out, topics, flexible, 4);
	for (; topics > 0 && !in.failed; topics--)
	{
		size_t		size = version >= TOPIC_IDS ? 16 :
			get_size(&in, flexible, 2);
		const unsigned char *name = skip(&in, size);
		size_t		partitions = get_size(&in, flexible, 4);

		if (in.failed)
			break;
		hash = add_hash(hash, name, size);
		if (version < TOPIC_IDS)
			put_size(out, size, flexible, 2);
		put_bytes(out, name, size);
		put_size(out, partitions, flexible, 4);
		for (; partitions > 0 && !in.failed; partitions--)
			refuse_partition(&in, out, version, code, &hash);
		skip_tags(&in, flexible);
		if (flexible)
			put(out, 0, 1);
	}
	put(out, 0, 4);				/* throttled for */
	if (flexible)
		put(out, 0, 1);
	if (in.failed || version < 3 || version > TOPIC_IDS ||
		out->len >= sizeof(out->bytes))
		out->len = 0;
	else
		for (int i = 0; i < 4; i++)
			out->bytes[i] = (unsigned char) ((out->len - 4) >> (24 - 8 * i));
	return hash;
}
