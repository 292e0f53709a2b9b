/*
 * hash.h
 *		FNV-1a over 64 bits, for what is only compared and not kept.
 *
 * 0 is kept free, for "nothing".
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START	UINT64_C(0xcbf29ce484222325)

static inline uint64_t
hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash | 1;
}

/* With its length, so that "a", "bc" and "ab", "c" differ. */
static inline uint64_t
hash_part(uint64_t hash, const void *data, size_t len)
{
	uint64_t	size = len;

	return hash_bytes(hash_bytes(hash, &size, sizeof(size)), data, len);
}

static inline uint64_t
hash_text(uint64_t hash, const char *text)
{
	return hash_part(hash, text, strlen(text));
}

#endif							/* HASH_H */
