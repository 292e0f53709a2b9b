/*
 * murmur2.h
 *		The hash by which Java's clients choose a partition: org.apache.kafka
 *		.common.utils.Utils.murmur2, from its definition.
 */
#ifndef MURMUR2_H
#define MURMUR2_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t
murmur2(const char *key, size_t len)
{
	const unsigned char *p = (const unsigned char *) key;
	const uint32_t m = 0x5bd1e995;
	uint32_t	h = 0x9747b28c ^ (uint32_t) len;
	size_t		words = len / 4;

	for (size_t i = 0; i < words; i++, p += 4)
	{
		uint32_t	k = ((uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 |
						 (uint32_t) p[1] << 8 | p[0]) * m;

		h = (h * m) ^ ((k ^ k >> 24) * m);
	}
	switch (len % 4)
	{
		case 3:
			h ^= (uint32_t) p[2] << 16;
			/* FALLTHROUGH */
		case 2:
			h ^= (uint32_t) p[1] << 8;
			/* FALLTHROUGH */
		case 1:
			h = (h ^ p[0]) * m;
	}
	h = (h ^ h >> 13) * m;
	return h ^ h >> 15;
}

#endif							/* MURMUR2_H */
