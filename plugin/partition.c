/*
 * partition.c
 *		From a Kafka key to the number that chooses its partition.
 */
#include "postgres.h"

#include "utils/pg_crc.h"

#include "partition.h"
#include "wire.h"

#define MURMUR2_SEED	0x9747b28cu
#define MURMUR2_M		0x5bd1e995u

/* MurmurHash2 as org.apache.kafka.common.utils.Utils writes it */
static uint32
murmur2(const char *key, int len)
{
	uint32		h = MURMUR2_SEED ^ (uint32) len;

	while (len >= 4)
	{
		uint32		k = wire_get32(key);

		k *= MURMUR2_M;
		k ^= k >> 24;
		k *= MURMUR2_M;
		h *= MURMUR2_M;
		h ^= k;
		key += 4;
		len -= 4;
	}

	if (len > 0)
	{
		for (int i = 0; i < len; i++)
			h ^= (uint32) (unsigned char) key[i] << (8 * i);
		h *= MURMUR2_M;
	}

	h ^= h >> 13;
	h *= MURMUR2_M;
	h ^= h >> 15;
	return h;
}

static uint32
crc32(const char *key, int len)
{
	pg_crc32	crc;

	INIT_TRADITIONAL_CRC32(crc);
	COMP_TRADITIONAL_CRC32(crc, key, len);
	FIN_TRADITIONAL_CRC32(crc);
	return crc;
}

uint32
wal2kafka_partition_hash(Wal2KafkaPartitioner partitioner,
						 const char *key, int len)
{
	if (partitioner == PARTITIONER_CRC32)
		return crc32(key, len);
	return murmur2(key, len) & 0x7fffffff;
}
